// What the transport allows, over a real socket.
#include <gmock/gmock.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "service/process_facts.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

class LimitsTest : public ServerFixture {
 protected:
  grpc::Status Segment(grpc::ClientContext* context,
                       const v1::SegmentConceptsRequest& request) {
    v1::SegmentConceptsResponse response;
    return stub_->SegmentConcepts(context, request, &response);
  }
};

TEST_F(LimitsTest, MessagesUpToTheLimitAndNoLarger) {
  Server::Options options;
  options.limits.max_message_bytes = 100'000;
  StartServer({}, options);
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  request.mutable_image()->set_content(std::string(99'000, 'x'));
  grpc::ClientContext fits;
  EXPECT_EQ(ReasonIn(Segment(&fits, request)), "MEDIA_UNDECODABLE");
  request.mutable_image()->set_content(std::string(100'001, 'x'));
  grpc::ClientContext larger;
  EXPECT_EQ(Segment(&larger, request).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  grpc::ClientContext after;
  EXPECT_TRUE(Segment(&after, RequestFor({"red"})).ok());
}

TEST_F(LimitsTest, MetadataUpToTheLimitAndNoLarger) {
  grpc::ClientContext fits;
  fits.AddMetadata("x-note", std::string(20'000, 'n'));
  EXPECT_TRUE(Segment(&fits, RequestFor({"red"})).ok());
  grpc::ClientContext larger;
  larger.AddMetadata("x-note", std::string(40'000, 'n'));
  EXPECT_EQ(Segment(&larger, RequestFor({"red"})).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(LimitsTest, CompressedMessagesAreNotInflated) {
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  // Without it gRPC would find compression not worth while.
  request.mutable_image()->set_content(std::string(100'000, '\0'));
  EXPECT_EQ(Segment(&context, request).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(LimitsTest, NoSecondServerOnThePort) {
  auto second = CreateSegmenter(MakeFakeModel(script_), {}, clock_, metrics_);
  ASSERT_THAT(second, IsOk());
  Server::Options options;
  options.address = "127.0.0.1:" + std::to_string(server_->port());
  EXPECT_THAT(Server::Start(options, *std::move(second), calls_),
              StatusIs(absl::StatusCode::kUnavailable, options.address));
}

TEST_F(LimitsTest, CallsBeyondTheLimitOfAConnectionWaitInTheClient) {
  Server::Options options;
  options.max_concurrent_streams = 1;
  StartServer({}, options);
  // The limit reaches the client with the first answer.
  grpc::ClientContext first;
  ASSERT_TRUE(Segment(&first, RequestFor({"red"})).ok());
  script_->CloseGate();
  std::thread holder([&] {
    grpc::ClientContext context;
    EXPECT_TRUE(Segment(&context, RequestFor({"red"})).ok());
  });
  script_->AwaitGateReached();
  const int64_t accepted = metrics_.requests_accepted.value();
  grpc::ClientContext waiting;
  waiting.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(50));
  EXPECT_EQ(Segment(&waiting, RequestFor({"red"})).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(metrics_.requests_accepted.value(), accepted);
  script_->OpenGate();
  holder.join();
}

TEST_F(LimitsTest, AStreamThatSaysNothingEnds) {
  Server::Options options;
  options.limits.message_timeout = absl::Milliseconds(20);
  StartServer({}, options);
  grpc::ClientContext silent;
  const auto stream = stub_->SegmentStream(&silent);
  v1::SegmentStreamResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(ReasonIn(status), "SLOW_PRODUCER");

  grpc::ClientContext uploading;
  v1::UploadImageResponse uploaded;
  const auto upload = stub_->UploadImage(&uploading, &uploaded);
  v1::UploadImageRequest chunk;
  chunk.set_data("x");
  EXPECT_TRUE(upload->Write(chunk));
  EXPECT_EQ(ReasonIn(upload->Finish()), "SLOW_PRODUCER");
}

TEST_F(LimitsTest, AStreamThatHasBegunMayBeSilent) {
  Server::Options options;
  options.limits.message_timeout = absl::Milliseconds(20);
  SegmenterOptions segmenter;
  segmenter.heartbeat_interval = absl::Milliseconds(100);
  StartServer(segmenter, options);
  grpc::ClientContext context;
  const auto stream = stub_->SegmentStream(&context);
  v1::SegmentStreamRequest config;
  config.mutable_config()->mutable_pushed_frames();
  config.mutable_config()->add_prompts()->set_text("red");
  stream->Write(config);
  v1::SegmentStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  // Comes after five times the patience.
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.has_heartbeat());
  stream->WritesDone();
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(LimitsTest, UploadsShareABudgetThatComesBack) {
  Server::Options options;
  options.limits.max_uploading_bytes = static_cast<int64_t>(Picture().size());
  StartServer({}, options);
  const auto upload = [&](const std::string& bytes) {
    grpc::ClientContext context;
    v1::UploadImageResponse response;
    const auto writer = stub_->UploadImage(&context, &response);
    v1::UploadImageRequest chunk;
    chunk.set_data(bytes);
    writer->Write(chunk);
    writer->WritesDone();
    return writer->Finish();
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(upload(Picture()).ok());
    EXPECT_EQ(ReasonIn(upload(Picture() + "x")), "OVERLOADED");
  }
}

TEST_F(LimitsTest, OverloadTellsClientsAndTheirLibrariesWhenToComeBack) {
  SegmenterOptions segmenter;
  segmenter.max_active_requests = 1;
  StartServer(segmenter, {});
  script_->CloseGate();
  std::thread holder([&] {
    grpc::ClientContext context;
    EXPECT_TRUE(Segment(&context, RequestFor({"red"})).ok());
  });
  script_->AwaitGateReached();
  grpc::ClientContext context;
  EXPECT_EQ(ReasonIn(Segment(&context, RequestFor({"red"}))), "OVERLOADED");
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  EXPECT_EQ(pushback->second, "500");
  script_->OpenGate();
  holder.join();
}

TEST(ProcessFactsTest, AreOfThisProcess) {
  EXPECT_GT(ResidentBytes(), 1 << 20);
  EXPECT_GT(UsableMemoryBytes(), ResidentBytes());
  const int64_t before = OpenFileCount();
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::tmpfile(),
                                                   &std::fclose);
  EXPECT_EQ(OpenFileCount(), before + 1);
}

}  // namespace
}  // namespace sam3
