// What names lead to below a media root, with a real folder full of traps.
#include "pipeline/media/media_root.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "pipeline/error_reason.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

namespace fs = std::filesystem;

class MediaRootTest : public testing::Test {
 protected:
  MediaRootTest() {
    fs::remove_all(top_);
    fs::create_directories(top_ / "media" / "inside");
    fs::create_directories(top_ / "media_of_others");
    Write(top_ / "media" / "a.jpg", "picture");
    Write(top_ / "media" / "inside" / "b.jpg", "other");
    Write(top_ / "secret", "secret");
    Write(top_ / "media_of_others" / "secret", "secret");
  }
  ~MediaRootTest() override { fs::remove_all(top_); }

  static void Write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string Read(const MediaRoot& root, absl::string_view name) {
    const auto file = root.Open(name);
    if (!file.ok()) return file.status().ToString();
    return (*file)->ReadAll(100).value();
  }

  const fs::path top_ = fs::path(testing::TempDir()) / "sam3_media_root_test";
  const MediaRoot root_{(top_ / "media").string()};
};

TEST_F(MediaRootTest, FilesBelowAreRead) {
  EXPECT_EQ(Read(root_, "a.jpg"), "picture");
  EXPECT_EQ(Read(root_, "./inside/../a.jpg"), "picture");
  EXPECT_EQ(Read(root_, "inside/b.jpg"), "other");
  // The folder itself may be a link.
  fs::create_directory_symlink(top_ / "media", top_ / "link");
  EXPECT_EQ(Read(MediaRoot((top_ / "link").string()), "a.jpg"), "picture");
}

TEST_F(MediaRootTest, NothingElseIs) {
  fs::create_symlink(top_ / "secret", top_ / "media" / "absolute");
  fs::create_symlink("../secret", top_ / "media" / "relative");
  fs::create_symlink("a.jpg", top_ / "media" / "harmless");
  fs::create_directory_symlink(top_, top_ / "media" / "up");
  ASSERT_EQ(::mkfifo((top_ / "media" / "pipe").c_str(), 0600), 0);
  for (const std::string& name : {std::string("../secret"),
                                  std::string("inside/../../secret"),
                                  std::string("../media/a.jpg"),
                                  std::string("../media_of_others/secret"),
                                  (top_ / "secret").string(),
                                  (top_ / "media" / "a.jpg").string(),
                                  std::string("absolute"),
                                  std::string("relative"),
                                  std::string("harmless"),
                                  std::string("up/secret"),
                                  std::string("pipe"),
                                  std::string("inside"),
                                  std::string("."),
                                  std::string(".."),
                                  std::string(),
                                  std::string("none"),
                                  std::string("a.jpg/"),
                                  std::string("a.jpg\0", 6),
                                  std::string("/proc/self/environ"),
                                  std::string("file:a.jpg"),
                                  std::string(5000, 'a')}) {
    EXPECT_THAT(root_.Open(name),
                StatusIs(absl::StatusCode::kInvalidArgument, "media root"))
        << name;
  }
  EXPECT_THAT(MediaRoot("").Open("a.jpg"),
              StatusIs(absl::StatusCode::kPermissionDenied, "no media root"));
  EXPECT_THAT(MediaRoot((top_ / "none").string()).Open("a.jpg"),
              StatusIs(absl::StatusCode::kInvalidArgument, ""));
}

TEST_F(MediaRootTest, AnOpenFileStaysWhatItWas) {
  const auto file = root_.Open("a.jpg");
  ASSERT_THAT(file, IsOk());
  fs::remove(top_ / "media" / "a.jpg");
  fs::create_symlink(top_ / "secret", top_ / "media" / "a.jpg");
  EXPECT_EQ(*(*file)->ReadAll(100), "picture");
  std::ifstream again((*file)->path(), std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(again), {}), "picture");
}

TEST_F(MediaRootTest, LargeFilesAreRefused) {
  Write(top_ / "media" / "large", std::string(1'000'001, 'x'));
  const auto file = root_.Open("large");
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ((*file)->ReadAll(1'000'001)->size(), 1'000'001u);
  const auto refused = (*file)->ReadAll(1'000'000);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "more than 1000000 bytes"));
  EXPECT_EQ(ReasonOf(refused.status()), reason::kMediaTooLarge);
}

}  // namespace
}  // namespace sam3
