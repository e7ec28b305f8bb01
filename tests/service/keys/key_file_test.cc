#include "service/keys/key_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/keys/key_file_edit.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

KeyRecord RecordOf(const std::string& id) {
  KeyRecord key;
  key.id = id;
  key.secret_digest = DigestOf(id);
  key.scopes = {Scope::kAll};
  return key;
}

std::string MessageOf(absl::string_view text) {
  const auto keys = ParseKeyFile(text);
  EXPECT_THAT(keys, StatusIs(absl::StatusCode::kInvalidArgument, ""));
  return std::string(keys.status().message());
}

TEST(KeyFileTest, WhatIsWrittenIsRead) {
  KeyRecord full = RecordOf("cam-7");
  full.scopes = {Scope::kSegment, Scope::kStream};
  full.expires = absl::FromUnixSeconds(1'800'000'000);
  full.revoked = true;
  full.limits = {.requests_per_second = 0.5,
                 .burst = 4,
                 .concurrent = 3,
                 .streams = 0,
                 .megapixels_per_second = 60};
  const auto keys = ParseKeyFile(FormatKeyFile({full, RecordOf("lab")}));
  ASSERT_THAT(keys, IsOk());
  ASSERT_EQ(keys->size(), 2u);
  const KeyRecord& read = keys->front();
  EXPECT_EQ(read.id, "cam-7");
  EXPECT_EQ(read.secret_digest, full.secret_digest);
  EXPECT_THAT(read.scopes, ElementsAre(Scope::kSegment, Scope::kStream));
  EXPECT_EQ(read.expires, full.expires);
  EXPECT_TRUE(read.revoked);
  EXPECT_EQ(ListLimits(read.limits), ListLimits(full.limits));
  EXPECT_EQ(ListLimits(read.limits).size(), 5u);
  EXPECT_EQ(keys->back().expires, absl::InfiniteFuture());
  EXPECT_FALSE(keys->back().revoked);
  EXPECT_TRUE(ListLimits(keys->back().limits).empty());
}

TEST(KeyFileTest, AFileMayHaveNoKeys) {
  const auto keys = ParseKeyFile(R"({"keys": []})");
  ASSERT_THAT(keys, IsOk());
  EXPECT_TRUE(keys->empty());
}

TEST(KeyFileTest, EverythingThatIsWrongIsSaidAtOnce) {
  const std::string told = MessageOf(R"({"keyz": 1, "keys": [
    {"id": "a", "secret_sha256": "00", "scopes": ["segment", "fly"]},
    {"id": "A b", "scopes": [], "expires": "tomorrow", "revoked": "no"},
    {"id": "c", "secret_sha256": "zz", "scopes": ["*"], "limit": {},
     "limits": {"streams": 1.5, "requests_per_second": 0, "speed": 3,
                "burst": "many"}},
    {"id": "a", "scopes": "*"}, 7]})");
  for (const char* part :
       {"unknown member \"keyz\"", "keys[0].secret_sha256 must have 64",
        "keys[0].scopes a scope is one of *, segment", "keys[1].id must have",
        "keys[1] has no \"secret_sha256\"", "keys[1] must have \"scopes\"",
        "keys[1].expires must be a time", "keys[1].revoked must be true",
        "keys[2] has an unknown member \"limit\"",
        "keys[2].limits.streams must be a whole number from 0",
        "keys[2].limits.requests_per_second must be a number from 0.001",
        "keys[2].limits.speed is no limit; known are requests_per_second",
        "keys[2].limits.burst must be a number",
        "keys[3].id \"a\" is taken by another key", "keys[4] must be an"}) {
    EXPECT_THAT(told, HasSubstr(part));
  }
}

TEST(KeyFileTest, BrokenSyntaxIsSaidWithItsPlaceAndWithoutTheText) {
  const std::string told =
      MessageOf("{\n  \"keys\": [\n    {\"id\": sk_secret}\n]}");
  EXPECT_EQ(told, "line 3, column 12: no JSON from here on");
  EXPECT_THAT(MessageOf(""), HasSubstr("line 1, column 1"));
  EXPECT_THAT(MessageOf("{\"keys\": []"), HasSubstr("line 1, column 12"));
  // A lenient parser takes the last one.
  EXPECT_THAT(MessageOf(R"({"keys": [{"revoked": true, "revoked": false}]})"),
              HasSubstr("\"revoked\" comes twice"));
  EXPECT_THAT(MessageOf("[]"), HasSubstr("must be an object"));
}

