#include "pipeline/media/confined_decoder.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

using Kind = DecoderMessage::Kind;

// No picture takes that long to be decoded.
constexpr int kPatienceMilliseconds = 10'000;
constexpr size_t kMaxMessageBytes = 500;
constexpr char kCrashed[] = "has crashed";
constexpr char kSenseless[] = "said what makes no sense";
// Frames a second that a video may say it has.
constexpr double kMaxFrameRate = 1e6;

bool IsReason(absl::string_view reason) {
  return std::find(std::begin(reason::kAll), std::end(reason::kAll), reason) !=
         std::end(reason::kAll);
}

// Only what can be shown anywhere.
std::string Printable(absl::string_view text) {
  std::string shown(text.substr(0, kMaxMessageBytes));
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return shown;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ConfinedDecoder>> ConfinedDecoder::Open(
    DecoderPeer peer, ByteReader* bytes, const Options& options,
    HostAllocator& allocator) {
  std::unique_ptr<ConfinedDecoder> decoder(
      new ConfinedDecoder(std::move(peer), bytes, options, allocator));
  SAM3_RETURN_IF_ERROR(decoder->Start());
  return decoder;
}

ConfinedDecoder::~ConfinedDecoder() {
  if (peer_.process.valid()) {
    ::syscall(SYS_pidfd_send_signal, peer_.process.get(), SIGKILL, nullptr, 0);
  }
}

absl::Status ConfinedDecoder::Start() {
  SAM3_ASSIGN_OR_RETURN(
      pixels_,
      PictureMemory::Map(peer_.pictures, PictureMemory::Access::kRead));
  DecoderMessage request;
  request.kind = Kind::kOpen;
  request.options = options_;
  SAM3_ASSIGN_OR_RETURN(const DecoderMessage opened, Ask(request));
  if (opened.kind != Kind::kOpened || opened.width < 0 || opened.height < 0 ||
      opened.count < 0 || !(opened.frame_rate >= 0) ||
      opened.frame_rate > kMaxFrameRate) {
    return Lost(kSenseless);
  }
  opened_ = opened;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<VideoPicture>> ConfinedDecoder::Next() {
  SAM3_ASSIGN_OR_RETURN(const DecoderMessage answer, Ask(DecoderMessage()));
  if (answer.kind == Kind::kEnd) return std::optional<VideoPicture>();
  if (answer.kind != Kind::kPicture) return Lost(kSenseless);
  SAM3_ASSIGN_OR_RETURN(VideoPicture picture, TakePicture(answer));
  return std::optional<VideoPicture>(std::move(picture));
}

void ConfinedDecoder::Interrupt() {
  interrupted_ = true;
  if (bytes_ != nullptr) bytes_->Abort();
  ::shutdown(peer_.socket.get(), SHUT_RDWR);
}

absl::StatusOr<DecoderMessage> ConfinedDecoder::Ask(
    const DecoderMessage& request) {
  SAM3_RETURN_IF_ERROR(lost_);
  if (!SendMessage(peer_.socket.get(), request)) return Lost(kCrashed);
  while (true) {
    SAM3_RETURN_IF_ERROR(Await());
    DecoderMessage answer;
    if (!ReceiveMessage(peer_.socket.get(), &answer, &tail_)) {
      return Lost(kCrashed);
    }
    if (answer.kind == Kind::kRead) {
      if (!GiveBytes(answer.count)) return Lost(kCrashed);
      continue;
    }
    damaged_ = std::max(damaged_, answer.damaged);
    if (answer.kind == Kind::kFailed) return Failed(answer);
    return answer;
  }
}

absl::Status ConfinedDecoder::Await() {
  pollfd polled = {peer_.socket.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&polled, 1, kPatienceMilliseconds);
  } while (ready < 0 && errno == EINTR);
  return ready > 0 ? absl::OkStatus() : Lost("takes too long");
}

bool ConfinedDecoder::GiveBytes(int64_t wanted) {
  const int64_t most = static_cast<int64_t>(kMaxDecoderTail);
  std::string bytes(static_cast<size_t>(std::clamp(wanted, int64_t{1}, most)),
                    '\0');
  DecoderMessage given;
  given.kind = Kind::kBytes;
  given.count = bytes_ == nullptr
                    ? -1
                    : bytes_->Read(reinterpret_cast<uint8_t*>(bytes.data()),
                                   bytes.size());
  bytes.resize(static_cast<size_t>(std::max(given.count, int64_t{0})));
  return SendMessage(peer_.socket.get(), given, bytes);
}

absl::StatusOr<VideoPicture> ConfinedDecoder::TakePicture(
    const DecoderMessage& message) {
  const int64_t width = message.width;
  const int64_t height = message.height;
  if (width <= 0 || height <= 0 || width > options_.limits.max_side ||
      height > options_.limits.max_side) {
    return Lost(kSenseless);
  }
  const size_t size = static_cast<size_t>(width) * static_cast<size_t>(height) *
                      Image::kBytesPerPixel;
  if (size > pixels_.size()) return Lost(kSenseless);
  const std::shared_ptr<uint8_t> pixels = allocator_.Allocate(size);
  if (pixels == nullptr) return absl::ResourceExhaustedError("no memory");
  std::memcpy(pixels.get(), pixels_.bytes(), size);
  VideoPicture picture;
  picture.image = Image(pixels, message.width, message.height);
  picture.start_offset = absl::Nanoseconds(message.offset_nanoseconds);
  picture.size_changed = message.size_changed != 0;
  return picture;
}

absl::Status ConfinedDecoder::Failed(const DecoderMessage& message) const {
  const size_t line = std::min(tail_.find('\n'), tail_.size());
  const absl::string_view told(tail_);
  const bool known =
      message.code > static_cast<int>(absl::StatusCode::kOk) &&
      message.code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  absl::Status status(known ? static_cast<absl::StatusCode>(message.code)
                            : absl::StatusCode::kInternal,
                      Printable(told.substr(std::min(line + 1, told.size()))));
  const absl::string_view reason = told.substr(0, line);
  return IsReason(reason) ? WithReason(std::move(status), reason) : status;
}

absl::Status ConfinedDecoder::Lost(absl::string_view what) {
  lost_ = interrupted_
              ? absl::CancelledError("interrupted")
              : SourceFailed(SourceFailure::kCodecUnsupported,
                             absl::StrCat("the video's decoder ", what,
                                          "; if it does so again, encode the "
                                          "video otherwise, as H.264 for one"));
  ::shutdown(peer_.socket.get(), SHUT_RDWR);
  return lost_;
}

}  // namespace sam3
