// Open-loop load on the fake engine over a loopback socket: requests arrive as
// a Poisson process that never waits for replies, and a latency counts from the
// moment that the request was due, not from when it could be sent. Offered load
// goes from a tenth of what the server can carry to beyond it. Also whether one
// client that reads slowly and one that reads nothing disturb the others.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "benchmarks/load/noise_picture.h"
#include "benchmarks/load/request_client.h"
#include "inference/fake_engine.h"
#include "pipeline/segmenter_factory.h"
#include "sam3/v1/segmentation_service.grpc.pb.h"
#include "service/server.h"

namespace sam3 {
namespace {

struct Flags {
  double seconds = 20;
  double fixed_ms = 2;
  double image_ms = 10;
  double pair_ms = 1.5;
  double timeout_ms = 1000;
  int picture_bytes = 60'000;
  uint64_t seed = 1;
};

constexpr int kClosedLoopCalls = 32;
constexpr double kStreamFps = 10;
constexpr std::array<int, 9> kPercents = {10, 30, 50, 70, 80, 90, 95, 100, 110};

// A stream that pushes frames at a fixed rate; its reader waits `pause` after
// every message, or never reads (infinite).
class StreamClient {
 public:
  StreamClient(int port, const std::string& frame, absl::Duration pause) {
    grpc::ChannelArguments arguments;
    // A connection of its own: flow control is per connection, too.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::SegmentationService::NewStub(grpc::CreateCustomChannel(
        absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials(),
        arguments));
    stream_ = stub_->SegmentStream(&context_);
    v1::SegmentStreamRequest config;
    config.mutable_config()->mutable_pushed_frames();
    config.mutable_config()->set_delivery(v1::StreamConfig::DELIVERY_EVERY);
    config.mutable_config()->mutable_mask_options()->set_format(
        v1::MaskOptions::FORMAT_BITS);
    config.mutable_config()->add_prompts()->set_text("red");
    stream_->Write(config);
    pusher_ = std::thread([this, frame] { Push(frame); });
    if (pause < absl::InfiniteDuration()) {
      reader_ = std::thread([this, pause] {
        v1::SegmentStreamResponse response;
        while (stream_->Read(&response)) absl::SleepFor(pause);
      });
    }
  }
  ~StreamClient() {
    context_.TryCancel();
    pusher_.join();
    if (reader_.joinable()) reader_.join();
    stream_->Finish();
  }

 private:
  // Ends when the call is cancelled.
  void Push(const std::string& frame) {
    v1::SegmentStreamRequest request;
    request.mutable_frame()->set_content(frame);
    for (absl::Time next = absl::Now(); stream_->Write(request);) {
      next += absl::Seconds(1) / kStreamFps;
      absl::SleepFor(next - absl::Now());
    }
  }

  std::unique_ptr<v1::SegmentationService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SegmentStreamRequest,
                                           v1::SegmentStreamResponse>>
      stream_;
  std::thread pusher_;
  std::thread reader_;
};

class OpenLoad {
 public:
  explicit OpenLoad(const Flags& flags) : flags_(flags) {
    auto script = std::make_shared<FakeEngineScript>();
    script->SetLatency({absl::Milliseconds(flags.fixed_ms),
                        absl::Milliseconds(flags.image_ms),
                        absl::Milliseconds(flags.pair_ms)});
    SegmenterOptions options;
    // Every request is decoded and encoded.
    options.image_cache_bytes = 0;
    options.min_stream_fps = 0;
    Server::Options server_options;
    server_options.address = "127.0.0.1:0";
    server_ = *Server::Start(
        server_options,
        *CreateSegmenter(MakeFakeModel(script), options, clock_, metrics_),
        calls_);
    std::vector<v1::SegmentConceptsRequest> requests(8);
    for (uint32_t i = 0; i < requests.size(); ++i) {
      requests[i].mutable_image()->set_content(
          NoisePicture(640, 480, static_cast<size_t>(flags.picture_bytes), i));
      requests[i].add_prompts()->set_text("red");
    }
    frame_ = requests[0].image().content();
    client_ =
        std::make_unique<RequestClient>(server_->port(), std::move(requests),
                                        absl::Milliseconds(flags.timeout_ms));
  }

