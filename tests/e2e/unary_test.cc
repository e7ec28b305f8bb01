// Unary calls over a real socket.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::Contains;
using testing::UnorderedElementsAre;

class UnaryTest : public ServerFixture {
 protected:
  grpc::Status Segment(const v1::SegmentConceptsRequest& request) {
    grpc::ClientContext context;
    return stub_->SegmentConcepts(&context, request, &response_);
  }
  v1::SegmentConceptsResponse response_;
};

TEST_F(UnaryTest, OneResultPerPromptAlsoWhenEmpty) {
  ASSERT_TRUE(Segment(RequestFor({"red", "cat", "blue"})).ok());
  ASSERT_EQ(response_.results_size(), 3);
  EXPECT_EQ(response_.results(0).instances_size(), 1);
  EXPECT_EQ(response_.results(1).instances_size(), 0);
  EXPECT_EQ(response_.results(2).prompt_index(), 2);
  EXPECT_EQ(response_.results(2).text(), "blue");
  const v1::Instance& red = response_.results(0).instances(0);
  EXPECT_EQ(red.box().xyxy().x0(), 8);
  EXPECT_EQ(red.area_px(), 32 * 16);
  EXPECT_EQ(red.mask().width_px(), 128);
  EXPECT_FALSE(red.mask().rle().counts().empty());
  EXPECT_EQ(response_.embedding_cache(), v1::EMBEDDING_CACHE_MISS);
  EXPECT_EQ(response_.image_info().digest().size(), 64u);
}

TEST_F(UnaryTest, EveryMaskFormatIsDelivered) {
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  auto* options = request.mutable_mask_options();
  options->set_format(v1::MaskOptions::FORMAT_POLYGON);
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.results(0).instances(0).mask().polygon().rings_size(), 1);
  options->set_format(v1::MaskOptions::FORMAT_PNG);
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.results(0).instances(0).mask().png().data().substr(1, 3),
            "PNG");
  options->set_format(v1::MaskOptions::FORMAT_BITS);
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.results(0).instances(0).mask().bits().crop_width(), 32);
  options->set_format(v1::MaskOptions::FORMAT_NONE);
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_FALSE(response_.results(0).instances(0).has_mask());
  EXPECT_EQ(response_.results(0).instances(0).area_px(), 32 * 16);
  options->set_format(v1::MaskOptions::FORMAT_RLE);
  options->set_resolution(v1::MaskOptions::RESOLUTION_MAX_SIDE);
  options->set_max_side_px(64);
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.results(0).instances(0).mask().width_px(), 64);
  EXPECT_EQ(response_.results(0).instances(0).mask().height_px(), 32);
}

TEST_F(UnaryTest, AllViolationsComeAtOnce) {
  v1::SegmentConceptsRequest request;
  request.mutable_image()->set_content("");
  std::string long_text;
  for (int i = 0; i < 33; ++i) absl::StrAppend(&long_text, "cat ");
  request.add_prompts()->set_text(long_text);
  auto* exemplar = request.add_prompts()->add_exemplars();
  exemplar->mutable_box()->mutable_xywh()->set_width(-4);
  request.add_prompts();
  request.mutable_prompts(0)->set_prompt_id("same");
  request.mutable_prompts(1)->set_prompt_id("same");
  request.set_score_threshold(std::numeric_limits<float>::quiet_NaN());
  request.mutable_mask_options()->set_polygon_tolerance_px(-1);
  const grpc::Status status = Segment(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonIn(status), "INVALID_REQUEST");
  EXPECT_THAT(FieldsIn(status),
              UnorderedElementsAre("image.content", "prompts[0].text",
                                   "prompts[1].exemplars[0].box",
                                   "prompts[1].prompt_id", "prompts[2]",
                                   "score_threshold",
                                   "mask_options.polygon_tolerance_px"));
}

