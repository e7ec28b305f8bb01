// Many live streams on the fake engine over a loopback socket: every stream
// pushes a frame at its own fixed rate and reads what comes back. Also one long
// stream, to see whether memory grows.
#include <grpcpp/grpcpp.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "benchmarks/load/noise_picture.h"
#include "inference/fake_engine.h"
#include "pipeline/segmenter_factory.h"
#include "sam3/v1/segmentation_service.grpc.pb.h"
#include "service/server.h"

namespace sam3 {
namespace {

struct Flags {
  int streams = 100;
  double fps = 6;
  int seconds = 20;
  int frames = 0;
  double image_ms = 0;
  double pair_ms = 0;
  bool track = false;
  int width = 320;
  int height = 240;
};

double ResidentMb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t kilobytes = 0;
    if (parts.size() > 1 && parts[0] == "VmRSS:" &&
        absl::SimpleAtoi(parts[1], &kilobytes)) {
      return static_cast<double>(kilobytes) * 1024e-6;
    }
  }
  return 0;
}

v1::SegmentStreamRequest Config(v1::StreamConfig::Delivery delivery,
                                bool track) {
  v1::SegmentStreamRequest request;
  if (track) request.mutable_config()->set_task(v1::StreamConfig::TASK_TRACK);
  request.mutable_config()->mutable_pushed_frames();
  request.mutable_config()->set_delivery(delivery);
  request.mutable_config()->add_prompts()->set_text("red");
  return request;
}

class Load {
 public:
  explicit Load(const Flags& flags) : flags_(flags) {
    auto script = std::make_shared<FakeEngineScript>();
    script->SetLatency({absl::ZeroDuration(),
                        absl::Milliseconds(flags.image_ms),
                        absl::Milliseconds(flags.pair_ms)});
    SegmenterOptions options;
    options.max_streams = flags.streams + 1;
    options.min_stream_fps = 0;
    auto segmenter =
        CreateSegmenter(MakeFakeModel(script), options, clock_, metrics_);
    Server::Options server_options;
    server_options.address = "127.0.0.1:0";
    server_ = *Server::Start(server_options, *std::move(segmenter), calls_);
    frame_ =
        NoisePicture(flags.width, flags.height,
                     static_cast<size_t>(flags.width) * flags.height / 6, 1);
  }

  // Streams of a fixed rate; a client that falls behind does not slow down.
  void RunStreams() {
    std::vector<std::thread> clients;
    const absl::Time start = absl::Now() + absl::Milliseconds(500);
    const absl::Time end = start + absl::Seconds(flags_.seconds);
    for (int s = 0; s < flags_.streams; ++s) {
      clients.emplace_back([this, s, start, end] {
        const auto stub = MakeStub();
        grpc::ClientContext context;
        const auto stream = stub->SegmentStream(&context);
        stream->Write(Config(v1::StreamConfig::DELIVERY_LATEST, flags_.track));
        std::thread reader([&] { Account(stream.get()); });
        v1::SegmentStreamRequest request;
        request.mutable_frame()->set_content(frame_);
        const absl::Duration period = absl::Seconds(1) / flags_.fps;
        absl::Time next = start + period * s / flags_.streams;
        for (; next < end; next += period) {
          absl::SleepFor(next - absl::Now());
          if (!stream->Write(request)) break;
        }
        stream->WritesDone();
        reader.join();
        stream->Finish();
      });
    }
    for (std::thread& client : clients) client.join();
    const Histogram& delay = metrics_.scheduling_delay_seconds;
    std::printf(
        "%d streams x %.1f fps for %d s: %lld frames, %lld answered, %lld "
        "dropped\n"
        "scheduling delay p50 <= %.2f ms, p99 <= %.2f ms, p99.9 <= %.2f ms\n"
        "frame age p50 <= %.1f ms, p99 <= %.1f ms\n",
        flags_.streams, flags_.fps, flags_.seconds,
        static_cast<long long>(metrics_.frames_in.value()),
        static_cast<long long>(metrics_.frames_answered.value()),
        static_cast<long long>(metrics_.frames_in.value() -
                               metrics_.frames_answered.value()),
        delay.Quantile(0.5) * 1e3, delay.Quantile(0.99) * 1e3,
        delay.Quantile(0.999) * 1e3,
        metrics_.frame_age_seconds.Quantile(0.5) * 1e3,
        metrics_.frame_age_seconds.Quantile(0.99) * 1e3);
    std::printf("summaries: %lld of %d, %lld unlike their results\n",
                static_cast<long long>(summaries_), flags_.streams,
                static_cast<long long>(wrong_summaries_));
  }

