// Health, metrics and reflection, as probes and tools see them.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

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

// One unary call without generated code: an empty message in, bytes out.
RawAnswer CallRaw(const std::string& address, const std::string& method) {
  grpc::GenericStub stub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(30));
  grpc::CompletionQueue queue;
  const grpc::ByteBuffer request(nullptr, 0);
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
  auto first = MetricsEndpoint::Start("127.0.0.1:0", metrics, "1");
  ASSERT_THAT(first, IsOk());
  const std::string address = absl::StrCat("127.0.0.1:", (*first)->port());
  EXPECT_THAT(MetricsEndpoint::Start(address, metrics, "1"),
              StatusIs(absl::StatusCode::kUnavailable, address));
}

}  // namespace
}  // namespace sam3