TEST_F(UnaryTest, TenKindsOfBrokenRequests) {
  const auto expect = [&](v1::SegmentConceptsRequest request,
                          grpc::StatusCode code, const std::string& reason,
                          const std::string& field) {
    const grpc::Status status = Segment(request);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_EQ(ReasonIn(status), reason) << status.error_message();
    EXPECT_THAT(FieldsIn(status), Contains(field)) << status.error_message();
  };
  const auto with_content = [&](const std::string& content) {
    v1::SegmentConceptsRequest request = RequestFor({"red"});
    request.mutable_image()->set_content(content);
    return request;
  };
  const auto with_box = [&](float x0, float y0, float x1, float y1) {
    v1::SegmentConceptsRequest request = RequestFor({"red"});
    auto* box = request.mutable_prompts(0)
                    ->add_exemplars()
                    ->mutable_box()
                    ->mutable_xyxy();
    box->set_x0(x0);
    box->set_y0(y0);
    box->set_x1(x1);
    box->set_y1(y1);
    return request;
  };
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect(with_content("GIF89a"), kInvalid, "MEDIA_UNDECODABLE",
         "image.content");
  expect(with_content(Picture().substr(0, Picture().size() / 2)), kInvalid,
         "MEDIA_UNDECODABLE", "image.content");
  expect(with_content(Picture().substr(0, 20)), kInvalid, "MEDIA_UNDECODABLE",
         "image.content");
  // A header of 100,000 x 100,000 pixels.
  std::string huge = Picture();
  for (const size_t at : {16, 20}) {
    huge.replace(at, 4, std::string("\x00\x01\x86\xA0", 4));
  }
  expect(with_content(huge), grpc::StatusCode::RESOURCE_EXHAUSTED,
         "MEDIA_TOO_LARGE", "image.content");
  expect(with_box(nan, 0, 1, 1), kInvalid, "INVALID_REQUEST",
         "prompts[0].exemplars[0].box");
  expect(with_box(10, 10, 5, 20), kInvalid, "INVALID_REQUEST",
         "prompts[0].exemplars[0].box");
  expect(with_box(1000, 0, 1001, 1), kInvalid, "INVALID_REQUEST",
         "prompts[0].exemplars[0].box");
  v1::SegmentConceptsRequest url = RequestFor({"red"});
  url.mutable_image()->set_url("http://example.com/a.jpg");
  expect(url, grpc::StatusCode::PERMISSION_DENIED, "SOURCE_NOT_ALLOWED",
         "image.url");
  v1::SegmentConceptsRequest many =
      RequestFor(std::vector<std::string>(17, "a"));
  expect(many, kInvalid, "INVALID_REQUEST", "prompts");
  v1::SegmentConceptsRequest unknown = RequestFor({"red"});
  unknown.mutable_mask_options()->set_format(
      static_cast<v1::MaskOptions::Format>(77));
  expect(unknown, kInvalid, "INVALID_REQUEST", "mask_options.format");
  // Nothing is lost for the next client.
  EXPECT_TRUE(Segment(RequestFor({"red"})).ok());
}

TEST_F(UnaryTest, OnlyTheFieldsThatAreAskedForComeBack) {
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  request.mutable_fields()->add_paths("results.instances.score");
  request.mutable_fields()->add_paths("image_info.width_px");
  const int64_t with_masks = script_->pairs_with_masks;
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(script_->pairs_with_masks, with_masks);
  ASSERT_EQ(response_.results(0).instances_size(), 1);
  const v1::Instance& red = response_.results(0).instances(0);
  EXPECT_GT(red.score(), 0.9f);
  EXPECT_FALSE(red.has_mask() || red.has_box() || red.has_detector_box());
  EXPECT_EQ(response_.image_info().width_px(), 128);
  EXPECT_TRUE(response_.image_info().digest().empty());
  EXPECT_FALSE(response_.has_timings());
  request.mutable_fields()->add_paths("results.instances.masks");
  const grpc::Status status = Segment(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(FieldsIn(status), testing::ElementsAre("fields.paths[2]"));
}

TEST_F(UnaryTest, AModelThatIsNotServedIsNotFound) {
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  request.set_model_id(server_->segmenter().engine_info().model_fingerprint);
  EXPECT_TRUE(Segment(request).ok());
  request.set_model_id("sam2");
  const grpc::Status status = Segment(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonIn(status), "MODEL_NOT_FOUND");
  EXPECT_THAT(FieldsIn(status), testing::ElementsAre("model_id"));
}

TEST_F(UnaryTest, SuppressionNeedsItsThreshold) {
  v1::SegmentConceptsRequest request = RequestFor({"red", "red things"});
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.results(1).instances_size(), 1);
  request.mutable_nms();
  EXPECT_THAT(FieldsIn(Segment(request)),
              testing::ElementsAre("nms.iou_threshold"));
  request.mutable_nms()->set_iou_threshold(1.5f);
  EXPECT_THAT(FieldsIn(Segment(request)),
              testing::ElementsAre("nms.iou_threshold"));
  request.mutable_nms()->set_iou_threshold(0.5f);
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.results(1).instances_size(), 0);
}

