#include "pipeline/video_reader.h"

#include <pthread.h>

#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/byte_source.h"
#include "pipeline/media/upload_spool.h"
#include "pipeline/media/video_decoder.h"
#include "pipeline/source_events.h"

namespace sam3 {
namespace {

constexpr size_t kMaxPushedBytes = 4 << 20;
// Where an mp4 file shows the order of its parts.
constexpr size_t kHeadBytes = 4096;
// Room on disk for one upload that can only be decoded when it is complete.
constexpr size_t kMaxSpoolBytes = size_t{2} << 30;

class ThreadedReader final : public VideoReader {
 public:
  ThreadedReader(std::string path, const ImageLimits& limits,
                 const VideoOpener& videos, HostAllocator& allocator,
                 Clock& clock, FrameSink& sink,
                 std::function<void()> wants_bytes)
      : path_(std::move(path)),
        options_{.limits = limits},
        videos_(videos),
        allocator_(allocator),
        clock_(clock),
        sink_(sink),
        bytes_(kMaxPushedBytes, std::move(wants_bytes)) {}

  ~ThreadedReader() override {
    Stop();
    if (thread_.joinable()) thread_.join();
  }

  void Start() override {
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "sam3-video");
  }

  bool WantsBytes() const override { return bytes_.WantsBytes(); }
  void PushBytes(std::string bytes) override { bytes_.Push(std::move(bytes)); }
  void CloseBytes() override { bytes_.Close(); }

  void Stop() override {
    bytes_.Abort();
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
    if (decoder_ != nullptr) decoder_->Interrupt();
  }

 private:
  void Run() {
    absl::StatusOr<std::unique_ptr<VideoDecoder>> decoder = Open();
    if (!decoder.ok()) return sink_.SourceEnded(decoder.status());
    {
      const absl::MutexLock lock(&mutex_);
      decoder_ = decoder->get();
      if (stopped_) decoder_->Interrupt();
    }
    sink_.SourceOpened(
        {(*decoder)->width(), (*decoder)->height(), (*decoder)->frame_rate()});
    const absl::Status status = Decode(**decoder);
    {
      const absl::MutexLock lock(&mutex_);
      decoder_ = nullptr;
    }
    sink_.SourceEnded(status);
  }

  absl::StatusOr<std::unique_ptr<VideoDecoder>> Open() {
    if (!path_.empty()) {
      return videos_.OpenFile(path_, options_, allocator_);
    }
    if (!IndexComesLast(bytes_.Peek(kHeadBytes))) {
      return videos_.OpenBytes(bytes_, options_, allocator_);
    }
    SAM3_ASSIGN_OR_RETURN(spool_, UploadSpool::ReadAll(bytes_, kMaxSpoolBytes));
    return videos_.OpenFile(spool_->path(), options_, allocator_);
  }

  absl::Status Decode(VideoDecoder& decoder) {
    while (true) {
      const absl::Time start = clock_.Now();
      absl::StatusOr<std::optional<VideoPicture>> picture = decoder.Next();
      if (!picture.ok()) return picture.status();
      if (!picture->has_value()) break;
      const absl::Duration spent = clock_.Now() - start;
      VideoPicture& next = **picture;
      if (next.size_changed) {
        sink_.ReportSource(
            ResolutionChanged({next.image.width(), next.image.height(), 0}));
      }
      if (!sink_.Publish({std::move(next.image), next.start_offset, spent})) {
        return absl::CancelledError("the stream has ended");
      }
    }
    if (decoder.damaged_parts() > 0) {
      sink_.ReportSource(PartsDamaged(decoder.damaged_parts()));
    }
    sink_.ReportSource({SourceEventKind::kEnded, 0, "the video has ended", {}});
    return absl::OkStatus();
  }

  const std::string path_;
  const VideoDecoder::Options options_;
  const VideoOpener& videos_;
  HostAllocator& allocator_;
  Clock& clock_;
  FrameSink& sink_;
  ByteSource bytes_;
  absl::Mutex mutex_;
  VideoDecoder* decoder_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // Touched by the thread only.
  std::unique_ptr<UploadSpool> spool_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<VideoReader> MakeVideoReader(
    const std::string& path, const ImageLimits& limits,
    const VideoOpener& videos, HostAllocator& allocator, Clock& clock,
    FrameSink& sink, std::function<void()> wants_bytes) {
  return std::make_unique<ThreadedReader>(path, limits, videos, allocator,
                                          clock, sink, std::move(wants_bytes));
}

}  // namespace sam3
