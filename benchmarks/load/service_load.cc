// What the service adds to the pipeline, and where it saturates: the same
// requests on the same fake engine, in process, over gRPC and over HTTP with
// base64 in JSON, on a loopback socket.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "benchmarks/load/http_caller.h"
#include "benchmarks/load/noise_picture.h"
#include "inference/fake_engine.h"
#include "pipeline/segmenter_factory.h"
#include "sam3/v1/segmentation_service.grpc.pb.h"
#include "service/http/http_door.h"
#include "service/server.h"

namespace sam3 {
namespace {

struct Sample {
  double p50_ms = 0;
  double p99_ms = 0;
  double per_second = 0;
};

// Runs `call` from `clients` threads for a while.
Sample Measure(int clients, absl::Duration time,
               const std::function<void(int)>& call) {
  std::vector<std::vector<double>> times(static_cast<size_t>(clients));
  std::vector<std::thread> threads;
  const absl::Time end = absl::Now() + time;
  for (int c = 0; c < clients; ++c) {
    threads.emplace_back([&, c] {
      for (int i = c; absl::Now() < end; i += clients) {
        const absl::Time start = absl::Now();
        call(i);
        times[static_cast<size_t>(c)].push_back(
            absl::ToDoubleMilliseconds(absl::Now() - start));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<double> all;
  for (const auto& some : times)
    all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  return {all[all.size() / 2], all[all.size() * 99 / 100],
          static_cast<double>(all.size()) / absl::ToDoubleSeconds(time)};
}

int Run(int seconds, int picture_bytes) {
  RealClock clock;
  PipelineMetrics metrics;
  SegmenterOptions options;
  // Every request is decoded: nothing is to be found in a cache.
  options.image_cache_bytes = 0;
  auto segmenter =
      CreateSegmenter(MakeFakeModel(nullptr), options, clock, metrics);
  Server::Options server_options;
  server_options.address = "127.0.0.1:0";
  RpcMetrics calls;
  auto server = Server::Start(server_options, *std::move(segmenter), calls);
  Segmenter& pipeline = (*server)->segmenter();
  const auto stub = v1::SegmentationService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", (*server)->port()),
                          grpc::InsecureChannelCredentials()));

  std::vector<std::string> pictures;
  for (uint32_t seed = 0; seed < 8; ++seed) {
    pictures.push_back(
        NoisePicture(1024, 768, static_cast<size_t>(picture_bytes), seed));
  }
  std::printf("pictures of %zu KB, 1024 x 768, one prompt\n",
              pictures[0].size() / 1000);
  const auto in_process = [&](int i) {
    ConceptRequest request;
    request.image.content = pictures[static_cast<size_t>(i) % 8];
    ConceptPrompt prompt;
    prompt.text = "red";
    prompt.tokens = *pipeline.tokenizer().Tokenize("red");
    request.prompts.push_back(std::move(prompt));
    absl::Notification done;
    pipeline.SegmentConcepts(
        std::move(request),
        std::make_shared<RequestContext>("", "", absl::InfiniteFuture()),
        [&done](absl::StatusOr<ConceptResponse> response) {
          if (!response.ok()) std::abort();
          done.Notify();
        });
    done.WaitForNotification();
  };
  const auto over_socket = [&](int i) {
    v1::SegmentConceptsRequest request;
    request.mutable_image()->set_content(pictures[static_cast<size_t>(i) % 8]);
    request.add_prompts()->set_text("red");
    v1::SegmentConceptsResponse response;
    grpc::ClientContext context;
    if (!stub->SegmentConcepts(&context, request, &response).ok()) std::abort();
  };
  HttpMetrics http_answers;
  HttpDoor::Options door_options;
  door_options.address = "127.0.0.1:0";
  auto door =
      HttpDoor::Open(door_options, (*server)->calls(), clock, http_answers);
  HttpCaller http((*door)->port(), "/sam3/concept_segment");
  std::vector<std::string> bodies;
  for (const std::string& picture : pictures) {
    bodies.push_back(absl::StrCat(
        R"({"image":{"type":"base64","value":")", absl::Base64Escape(picture),
        R"("},"prompts":[{"type":"text","text":"red"}]})"));
  }
  const auto over_http = [&](int i) {
    if (!http.Post(bodies[static_cast<size_t>(i) % 8])) std::abort();
  };
  const absl::Duration slice = absl::Seconds(seconds);
  Measure(1, absl::Seconds(1), in_process);
  Measure(1, absl::Seconds(1), over_socket);
  Measure(1, absl::Seconds(1), over_http);
  for (int round = 0; round < 3; ++round) {
    const Sample inside = Measure(1, slice, in_process);
    const Sample outside = Measure(1, slice, over_socket);
    const Sample json = Measure(1, slice, over_http);
    std::printf(
        "one client: over HTTP p50 %.2f ms p99 %.2f ms, overhead over gRPC p50 "
        "%.2f ms\n",
        json.p50_ms, json.p99_ms, json.p50_ms - outside.p50_ms);
    std::printf(
        "one client: in process p50 %.2f ms p99 %.2f ms, over gRPC p50 %.2f ms "
        "p99 %.2f ms, overhead p50 %.2f ms\n",
        inside.p50_ms, inside.p99_ms, outside.p50_ms, outside.p99_ms,
        outside.p50_ms - inside.p50_ms);
  }
  for (const int clients : {1, 2, 4, 8, 16, 32}) {
    const Sample inside = Measure(clients, slice, in_process);
    const Sample outside = Measure(clients, slice, over_socket);
    std::printf(
        "%2d clients: in process %.0f/s, over gRPC %.0f/s (%.2f), p99 %.1f "
        "ms\n",
        clients, inside.per_second, outside.per_second,
        outside.per_second / inside.per_second, outside.p99_ms);
  }
  return 0;
}

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  int seconds = 3;
  int bytes = 200'000;
  CLI::App app("Service overhead and saturation on the fake engine");
  app.add_option("--seconds", seconds, "Seconds per measurement");
  app.add_option("--bytes", bytes, "Size of a picture");
  CLI11_PARSE(app, argc, argv);
  return sam3::Run(seconds, bytes);
}