TEST_F(UnaryTest, ALongTextMayBeCutAndIsSaidSo) {
  std::string text = "red";
  for (int i = 0; i < 40; ++i) absl::StrAppend(&text, " thing");
  v1::SegmentConceptsRequest request = RequestFor({text});
  request.mutable_prompts(0)->set_allow_truncation(true);
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.results(0).instances_size(), 1);
  ASSERT_EQ(response_.warnings_size(), 1);
  EXPECT_NE(response_.warnings(0).find("prompts[0].text"), std::string::npos);
}

TEST_F(UnaryTest, ADeadlineInTheQueueCostsNoEngineWork) {
  script_->CloseGate();
  std::thread holder([&] {
    v1::SegmentConceptsResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(
        stub_->SegmentConcepts(&context, RequestFor({"red"}), &response).ok());
  });
  script_->AwaitGateReached();
  const int64_t pairs = script_->pairs_grounded;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(20));
  v1::SegmentConceptsResponse response;
  const grpc::Status status =
      stub_->SegmentConcepts(&context, RequestFor({"blue"}), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  script_->OpenGate();
  holder.join();
  EXPECT_EQ(script_->pairs_grounded, pairs + 1);
}

TEST_F(UnaryTest, ACancelStormLeavesNothingBehind) {
  script_->CloseGate();
  constexpr int kCalls = 200;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<v1::SegmentConceptsResponse>> responses;
  std::vector<std::unique_ptr<
      grpc::ClientAsyncResponseReader<v1::SegmentConceptsResponse>>>
      readers;
  std::vector<grpc::Status> statuses(kCalls);
  grpc::CompletionQueue queue;
  for (int i = 0; i < kCalls; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    responses.push_back(std::make_unique<v1::SegmentConceptsResponse>());
    readers.push_back(stub_->AsyncSegmentConcepts(contexts.back().get(),
                                                  RequestFor({"red"}), &queue));
    readers.back()->Finish(responses.back().get(), &statuses[i],
                           reinterpret_cast<void*>(static_cast<intptr_t>(i)));
  }
  script_->AwaitGateReached();
  for (const auto& context : contexts) context->TryCancel();
  void* tag = nullptr;
  bool ok = false;
  for (int i = 0; i < kCalls; ++i) ASSERT_TRUE(queue.Next(&tag, &ok));
  script_->OpenGate();
  server_->Drain(absl::InfiniteFuture());
  EXPECT_EQ(metrics_.requests_active.value(), 0);
  EXPECT_EQ(metrics_.queued_jobs.value(), 0);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

TEST_F(UnaryTest, DrainLosesNothingThatWasAccepted) {
  script_->CloseGate();
  constexpr int kCalls = 8;
  std::vector<std::thread> clients;
  std::atomic<int> answered{0};
  for (int i = 0; i < kCalls; ++i) {
    clients.emplace_back([&] {
      grpc::ClientContext context;
      v1::SegmentConceptsResponse response;
      if (stub_->SegmentConcepts(&context, RequestFor({"red"}), &response)
              .ok()) {
        ++answered;
      }
    });
  }
  while (metrics_.requests_accepted.value() < kCalls) std::this_thread::yield();
  std::thread drain([&] { server_->Drain(absl::InfiniteFuture()); });
  while (server_->segmenter().Health().ok()) std::this_thread::yield();
  script_->OpenGate();
  drain.join();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, kCalls);
}

TEST_F(UnaryTest, UploadedPicturesAreKnownByName) {
  grpc::ClientContext context;
  v1::UploadImageResponse uploaded;
  const auto writer = stub_->UploadImage(&context, &uploaded);
  v1::UploadImageRequest chunk;
  chunk.set_image_id("shelf");
  for (size_t at = 0; at < Picture().size(); at += 50) {
    chunk.set_data(Picture().substr(at, 50));
    ASSERT_TRUE(writer->Write(chunk));
    chunk.clear_image_id();
  }
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(uploaded.image_info().image_id(), "shelf");
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  request.mutable_image()->Clear();
  request.mutable_image()->set_image_id("shelf");
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.embedding_cache(), v1::EMBEDDING_CACHE_HIT);
  request.mutable_image()->set_image_id("other");
  const grpc::Status status = Segment(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonIn(status), "IMAGE_NOT_CACHED");
}

