// Health, metrics and reflection, as probes and tools see them.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "service/health.h"
#include "service/metrics_endpoint.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

struct RawAnswer {
  grpc::Status status;
  std::string bytes;
};

// One unary call without generated code: bytes in, bytes out.
RawAnswer CallRaw(const std::string& address, const std::string& method,
                  const std::string& message = "") {
  grpc::GenericStub stub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(30));
  grpc::CompletionQueue queue;
  const grpc::Slice slice(message);
  const grpc::ByteBuffer request(&slice, 1);
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  RawAnswer answer;
  call->Finish(&response, &answer.status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  std::vector<grpc::Slice> slices;
  if (response.Valid() && response.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) {
      answer.bytes.append(reinterpret_cast<const char*>(slice.begin()),
                          slice.size());
    }
  }
  return answer;
}

// grpc.health.v1.HealthCheckResponse with only its status set.
constexpr char kServing[] = "\x08\x01";
constexpr char kNotServing[] = "\x08\x02";

TEST(HealthTest, EveryProbeHasItsService) {
  auto health = HealthEndpoint::Start("127.0.0.1:0");
  ASSERT_THAT(health, IsOk());
  const auto check = [&](const std::string& service) {
    // HealthCheckRequest with its only field, the name.
    std::string message = "\x0a";
    message += static_cast<char>(service.size());
    return CallRaw(absl::StrCat("127.0.0.1:", (*health)->port()),
                   "/grpc.health.v1.Health/Check", message + service)
        .bytes;
  };
  const auto all = [&] {
    return std::vector<std::string>{check("liveness"), check("startup"),
                                    check("readiness")};
  };
  using testing::ElementsAre;
  EXPECT_THAT(all(), ElementsAre(kServing, kNotServing, kNotServing));
  (*health)->SetServing(true);
  EXPECT_THAT(all(), ElementsAre(kServing, kServing, kServing));
  (*health)->SetServing(false);
  EXPECT_THAT(all(), ElementsAre(kServing, kServing, kNotServing));
}

TEST(HealthTest, NotServingUntilTold) {
  auto health = HealthEndpoint::Start("127.0.0.1:0");
  ASSERT_THAT(health, IsOk());
  const std::string address = absl::StrCat("127.0.0.1:", (*health)->port());
  const auto check = [&] {
    const RawAnswer answer = CallRaw(address, "/grpc.health.v1.Health/Check");
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    return answer.bytes;
  };
  EXPECT_EQ(check(), kNotServing);
  (*health)->SetServing(true);
  EXPECT_EQ(check(), kServing);
  (*health)->SetServing(false);
  EXPECT_EQ(check(), kNotServing);
  EXPECT_THAT(HealthEndpoint::Start(address),
              StatusIs(absl::StatusCode::kUnavailable, address));
}

class SideServicesTest : public ServerFixture {};

