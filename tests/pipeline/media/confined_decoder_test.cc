// A decoder's process that says what no good one would, played by the test.
#include "pipeline/media/confined_decoder.h"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"
#include "pipeline/source_failure.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using Kind = DecoderMessage::Kind;

constexpr size_t kPictureBytes = 64 * 48 * 3;

class ConfinedDecoderTest : public testing::Test {
 protected:
  // Opens a decoder whose process answers the first request with `first` and
  // all further ones by `play`, which returns false when it has gone.
  absl::StatusOr<std::unique_ptr<ConfinedDecoder>> Open(
      const DecoderMessage& first, std::function<bool(int)> play) {
    SocketPair sockets = MakeSocketPair();
    DecoderPeer peer;
    peer.socket = std::move(sockets.ours);
    peer.pictures = Descriptor(::memfd_create("test", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(peer.pictures.get(), kPictureBytes), 0);
    actor_ = std::thread(
        [first, play = std::move(play), socket = std::move(sockets.theirs)] {
          DecoderMessage request;
          std::string tail;
          if (!ReceiveMessage(socket.get(), &request, &tail)) return;
          bool here = SendMessage(socket.get(), first);
          while (here && ReceiveMessage(socket.get(), &request, &tail)) {
            here = play(socket.get());
          }
        });
    return ConfinedDecoder::Open(std::move(peer), nullptr, {}, allocator_);
  }
  ~ConfinedDecoderTest() override {
    if (actor_.joinable()) actor_.join();
  }

  static DecoderMessage Opened() {
    DecoderMessage message;
    message.kind = Kind::kOpened;
    message.width = 64;
    message.height = 48;
    message.frame_rate = 25;
    return message;
  }

  static DecoderMessage Picture(int width, int height) {
    DecoderMessage message;
    message.kind = Kind::kPicture;
    message.width = width;
    message.height = height;
    return message;
  }

  // What Next() comes to when the process answers it with `answer`.
  absl::Status After(const DecoderMessage& answer,
                     const std::string& tail = "") {
    auto decoder = Open(Opened(), [answer, tail](int socket) {
      return SendMessage(socket, answer, tail);
    });
    EXPECT_THAT(decoder, IsOk());
    const absl::Status status = (*decoder)->Next().status();
    decoder->reset();
    actor_.join();
    return status;
  }

  HeapAllocator allocator_;
  std::thread actor_;
};

TEST_F(ConfinedDecoderTest, PicturesOfImpossibleSizesEndTheVideo) {
  EXPECT_THAT(After(Picture(64, 48)), IsOk());
  constexpr int kMost = std::numeric_limits<int>::max();
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{64, 49},
                                        {0, 48},
                                        {64, -48},
                                        {-64, -48},
                                        {kMost, kMost},
                                        {kMost, 1},
                                        {1 << 30, 4}}) {
    const absl::Status status = After(Picture(width, height));
    EXPECT_THAT(status,
                StatusIs(absl::StatusCode::kInvalidArgument, "makes no sense"))
        << width << " x " << height;
    EXPECT_EQ(ReasonOf(status), reason::kMediaUndecodable);
  }
}

TEST_F(ConfinedDecoderTest, ImpossibleFactsEndTheVideo) {
  for (int i = 0; i < 5; ++i) {
    DecoderMessage opened = Opened();
    if (i == 0) opened.width = -1;
    if (i == 1) opened.count = -1;
    if (i == 2) opened.frame_rate = std::nan("");
    if (i == 3) opened.frame_rate = std::numeric_limits<double>::infinity();
    if (i == 4) opened.kind = Kind::kPicture;
    EXPECT_THAT(Open(opened, [](int) { return false; }),
                StatusIs(absl::StatusCode::kInvalidArgument, "makes no sense"))
        << i;
    actor_.join();
  }
}

TEST_F(ConfinedDecoderTest, WhatItSaysWentWrongIsShownWithoutItsTricks) {
  DecoderMessage failed;
  failed.kind = Kind::kFailed;
  failed.code = static_cast<int>(absl::StatusCode::kResourceExhausted);
  absl::Status status =
      After(failed, absl::StrCat(reason::kMediaTooLarge, "\nfar\ntoo \x1b[1m"));
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kResourceExhausted, "far?too ?[1m"));
  EXPECT_EQ(ReasonOf(status), reason::kMediaTooLarge);

  failed.code = 77;
  status = After(failed, absl::StrCat("MADE_UP\n", std::string(5000, 'a')));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReasonOf(status), "");
  EXPECT_EQ(status.message().size(), 500);
  EXPECT_FALSE(After(failed).ok());
}

TEST_F(ConfinedDecoderTest, WhoeverGoesHasCrashed) {
  auto decoder = Open(Opened(), [](int) { return false; });
  ASSERT_THAT(decoder, IsOk());
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = (*decoder)->Next().status();
    EXPECT_EQ(SourceFailureOf(status), SourceFailure::kCodecUnsupported)
        << status;
  }
}

TEST_F(ConfinedDecoderTest, AnythingAtAllIsBorne) {
  std::mt19937 random(3);
  int ends = 0;
  for (int i = 0; i < 2000; ++i) {
    DecoderMessage answer = Picture(64, 48);
    auto* bytes = reinterpret_cast<unsigned char*>(&answer);
    for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits) {
      bytes[random() % sizeof(answer)] = static_cast<unsigned char>(random());
    }
    std::string tail(random() % 50, '\0');
    for (char& c : tail) c = static_cast<char>(random());
    // Reads of a process that has its file get nothing, for as long as it asks.
    if (answer.kind == Kind::kRead) continue;
    ends += After(answer, tail).ok() ? 0 : 1;
  }
  EXPECT_GT(ends, 200);
}

}  // namespace
}  // namespace sam3