TEST_F(UnaryTest, ExplainSaysWhatARequestWouldDo) {
  const int64_t pairs = script_->pairs_grounded;
  v1::ExplainRequest request;
  *request.mutable_request() = RequestFor({"red thing"});
  request.mutable_request()->add_prompts();
  auto* box = request.mutable_request()
                  ->mutable_prompts(0)
                  ->add_exemplars()
                  ->mutable_box()
                  ->mutable_xywh();
  box->set_x(100);
  box->set_width(100);
  box->set_height(10);
  grpc::ClientContext context;
  v1::ExplainResponse response;
  ASSERT_TRUE(stub_->Explain(&context, request, &response).ok());
  EXPECT_EQ(response.prompts(0).token_ids_size(), 4);
  EXPECT_TRUE(response.prompts(0).boxes(0).clamped());
  EXPECT_EQ(response.prompts(0).boxes(0).x1(), 128);
  ASSERT_EQ(response.violations_size(), 1);
  EXPECT_EQ(response.violations(0).field(), "prompts[1]");
  EXPECT_EQ(response.image_info().width_px(), 128);
  EXPECT_EQ(script_->pairs_grounded, pairs);
}

TEST_F(UnaryTest, APictureIsReadFromAFileOfTheServers) {
  const TempFolder root;
  WriteText(root / "a.png", Picture());
  Server::Options options;
  options.media_root = root.path().string();
  StartServer({}, options);
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  v1::SegmentConceptsResponse response;
  for (const bool cached : {false, true}) {
    request.mutable_image()->set_file("a.png");
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->SegmentConcepts(&context, request, &response).ok());
    EXPECT_EQ(response.results(0).instances_size(), 1);
    EXPECT_EQ(response.embedding_cache(),
              cached ? v1::EMBEDDING_CACHE_HIT : v1::EMBEDDING_CACHE_MISS);
  }
  // It is the same picture by whatever way it comes.
  request.mutable_image()->set_content(Picture());
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->SegmentConcepts(&context, request, &response).ok());
  EXPECT_EQ(response.embedding_cache(), v1::EMBEDDING_CACHE_HIT);
}

TEST_F(UnaryTest, APictureIsFetchedFromItsUrl) {
  ScriptedWebServer web;
  web.Serve("/a.png", Picture());
  SegmenterOptions segmenter;
  segmenter.url_gate = {{absl::StrCat("*:", web.port())}, true, {"127.0.0.1"}};
  StartServer(segmenter, {});
  v1::SegmentConceptsRequest request = RequestFor({"red"});
  request.mutable_image()->set_url(web.UrlOf("/a.png"));
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.results(0).instances_size(), 1);
  EXPECT_GT(response_.timings().fetch().nanos(), 0);
  EXPECT_EQ(response_.embedding_cache(), v1::EMBEDDING_CACHE_MISS);
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_EQ(response_.embedding_cache(), v1::EMBEDDING_CACHE_HIT);
  ASSERT_TRUE(Segment(RequestFor({"red"})).ok());
  EXPECT_EQ(response_.timings().fetch().nanos(), 0);

  request.mutable_image()->set_url(web.UrlOf("/none.png"));
  const grpc::Status lost = Segment(request);
  EXPECT_EQ(lost.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonIn(lost), "MEDIA_UNREACHABLE");
  EXPECT_THAT(FieldsIn(lost), Contains("image.url"));
  request.mutable_image()->set_url("");
  EXPECT_EQ(ReasonIn(Segment(request)), "INVALID_REQUEST");

  for (const std::string& url :
       {web.UrlOf("/a.png"), std::string("http://10/")}) {
    v1::ExplainRequest question;
    *question.mutable_request() = RequestFor({"red"});
    question.mutable_request()->mutable_image()->set_url(url);
    const size_t asked = web.requests().size();
    grpc::ClientContext context;
    v1::ExplainResponse explained;
    ASSERT_TRUE(stub_->Explain(&context, question, &explained).ok());
    EXPECT_EQ(explained.violations_size(), url == "http://10/" ? 1 : 0);
    EXPECT_EQ(web.requests().size(), asked);
  }
}

TEST_F(UnaryTest, ServerInfoTellsModelLimitsAndCapacity) {
  grpc::ClientContext context;
  v1::GetServerInfoResponse info;
  ASSERT_TRUE(stub_->GetServerInfo(&context, {}, &info).ok());
  EXPECT_EQ(info.model().mask_size_px(), 64);
  EXPECT_FALSE(info.model().embedded_demo());
  EXPECT_EQ(info.limits().max_prompts(), 16);
  EXPECT_GT(info.capacity().stream_slots_free_count(), 0);
}

}  // namespace
}  // namespace sam3
