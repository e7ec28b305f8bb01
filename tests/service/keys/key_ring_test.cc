// Changes of a key file, by everything that changes files.
#include "service/keys/key_ring.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/support/eventually.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

std::string FileWith(const std::string& id) {
  KeyRecord key;
  key.id = id;
  key.secret_digest = DigestOf(id);
  key.scopes = {Scope::kAll};
  return FormatKeyFile({key});
}

class KeyRingTest : public testing::Test {
 protected:
  // With the poll as good as off: what is found, the system has reported.
  void Open(absl::Duration poll_interval = absl::Hours(1)) {
    auto ring = KeyRing::Open({path_, poll_interval}, metrics_, &logger_);
    ASSERT_THAT(ring, IsOk());
    ring_ = *std::move(ring);
  }
  bool Comes(const std::string& id) {
    return Eventually([&] { return ring_->keys()->contains(id); });
  }
  void Replace(const std::string& text) {
    WriteText(folder_ / "new", text);
    fs::rename(folder_ / "new", path_);
  }

  const TempFolder folder_;
  std::string path_ = folder_ / "keys.json";
  const Logger logger_{LogLevel::kInfo, LogFormat::kKeyValue};
  KeyMetrics metrics_;
  std::unique_ptr<KeyRing> ring_;
};

TEST_F(KeyRingTest, WithoutAGoodFileThereIsNoRing) {
  EXPECT_THAT(KeyRing::Open({path_}, metrics_, &logger_),
              StatusIs(absl::StatusCode::kNotFound, path_));
  WriteText(path_, "{");
  EXPECT_THAT(KeyRing::Open({path_}, metrics_, &logger_),
              StatusIs(absl::StatusCode::kInvalidArgument, path_));
}

TEST_F(KeyRingTest, FilesThatAreReplacedOrWrittenOverAreRead) {
  WriteText(path_, FileWith("one"));
  Open();
  const auto old = ring_->keys();
  Replace(FileWith("two"));
  EXPECT_TRUE(Comes("two"));
  EXPECT_FALSE(ring_->keys()->contains("one"));
  // Who still uses the old set keeps it.
  EXPECT_TRUE(old->contains("one"));
  WriteText(path_, FileWith("three"));
  EXPECT_TRUE(Comes("three"));
  EXPECT_EQ(metrics_.reloads.value(), 3);
}

TEST_F(KeyRingTest, AMountedSecretIsFollowed) {
  // As kubelet lays it out: keys.json -> ..data/keys.json, ..data -> ..<time>.
  fs::create_directory(folder_ / "..1");
  WriteText(folder_ / "..1/keys.json", FileWith("one"));
  fs::create_directory_symlink("..1", folder_ / "..data");
  fs::create_symlink("..data/keys.json", path_);
  Open();
  fs::create_directory(folder_ / "..2");
  WriteText(folder_ / "..2/keys.json", FileWith("two"));
  fs::create_directory_symlink("..2", folder_ / "..data_tmp");
  fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  fs::remove_all(folder_ / "..1");
  EXPECT_TRUE(Comes("two"));
}

TEST_F(KeyRingTest, AFileElsewhereIsFoundByLooking) {
  const TempFolder elsewhere;
  WriteText(elsewhere / "real.json", FileWith("one"));
  fs::create_symlink(elsewhere / "real.json", path_);
  Open(absl::Milliseconds(1));
  WriteText(elsewhere / "real.json", FileWith("two"));
  EXPECT_TRUE(Comes("two"));
}

TEST_F(KeyRingTest, AFolderThatIsReplacedIsFoundAgain) {
  const std::string inner = folder_ / "inner";
  fs::create_directory(inner);
  path_ = inner + "/keys.json";
  WriteText(path_, FileWith("one"));
  Open();
  fs::create_directory(folder_ / "next");
  WriteText(folder_ / "next/keys.json", FileWith("two"));
  fs::rename(inner, folder_ / "old");
  fs::rename(folder_ / "next", inner);
  EXPECT_TRUE(Comes("two"));
  WriteText(path_, FileWith("three"));
  EXPECT_TRUE(Comes("three"));
}

TEST_F(KeyRingTest, ABrokenFileLeavesTheOldKeysAndOneLine) {
  WriteText(path_, FileWith("one"));
  testing::internal::CaptureStderr();
  Open(absl::Milliseconds(1));
  Replace("{\"keys\": [{\"id\": \"two\", \"secret_sha256\": \"zz\"}]}");
  EXPECT_TRUE(Eventually([&] { return metrics_.stale.value() == 1; }));
  EXPECT_TRUE(ring_->keys()->contains("one"));
  fs::remove(path_);
  EXPECT_TRUE(Eventually([&] { return metrics_.failed_reloads.value() == 2; }));
  EXPECT_TRUE(ring_->keys()->contains("one"));
  // Also when it comes back as it was.
  Replace(FileWith("one"));
  EXPECT_TRUE(Eventually([&] { return metrics_.stale.value() == 0; }));
  ring_.reset();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("error keys_not_loaded file=" + path_));
  EXPECT_THAT(log, HasSubstr("keys[0].secret_sha256"));
  EXPECT_THAT(log, HasSubstr("why=\"cannot be read\" keys_kept=1"));
  EXPECT_THAT(log, HasSubstr("info keys_loaded"));
  // The file was looked at every millisecond.
  EXPECT_EQ(metrics_.failed_reloads.value(), 2);
  EXPECT_EQ(metrics_.reloads.value(), 2);
}

}  // namespace
}  // namespace sam3
