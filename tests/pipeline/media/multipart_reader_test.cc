// Multipart bodies as cameras write them.
#include "pipeline/media/multipart_reader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/byte_mutator.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Gives `text` in pieces of `step`.
class TextReader final : public ByteReader {
 public:
  TextReader(std::string text, size_t step)
      : text_(std::move(text)), step_(step) {}
  int64_t Read(uint8_t* buffer, size_t size) override {
    const size_t count = std::min({size, step_, text_.size() - at_});
    std::copy_n(text_.begin() + static_cast<int64_t>(at_), count, buffer);
    at_ += count;
    return static_cast<int64_t>(count);
  }
  void Abort() override {}

 private:
  const std::string text_;
  const size_t step_;
  size_t at_ = 0;
};

std::vector<std::string> PartsOf(const std::string& text, size_t step = 7) {
  TextReader bytes(text, step);
  MultipartReader reader(bytes, "b", 100'000);
  std::vector<std::string> parts;
  while (true) {
    auto part = reader.Next();
    EXPECT_THAT(part, IsOk());
    if (!part.ok() || !part->has_value()) return parts;
    parts.push_back(**std::move(part));
  }
}

TEST(MultipartBoundaryTest, IsFoundInAnyForm) {
  EXPECT_EQ(MultipartBoundary("multipart/x-mixed-replace;boundary=b"), "b");
  EXPECT_EQ(MultipartBoundary("Multipart/X-Mixed-Replace; Boundary=\"--b c\""),
            "b c");
  EXPECT_EQ(MultipartBoundary("multipart/mixed; charset=x ; boundary=--b"),
            "b");
  EXPECT_EQ(MultipartBoundary("multipart/mixed"), std::nullopt);
  EXPECT_EQ(MultipartBoundary("multipart/mixed; boundary="), std::nullopt);
  EXPECT_EQ(MultipartBoundary("multipart/mixed; boundary=--"), std::nullopt);
  EXPECT_EQ(MultipartBoundary("video/mp2t; boundary=b"), std::nullopt);
  EXPECT_EQ(MultipartBoundary(""), std::nullopt);
}

TEST(MultipartReaderTest, PartsComeWithAndWithoutLengths) {
  const std::string text =
      "preamble\r\n--b\r\nContent-Type: image/jpeg\r\ncontent-length: 5\r\n\r\n"
      "on--b\r\n--b\r\n\r\ntwo\r\n----b\nX: y\n\nth\nree\n--b\r\n\r\n\r\n--b--";
  for (size_t step = 1; step < 40; ++step) {
    EXPECT_THAT(PartsOf(text, step), ElementsAre("on--b", "two", "th\nree", ""))
        << step;
  }
}

TEST(MultipartReaderTest, AWrongLengthCostsOnePart) {
  EXPECT_THAT(PartsOf("--b\r\nContent-Length: 2\r\n\r\nlong\r\n"
                      "--b\r\nContent-Length: 3\r\n\r\ntwo\r\n--b--"),
              ElementsAre("lo", "two"));
}

TEST(MultipartReaderTest, AnEndInTheMiddleEndsQuietly) {
  EXPECT_THAT(PartsOf(""), IsEmpty());
  EXPECT_THAT(PartsOf("--b"), IsEmpty());
  EXPECT_THAT(PartsOf("--b\r\nContent-Length: 9\r\n\r\nshort"), IsEmpty());
  EXPECT_THAT(PartsOf("--b\r\n\r\nno end"), IsEmpty());
}

TEST(MultipartReaderTest, NothingGrowsWithoutBound) {
  const std::string flood(200'000, 'x');
  const std::pair<std::string, absl::StatusCode> cases[] = {
      {flood, absl::StatusCode::kInvalidArgument},
      {absl::StrCat("--b", flood), absl::StatusCode::kInvalidArgument},
      {absl::StrCat("--b\r\nContent-Length: 100001\r\n\r\n", flood),
       absl::StatusCode::kResourceExhausted},
      {absl::StrCat("--b\r\n\r\n", flood),
       absl::StatusCode::kResourceExhausted}};
  for (const auto& [text, code] : cases) {
    TextReader bytes(text, 1000);
    MultipartReader reader(bytes, "b", 100'000);
    EXPECT_THAT(reader.Next(), StatusIs(code, "")) << text.substr(0, 40);
  }
  // Many short header lines as well.
  std::string lines = "--b\r\n";
  for (int i = 0; i < 5000; ++i) absl::StrAppend(&lines, "A: b\r\n");
  TextReader bytes(lines, 1000);
  MultipartReader reader(bytes, "b", 100'000);
  EXPECT_THAT(reader.Next(),
              StatusIs(absl::StatusCode::kInvalidArgument, "headers"));
}

// Everything that comes out, and how it ends.
struct Parsed {
  std::vector<std::string> parts;
  absl::Status status;
};
Parsed PartsWithin(const std::string& text, size_t step, size_t max_bytes) {
  TextReader bytes(text, step);
  MultipartReader reader(bytes, "b", max_bytes);
  Parsed parsed;
  while (true) {
    auto part = reader.Next();
    parsed.status = part.status();
    if (!part.ok() || !part->has_value()) return parsed;
    parsed.parts.push_back(**std::move(part));
    EXPECT_LE(parsed.parts.back().size(), max_bytes);
  }
}

TEST(MultipartReaderTest, TheBoundIsTheSameHoweverTheBytesArrive) {
  for (const size_t size : {size_t{100}, size_t{101}}) {
    const std::string text =
        absl::StrCat("--b\r\n\r\n", std::string(size, 'x'), "\r\n--b--");
    for (size_t step = 1; step <= text.size(); ++step) {
      const Parsed parsed = PartsWithin(text, step, 100);
      EXPECT_THAT(parsed.parts, SizeIs(size == 100 ? 1 : 0)) << step;
      EXPECT_EQ(parsed.status.code(),
                size == 100 ? absl::StatusCode::kOk
                            : absl::StatusCode::kResourceExhausted)
          << step;
    }
  }
}

TEST(MultipartReaderTest, DamagedBodiesAreReadOrRefused) {
  constexpr size_t kMaxBytes = 60;
  const std::string good =
      "preamble\r\n--b\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\n\r\n"
      "on--b\r\n--b\r\n\r\ntwo\r\n----b\nX: y\n\nth\nree\n--b--";
  ByteMutator mutator(3,
                      {"--b", "--b\r\n\r\n", "\r\n", "\n", "-", "\r\n\r\n",
                       "Content-Length: 7\r\n", "--b\nContent-Length: 2\n\nab",
                       std::string(70, 'x')});
  int whole = 0;
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string text = mutator.Mutate(good);
    SCOPED_TRACE(testing::PrintToString(text));
    const Parsed parsed = PartsWithin(text, text.size(), kMaxBytes);
    size_t bytes = 0;
    for (const std::string& part : parsed.parts) bytes += part.size();
    ASSERT_LE(bytes, text.size());
    whole += parsed.parts.size() >= 3 ? 1 : 0;
    if (!parsed.status.ok()) {
      ++refused;
      ASSERT_THAT(parsed.status.code(),
                  AnyOf(absl::StatusCode::kInvalidArgument,
                        absl::StatusCode::kResourceExhausted));
    }
    // How the bytes arrive changes nothing.
    const Parsed cut = PartsWithin(text, 1 + mutator.Below(9), kMaxBytes);
    ASSERT_EQ(cut.status, parsed.status);
    ASSERT_EQ(cut.parts, parsed.parts);
  }
  // The cases are good ones only if many get through and many do not.
  EXPECT_GT(whole, 300);
  EXPECT_GT(refused, 300);
}

}  // namespace
}  // namespace sam3