TEST(KeyFileTest, ScopesAllowThemselvesAndTheStarAllowsAll) {
  KeyRecord key = RecordOf("a");
  EXPECT_TRUE(key.Allows(Scope::kInfo));
  key.scopes = {Scope::kSegment, Scope::kEmbed};
  EXPECT_TRUE(key.Allows(Scope::kEmbed));
  EXPECT_FALSE(key.Allows(Scope::kStream));
}

class KeyFileEditTest : public testing::Test {
 protected:
  absl::Status Add(const std::string& id) {
    return EditKeyFile(path_, [&id](std::vector<KeyRecord>* keys) {
      keys->push_back(RecordOf(id));
      return absl::OkStatus();
    });
  }
  mode_t Mode() const {
    struct stat facts {};
    EXPECT_EQ(::stat(path_.c_str(), &facts), 0);
    return facts.st_mode & 0777;
  }

  const TempFolder folder_;
  std::string path_ = folder_ / "keys.json";
};

TEST_F(KeyFileEditTest, ANewFileIsItsOwnersAlone) {
  ASSERT_THAT(Add("a"), IsOk());
  EXPECT_EQ(Mode(), 0600u);
  const auto keys = ReadKeyFile(path_);
  ASSERT_THAT(keys, IsOk());
  EXPECT_EQ(keys->front().id, "a");
  // Nothing else is left.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()),
                          std::filesystem::directory_iterator()),
            1);
}

TEST_F(KeyFileEditTest, AccessThatSomebodyGaveStays) {
  ASSERT_THAT(Add("a"), IsOk());
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  ASSERT_THAT(Add("b"), IsOk());
  EXPECT_EQ(Mode(), 0640u);
}

TEST_F(KeyFileEditTest, AMalformedFileStaysAsItIs) {
  WriteText(path_, "{\"keys\": [}");
  EXPECT_THAT(Add("a"), StatusIs(absl::StatusCode::kInvalidArgument,
                                 absl::StrCat(path_, ": line 1, column 11")));
  EXPECT_EQ(ReadText(path_), "{\"keys\": [}");
}

TEST_F(KeyFileEditTest, WhatTheServerWouldRefuseIsNotWritten) {
  ASSERT_THAT(Add("a"), IsOk());
  const std::string before = ReadText(path_);
  EXPECT_THAT(Add("a"), StatusIs(absl::StatusCode::kInvalidArgument, "taken"));
  EXPECT_EQ(
      EditKeyFile(path_, [](auto*) { return absl::NotFoundError("no such"); })
          .code(),
      absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadText(path_), before);
}

TEST_F(KeyFileEditTest, ALinkStaysALink) {
  ASSERT_THAT(Add("a"), IsOk());
  const std::string link = folder_ / "link.json";
  std::filesystem::create_symlink(path_, link);
  const std::string file = std::exchange(path_, link);
  ASSERT_THAT(Add("b"), IsOk());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(ReadKeyFile(file)->size(), 2u);
}

TEST_F(KeyFileEditTest, EditsAtATimeLoseNothing) {
  std::vector<std::thread> editors;
  for (int i = 0; i < 8; ++i) {
    editors.emplace_back(
        [this, i] { EXPECT_THAT(Add(absl::StrCat("k", i)), IsOk()); });
  }
  for (std::thread& editor : editors) editor.join();
  EXPECT_EQ(ReadKeyFile(path_)->size(), 8u);
}

TEST_F(KeyFileEditTest, AFolderThatIsNotThereIsNamed) {
  path_ = folder_ / "nowhere/keys.json";
  EXPECT_THAT(Add("a"), StatusIs(absl::StatusCode::kUnavailable, "nowhere"));
  EXPECT_THAT(ReadKeyFile(path_),
              StatusIs(absl::StatusCode::kNotFound, "nowhere"));
  EXPECT_THAT(ReadKeyFile(folder_.path().string()),
              StatusIs(absl::StatusCode::kNotFound, "cannot be read"));
}

}  // namespace
}  // namespace sam3