TEST_F(SideServicesTest, ReflectionIsOffUnlessAskedFor) {
  constexpr char kMethod[] =
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  EXPECT_EQ(CallRaw(absl::StrCat("127.0.0.1:", server_->port()), kMethod)
                .status.error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  Server::Options options;
  options.reflection = true;
  StartServer({}, options);
  EXPECT_NE(CallRaw(absl::StrCat("127.0.0.1:", server_->port()), kMethod)
                .status.error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(SideServicesTest, TheDataPortHasNoHealthService) {
  EXPECT_EQ(CallRaw(absl::StrCat("127.0.0.1:", server_->port()),
                    "/grpc.health.v1.Health/Check")
                .status.error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST(MetricsEndpointTest, APortInUseIsSaid) {
  const PipelineMetrics metrics;
  const RpcMetrics calls;
  HttpMetrics http;
  auto first =
      MetricsEndpoint::Start("127.0.0.1:0", {metrics, calls, http, "1"});
  ASSERT_THAT(first, IsOk());
  const std::string address = absl::StrCat("127.0.0.1:", (*first)->port());
  EXPECT_THAT(MetricsEndpoint::Start(address, {metrics, calls, http, "1"}),
              StatusIs(absl::StatusCode::kUnavailable, address));
}

// What GET /metrics answers.
std::string Scrape(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(
      ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
      0);
  constexpr absl::string_view kRequest =
      "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
  EXPECT_EQ(::send(socket, kRequest.data(), kRequest.size(), 0),
            static_cast<ssize_t>(kRequest.size()));
  std::string answer;
  std::array<char, 4096> buffer;
  ssize_t count = 0;
  while ((count = ::recv(socket, buffer.data(), buffer.size(), 0)) > 0) {
    answer.append(buffer.data(), static_cast<size_t>(count));
  }
  ::close(socket);
  return answer;
}

TEST_F(SideServicesTest, MetricsTellWhatHappened) {
  auto endpoint = MetricsEndpoint::Start(
      "127.0.0.1:0", {metrics_, calls_, http_answers_, "1.2.3", true});
  ASSERT_THAT(endpoint, IsOk());
  EXPECT_EQ(Scrape((*endpoint)->port()).find("sam3_model_loaded_info"),
            std::string::npos);
  (*endpoint)->SetModel(server_->segmenter().engine_info());
  const auto segment = [&](const v1::SegmentConceptsRequest& request) {
    grpc::ClientContext context;
    v1::SegmentConceptsResponse response;
    return stub_->SegmentConcepts(&context, request, &response);
  };
  ASSERT_TRUE(segment(RequestFor({"red", "blue"})).ok());
  ASSERT_TRUE(segment(RequestFor({"red"})).ok());
  v1::SegmentConceptsRequest broken = RequestFor({"red"});
  broken.mutable_image()->set_content("no picture");
  EXPECT_FALSE(segment(broken).ok());
  http_answers_.Record(HttpRoute::kConceptSegment, 200);
  http_answers_.Record(HttpRoute::kOther, 418);
  const std::string text = Scrape((*endpoint)->port());
  for (
      const char* line : {
          R"(sam3_build_info{version="1.2.3"} 1)",
          R"(sam3_model_loaded_info{name="fake )",
          R"(sam3_insecure_option{name="no_auth"} 1)",
          "sam3_draining 0",
          R"(sam3_calls_total{method="SegmentConcepts",code="OK"} 2)",
          R"(method="SegmentConcepts",code="INVALID_ARGUMENT"} 1)",
          R"(sam3_calls_total{method="SegmentStream",code="OK"} 0)",
          R"(sam3_http_requests_total{route="/sam3/concept_segment",code="200"} 1)",
          R"(sam3_http_requests_total{route="/sam3/embed_image",code="200"} 0)",
          R"(sam3_http_requests_total{route="other",code="other"} 1)",
          R"(sam3_call_errors_total{reason="MEDIA_UNDECODABLE"} 1)",
          R"(sam3_call_errors_total{reason="OVERLOADED"} 0)",
          "sam3_decode_errors_total 1",
          R"(sam3_cache_hits_total{cache="image"} 1)",
          R"(sam3_cache_misses_total{cache="image"} 1)",
          R"(sam3_cache_hits_total{cache="text"} 1)",
          R"(sam3_cache_misses_total{cache="text"} 2)",
          R"(sam3_cache_evictions_total{cache="image"} 0)",
          R"(sam3_cache_evictions_total{cache="text"} 0)",
          R"(sam3_cache_bytes{cache="image"})",
          R"(sam3_cache_bytes{cache="text"})",
          R"(sam3_engine_errors_total{kind="oom"} 0)",
          R"(sam3_engine_memory_bytes{kind="weights"})",
          "sam3_queued_jobs 0",
          "sam3_batch_images_bucket",
          "sam3_stage_seconds_bucket",
          "sam3_engine_busy_seconds_total",
          "sam3_streams_active 0",
          "sam3_tracked_objects 0",
          "sam3_tracked_bytes 0",
          R"(sam3_frames_dropped_total{reason="stale"} 0)",
          "sam3_frame_age_seconds_count 0",
          "sam3_rss_bytes ",
          "sam3_open_fds ",
      }) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
  server_->Drain(absl::Now());
  EXPECT_NE(Scrape((*endpoint)->port()).find("sam3_draining 1"),
            std::string::npos);
}

}  // namespace
}  // namespace sam3
