#include "pipeline/media/decoder_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "inference/image.h"
#include "pipeline/error_reason.h"
#include "pipeline/media/byte_source.h"
#include "pipeline/media/confinement.h"
#include "pipeline/media/decoder_messages.h"
#include "pipeline/media/file_bytes.h"
#include "pipeline/media/picture_memory.h"
#include "pipeline/media/video_decoder.h"

namespace sam3 {
namespace {

using Kind = DecoderMessage::Kind;

// Reference pictures, of the largest size that is allowed, and what surrounds
// them.
constexpr size_t kMaxMemoryBytes = size_t{2} << 30;

// Bytes that the server is asked for.
class AskedBytes final : public ByteReader {
 public:
  explicit AskedBytes(int socket) : socket_(socket) {}

  int64_t Read(uint8_t* buffer, size_t size) override {
    DecoderMessage message;
    message.kind = Kind::kRead;
    message.count = static_cast<int64_t>(size);
    if (!SendMessage(socket_, message) ||
        !ReceiveMessage(socket_, &message, &tail_) || tail_.size() > size) {
      return -1;
    }
    if (message.count <= 0) return message.count;
    std::memcpy(buffer, tail_.data(), tail_.size());
    return static_cast<int64_t>(tail_.size());
  }
  void Abort() override {}

 private:
  const int socket_;
  std::string tail_;
};

// The memory that the server sees too, for one picture at a time.
class SharedPicture final : public HostAllocator {
 public:
  absl::Status Map(const Descriptor& memory) {
    SAM3_ASSIGN_OR_RETURN(
        memory_,
        PictureMemory::Map(memory, PictureMemory::Access::kReadAndWrite));
    return absl::OkStatus();
  }

  std::shared_ptr<uint8_t> Allocate(size_t size_bytes) override {
    if (size_bytes > memory_.size()) return nullptr;
    return {memory_.bytes(), [](uint8_t*) {}};
  }

 private:
  PictureMemory memory_;
};

class DecoderProcess {
 public:
  explicit DecoderProcess(DecoderProcessFiles files)
      : files_(std::move(files)), asked_(files_.socket.get()) {}

  // Until the server has gone.
  void Run() {
    const absl::Status confined = Confine();
    DecoderMessage request;
    std::string tail;
    while (ReceiveMessage(files_.socket.get(), &request, &tail)) {
      const absl::Status status = confined.ok() ? Answer(request) : confined;
      if (!status.ok() && !SendFailure(status)) return;
    }
  }

 private:
  absl::Status Confine() {
    SAM3_RETURN_IF_ERROR(picture_.Map(files_.pictures));
    if (files_.file.valid()) {
      file_ = std::make_unique<FileBytes>(std::move(files_.file));
    }
    return ConfineThisProcess(kMaxMemoryBytes);
  }

  absl::Status Answer(const DecoderMessage& request) {
    if (request.kind == Kind::kOpen) return Open(request.options);
    if (decoder_ == nullptr) {
      return absl::FailedPreconditionError("no video is open");
    }
    return Next();
  }

  absl::Status Open(const VideoDecoder::Options& options) {
    ByteReader& bytes =
        file_ != nullptr ? static_cast<ByteReader&>(*file_) : asked_;
    SAM3_ASSIGN_OR_RETURN(decoder_,
                          VideoDecoder::OpenBytes(bytes, options, picture_));
    DecoderMessage opened;
    opened.kind = Kind::kOpened;
    opened.width = decoder_->width();
    opened.height = decoder_->height();
    opened.frame_rate = decoder_->frame_rate();
    opened.count = decoder_->frame_count();
    Send(opened);
    return absl::OkStatus();
  }

  absl::Status Next() {
    SAM3_ASSIGN_OR_RETURN(const std::optional<VideoPicture> picture,
                          decoder_->Next());
    DecoderMessage answer;
    answer.kind = picture.has_value() ? Kind::kPicture : Kind::kEnd;
    answer.damaged = decoder_->damaged_parts();
    if (picture.has_value()) {
      answer.width = picture->image.width();
      answer.height = picture->image.height();
      answer.offset_nanoseconds =
          absl::ToInt64Nanoseconds(picture->start_offset);
      answer.size_changed = picture->size_changed ? 1 : 0;
    }
    Send(answer);
    return absl::OkStatus();
  }

  // Whether anybody is there is seen when the next message is awaited.
  void Send(const DecoderMessage& message) {
    SendMessage(files_.socket.get(), message);
  }

  bool SendFailure(const absl::Status& status) {
    DecoderMessage failed;
    failed.kind = Kind::kFailed;
    failed.code = static_cast<int32_t>(status.code());
    if (decoder_ != nullptr) failed.damaged = decoder_->damaged_parts();
    return SendMessage(files_.socket.get(), failed,
                       absl::StrCat(ReasonOf(status), "\n", status.message()));
  }

  DecoderProcessFiles files_;
  AskedBytes asked_;
  SharedPicture picture_;
  std::unique_ptr<FileBytes> file_;
  // Destroyed before what it reads and writes.
  std::unique_ptr<VideoDecoder> decoder_;
};

// What the program said and heard is not for a stranger's video.
void LeaveStandardFiles() {
  const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::dup2(nothing.get(), standard);
  }
}

}  // namespace

void RunDecoderProcess(DecoderProcessFiles files) {
  ::prctl(PR_SET_NAME, "sam3-decoder", 0, 0, 0);
  LeaveStandardFiles();
  DecoderProcess(std::move(files)).Run();
  ::_exit(EXIT_SUCCESS);
}

}  // namespace sam3