  void RunLongStream() {
    const auto stub = MakeStub();
    grpc::ClientContext context;
    const auto stream = stub->SegmentStream(&context);
    stream->Write(Config(v1::StreamConfig::DELIVERY_EVERY, flags_.track));
    std::thread writer([&] {
      v1::SegmentStreamRequest request;
      request.mutable_frame()->set_content(frame_);
      for (int i = 0; i < flags_.frames; ++i) stream->Write(request);
      stream->WritesDone();
    });
    v1::SegmentStreamResponse response;
    double baseline = 0;
    double last = 0;
    while (stream->Read(&response)) {
      if (!response.has_result()) continue;
      const int64_t index = response.result().frame_index();
      if (!response.result().last_in_frame()) continue;
      if (index == 499 || (index + 1) % std::max(1, flags_.frames / 5) == 0) {
        last = ResidentMb();
        if (index == 499) baseline = last;
        std::printf("after %lld frames: %.2f MB resident\n",
                    static_cast<long long>(index + 1), last);
      }
    }
    writer.join();
    stream->Finish();
    std::printf("growth after the first 500 frames: %.2f MB\n",
                last - baseline);
  }

 private:
  std::unique_ptr<v1::SegmentationService::Stub> MakeStub() {
    grpc::ChannelArguments arguments;
    return v1::SegmentationService::NewStub(grpc::CreateCustomChannel(
        absl::StrCat("127.0.0.1:", server_->port()),
        grpc::InsecureChannelCredentials(), arguments));
  }

  // Reads to the end, and compares what came with what the summary says.
  void Account(grpc::ClientReaderWriter<v1::SegmentStreamRequest,
                                        v1::SegmentStreamResponse>* stream) {
    v1::SegmentStreamResponse response;
    int64_t answered = 0;
    int64_t dropped = 0;
    while (stream->Read(&response)) {
      if (response.has_result()) answered += response.result().last_in_frame();
      if (response.has_dropped()) {
        dropped += response.dropped().last_frame_index() -
                   response.dropped().first_frame_index() + 1;
      }
      if (!response.has_summary()) continue;
      ++summaries_;
      const v1::StreamSummary& summary = response.summary();
      if (summary.answered_count() != answered ||
          summary.frames_in_count() !=
              answered + dropped + summary.refused_count()) {
        ++wrong_summaries_;
      }
    }
  }

  const Flags flags_;
  RealClock clock_;
  PipelineMetrics metrics_;
  RpcMetrics calls_;
  std::unique_ptr<Server> server_;
  std::string frame_;
  std::atomic<int64_t> summaries_ = 0;
  std::atomic<int64_t> wrong_summaries_ = 0;
};

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  sam3::Flags flags;
  CLI::App app("Streams on the fake engine");
  app.add_option("--streams", flags.streams, "Streams at a time");
  app.add_option("--fps", flags.fps, "Frames a second and stream");
  app.add_option("--seconds", flags.seconds, "How long");
  app.add_option("--frames", flags.frames,
                 "Instead: frames through one stream, watching memory");
  app.add_option("--image-ms", flags.image_ms, "Engine time per picture");
  app.add_option("--pair-ms", flags.pair_ms, "Engine time per pair");
  app.add_flag("--track", flags.track, "Follow objects");
  app.add_option("--width", flags.width, "Of a frame, pixels");
  app.add_option("--height", flags.height, "Of a frame, pixels");
  CLI11_PARSE(app, argc, argv);
  sam3::Load load(flags);
  if (flags.frames > 0) {
    load.RunLongStream();
  } else {
    load.RunStreams();
  }
  return 0;
}
