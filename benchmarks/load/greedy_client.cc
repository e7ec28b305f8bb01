#include "benchmarks/load/greedy_client.h"

#include <array>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "benchmarks/load/noise_picture.h"

namespace sam3 {
namespace {

// Streams of one key that send frames as fast as they are taken.
class GreedyStreams {
 public:
  GreedyStreams(const GreedyLoad& load, const std::string& frame)
      : stub_(v1::SegmentationService::NewStub(
            grpc::CreateChannel(absl::StrCat("127.0.0.1:", load.port),
                                grpc::InsecureChannelCredentials()))) {
    for (int i = 0; i < load.streams; ++i) {
      contexts_.push_back(std::make_unique<grpc::ClientContext>());
      contexts_.back()->AddMetadata("x-api-key", load.key);
      threads_.emplace_back([this, context = contexts_.back().get(), frame] {
        Run(context, frame);
      });
    }
  }
  ~GreedyStreams() {
    for (const auto& context : contexts_) context->TryCancel();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Run(grpc::ClientContext* context, const std::string& frame) {
    const auto stream = stub_->SegmentStream(context);
    v1::SegmentStreamRequest config;
    config.mutable_config()->mutable_pushed_frames();
    config.mutable_config()->set_delivery(v1::StreamConfig::DELIVERY_LATEST);
    config.mutable_config()->add_prompts()->set_text("red");
    stream->Write(config);
    v1::SegmentStreamRequest request;
    request.mutable_frame()->set_content(frame);
    v1::SegmentStreamResponse response;
    // A frame for each message keeps one waiting at all times.
    stream->Write(request);
    while (stream->Read(&response) && stream->Write(request)) {
    }
    context->TryCancel();
    stream->Finish();
  }

  const std::unique_ptr<v1::SegmentationService::Stub> stub_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::vector<std::thread> threads_;
};

}  // namespace

std::vector<v1::SegmentConceptsRequest> GreedyKeyRequests() {
  std::vector<v1::SegmentConceptsRequest> requests(4);
  for (uint32_t i = 0; i < requests.size(); ++i) {
    requests[i].mutable_image()->set_content(NoisePicture(320, 240, 20'000, i));
    requests[i].add_prompts()->set_text("red");
  }
  return requests;
}

void RunGreedyClient(const GreedyLoad& load) {
  const std::vector<v1::SegmentConceptsRequest> requests = GreedyKeyRequests();
  const absl::Time end = absl::Now() + absl::Seconds(load.seconds);
  RequestClient client(load.port, requests, absl::Seconds(10), load.key);
  std::printf("begins\n");
  std::fflush(stdout);
  {
    const GreedyStreams streams(load, requests[0].image().content());
    client.RefillUntil(end);
    for (int i = 0; i < load.calls; ++i) client.Send(absl::Now());
    absl::SleepFor(end - absl::Now());
  }
  const Tally tally = client.Take();
  std::printf("%zu %lld\n", tally.latencies_ms.size(),
              static_cast<long long>(tally.refused));
}

GreedyProcess::GreedyProcess(const GreedyLoad& load, int nice) {
  const std::string command = absl::StrCat(
      "exec nice -n ", nice, " '",
      std::filesystem::read_symlink("/proc/self/exe").string(),
      "' --greedy-port ", load.port, " --greedy-key ", load.key, " --calls ",
      load.calls, " --streams ", load.streams, " --seconds ", load.seconds);
  output_.reset(popen(command.c_str(), "r"));
  std::array<char, 16> line;
  if (output_ == nullptr ||
      std::fgets(line.data(), line.size(), output_.get()) == nullptr) {
    throw std::runtime_error("the greedy client does not begin");
  }
}

GreedyProcess::Counts GreedyProcess::Wait() {
  long long answered = 0;
  long long refused = 0;
  if (std::fscanf(output_.get(), "%lld %lld", &answered, &refused) != 2) {
    throw std::runtime_error("the greedy client failed");
  }
  return {answered, refused};
}

}  // namespace sam3