  // Answers a second with always the same number of requests under way.
  double MeasureSaturation() {
    const absl::Time start = absl::Now();
    client_->RefillUntil(start + absl::Seconds(flags_.seconds));
    for (int i = 0; i < kClosedLoopCalls; ++i) client_->Send(start);
    const Tally tally = client_->Take();
    return static_cast<double>(tally.latencies_ms.size()) /
           absl::ToDoubleSeconds(absl::Now() - start);
  }

  void PrintHead() const {
    std::printf("%-22s %8s %7s %7s %7s %7s %8s %7s %5s %6s %6s %5s\n", "",
                "offered/s", "p50 ms", "p90", "p99", "p99.9", "good/s",
                "refused", "late", "failed", "batch", "busy");
  }

  void RunRow(const std::string& name, double rate) {
    const int64_t images = metrics_.images_encoded.value();
    const int64_t batches = metrics_.batches.value();
    const int64_t busy = metrics_.engine_busy_nanoseconds.value();
    const absl::Time start = absl::Now();
    Tally tally = RunPoisson(rate);
    const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
    std::printf(
        "%-22s %8.1f %8.1f %7.1f %7.1f %7.1f %8.1f %7lld %5lld %6lld %6.2f "
        "%4.0f%%\n",
        name.c_str(), rate, tally.Percentile(0.5), tally.Percentile(0.9),
        tally.Percentile(0.99), tally.Percentile(0.999),
        static_cast<double>(tally.latencies_ms.size()) / seconds,
        static_cast<long long>(tally.refused),
        static_cast<long long>(tally.late),
        static_cast<long long>(tally.failed),
        static_cast<double>(metrics_.images_encoded.value() - images) /
            static_cast<double>(
                std::max<int64_t>(metrics_.batches.value() - batches, 1)),
        static_cast<double>(metrics_.engine_busy_nanoseconds.value() - busy) *
            1e-7 / seconds);
    std::fflush(stdout);
  }

  // The same requests beside two streams that behave, and beside two that do
  // not.
  void RunIsolation(double rate) {
    {
      const StreamClient first(server_->port(), frame_, absl::ZeroDuration());
      const StreamClient second(server_->port(), frame_, absl::ZeroDuration());
      RunRow("2 streams", rate);
    }
    const StreamClient slow(server_->port(), frame_, absl::Seconds(1));
    const StreamClient dead(server_->port(), frame_, absl::InfiniteDuration());
    RunRow("1 slow, 1 dead stream", rate);
  }

 private:
  Tally RunPoisson(double rate) {
    std::mt19937_64 random(flags_.seed);
    std::exponential_distribution<double> gap(rate);
    absl::Time due = absl::Now();
    const absl::Time end = due + absl::Seconds(flags_.seconds);
    for (due += absl::Seconds(gap(random)); due < end;
         due += absl::Seconds(gap(random))) {
      absl::SleepFor(due - absl::Now());
      client_->Send(due);
    }
    return client_->Take();
  }

  const Flags flags_;
  RealClock clock_;
  PipelineMetrics metrics_;
  RpcMetrics calls_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<RequestClient> client_;
  std::string frame_;
};

void Run(const Flags& flags) {
  OpenLoad load(flags);
  load.MeasureSaturation();  // warms up
  const double saturation = load.MeasureSaturation();
  std::printf(
      "engine: %.1f ms + %.1f ms a picture + %.1f ms a prompt; saturation "
      "%.1f/s (%d requests under way)\n",
      flags.fixed_ms, flags.image_ms, flags.pair_ms, saturation,
      kClosedLoopCalls);
  load.PrintHead();
  for (const int percent : kPercents) {
    load.RunRow(absl::StrCat(percent, " %"), saturation * percent / 100);
  }
  load.RunIsolation(saturation * 0.5);
}

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  sam3::Flags flags;
  CLI::App app("Open-loop load on the fake engine");
  app.add_option("--seconds", flags.seconds, "Seconds per row");
  app.add_option("--fixed-ms", flags.fixed_ms, "Engine time per batch");
  app.add_option("--image-ms", flags.image_ms, "Engine time per picture");
  app.add_option("--pair-ms", flags.pair_ms, "Engine time per prompt");
  app.add_option("--timeout-ms", flags.timeout_ms, "Deadline of a request");
  app.add_option("--bytes", flags.picture_bytes, "Size of a picture");
  app.add_option("--seed", flags.seed, "Of the arrivals");
  CLI11_PARSE(app, argc, argv);
  sam3::Run(flags);
  return 0;
}
