// The published HTTP API over real sockets on the fake engine.
#include <gmock/gmock.h>

#include "absl/synchronization/notification.h"
#include "pipeline/mask_codec.h"
#include "tests/e2e/http_fixture.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

class HttpTest : public HttpFixture {};

TEST_F(HttpTest, ConceptsAreFoundAndToldInPolygons) {
  const HttpReply reply = Concepts(ConceptsJson({"red", "blue", "nothing"}));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Header("content-type"), "application/json");
  const Json answer = In(reply);
  ASSERT_EQ(answer["prompt_results"].size(), 3u);
  const Json& red = answer["prompt_results"][0];
  EXPECT_EQ(red["prompt_index"], 0);
  EXPECT_EQ(red["echo"], Json({{"prompt_index", 0},
                               {"type", "text"},
                               {"text", "red"},
                               {"num_boxes", 0}}));
  ASSERT_EQ(red["predictions"].size(), 1u);
  const Json& found = red["predictions"][0];
  EXPECT_EQ(found["format"], "polygon");
  // Down first, from the top left; the last pixel, not the one behind it.
  EXPECT_EQ(found["masks"], Json::parse("[[[8,8],[8,23],[39,23],[39,8]]]"));
  EXPECT_GT(found["confidence"], 0.5);
  EXPECT_EQ(answer["prompt_results"][2]["predictions"], Json::array());
  EXPECT_GE(answer["time"], 0.0);
}

TEST_F(HttpTest, RunLengthsAreCocos) {
  Json body = ConceptsJson({"red"});
  body["format"] = "rle";
  const Json found = In(Concepts(body))["prompt_results"][0]["predictions"][0];
  EXPECT_EQ(found["format"], "rle");
  EXPECT_EQ(found["masks"]["size"], Json({64, 128}));
  const RleMask rle{128, 64, found["masks"]["counts"]};
  const auto runs = RunsFromCoco(rle);
  ASSERT_THAT(runs, IsOk());
  EXPECT_EQ(MaskArea(*runs), 32 * 16);
}

TEST_F(HttpTest, MoreIsToldThanThePublicServerTells) {
  const Json answer = In(Concepts(ConceptsJson({"red"})));
  const Json& found = answer["prompt_results"][0]["predictions"][0];
  EXPECT_EQ(found["box"],
            Json({{"x0", 8.0}, {"y0", 8.0}, {"x1", 40.0}, {"y1", 24.0}}));
  EXPECT_EQ(found["area"], 32 * 16);
  EXPECT_EQ(found["score"], found["confidence"]);
  EXPECT_EQ(answer["image"]["width"], 128);
  EXPECT_EQ(answer["image"]["height"], 64);
  EXPECT_EQ(answer["image"]["exif_orientation"], 1);
  EXPECT_EQ(answer["image"]["digest"].get<std::string>().size(), 64u);
  EXPECT_EQ(answer["embedding_cache"], "miss");
  EXPECT_GE(answer["timings"]["total"], answer["timings"]["ground"]);
  EXPECT_EQ(answer["warnings"], Json::array());
  EXPECT_EQ(In(Concepts(ConceptsJson({"red"})))["embedding_cache"], "hit");
}

TEST_F(HttpTest, ExampleBoxesFindWhatLooksAlike) {
  Json body = ConceptsJson({});
  body["prompts"] = {
      {{"type", "visual"},
       {"boxes", {{{"x", 10}, {"y", 42}, {"width", 8}, {"height", 8}}}},
       {"box_labels", {1}}}};
  const Json result = In(Concepts(body))["prompt_results"][0];
  EXPECT_EQ(result["echo"], Json({{"prompt_index", 0},
                                  {"type", "visual"},
                                  {"text", nullptr},
                                  {"num_boxes", 1}}));
  ASSERT_EQ(result["predictions"].size(), 1u);
  EXPECT_EQ(result["predictions"][0]["box"]["y0"], 40.0);
}

TEST_F(HttpTest, APictureIsEmbeddedOnceAndKnownByItsName) {
  const HttpReply embedded =
      Post("/sam3/embed_image", {{"image", ImageJson()}});
  ASSERT_EQ(embedded.status, 200) << embedded.body;
  const std::string digest = In(embedded)["image_id"];
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_EQ(In(Concepts(ConceptsJson({"red"})))["embedding_cache"], "hit");
  const Json named =
      In(Post("/sam3/embed_image",
              {{"image", ImageJson()}, {"image_id", "\u5199\u771f"}}));
  EXPECT_EQ(named["image_id"], "\u5199\u771f");
  EXPECT_EQ(In(Post("/sam3/embed_image",
                    {{"image_id", "\u5199\u771f"}}))["embedding_cache"],
            "hit");
  const HttpReply unknown = Post("/sam3/embed_image", {{"image_id", "never"}});
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(In(unknown)["reason"], "IMAGE_NOT_CACHED");
  EXPECT_EQ(Post("/sam3/embed_image", Json::object()).status, 422);
}

TEST_F(HttpTest, MistakesAreToldInTheShapeThatClientsKnow) {
  const HttpReply reply =
      Concepts({{"image", {{"value", "x"}}}, {"prompts", 5}});
  EXPECT_EQ(reply.status, 422);
  const Json detail = In(reply)["detail"];
  ASSERT_EQ(detail.size(), 2u) << detail.dump();
  EXPECT_EQ(detail[0]["loc"], Json({"body", "image", "type"}));
  EXPECT_EQ(detail[0]["type"], "missing");
  EXPECT_EQ(detail[1]["loc"], Json({"body", "prompts"}));
  // What validation finds has the same shape.
  Json body = ConceptsJson({"red", ""});
  body["prompts"][0]["output_prob_thresh"] = 7;
  body["nms_iou_threshold"] = -1;
  const Json found = In(Concepts(body))["detail"];
  ASSERT_EQ(found.size(), 3u) << found.dump();
  EXPECT_EQ(found[0]["loc"],
            Json({"body", "prompts", 0, "output_prob_thresh"}));
  EXPECT_EQ(found[1]["loc"], Json({"body", "prompts", 1}));
  EXPECT_EQ(found[2]["loc"], Json({"body", "nms_iou_threshold"}));
}

TEST_F(HttpTest, WhatCannotBeServedSaysWhy) {
  const auto refused = [this](const Json& change, int status,
                              const std::string& reason) {
    Json body = ConceptsJson({"red"});
    body.update(change);
    const HttpReply reply = Concepts(body);
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_EQ(In(reply)["reason"], reason) << reply.body;
    EXPECT_TRUE(In(reply)["message"].is_string());
  };
  refused({{"image", {{"type", "base64"}, {"value", "AAAA"}}}}, 400,
          "MEDIA_UNDECODABLE");
  refused({{"image", {{"type", "numpy"}, {"value", "AAAA"}}}}, 400,
          "MEDIA_UNDECODABLE");
  refused({{"image", {{"type", "url"}, {"value", "https://example.com/a"}}}},
          400, "SOURCE_NOT_ALLOWED");
  refused({{"model_id", "someone/7"}}, 501, "NOT_OFFERED");
  refused({{"model_id", "other"}}, 404, "MODEL_NOT_FOUND");
  Json file = ConceptsJson({"red"});
  file["image"] = {{"type", "FILE"}, {"value", "a.png"}};
  EXPECT_EQ(Concepts(file).status, 422);
  EXPECT_EQ(In(Concepts(file))["detail"][0]["loc"],
            Json({"body", "image", "value"}));
  script_->FailNext(1, absl::InternalError("secret"));
  refused({{"output_prob_thresh", 0.4}}, 500, "ENGINE_FAILURE");
}

TEST_F(HttpTest, RoutesAndMethods) {
  const int port = door_->port();
  EXPECT_EQ(AskHttp(port, "GET", "/healthz").status, 200);
  EXPECT_EQ(AskHttp(port, "GET", "/readyz").status, 200);
  EXPECT_EQ(In(AskHttp(port, "GET", "/openapi.json"))["openapi"], "3.1.0");
  EXPECT_EQ(AskHttp(port, "HEAD", "/healthz").status, 200);
  const HttpReply missing = AskHttp(port, "POST", "/sam3/nothing", "{}");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(In(missing)["message"], "Not Found");
  const HttpReply wrong = AskHttp(port, "GET", "/sam3/concept_segment");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.Header("allow"), "POST");
  EXPECT_TRUE(In(wrong)["message"].is_string());
  EXPECT_EQ(AskHttp(port, "DELETE", "/healthz").Header("allow"), "GET, HEAD");
  door_->SetReady(false);
  EXPECT_EQ(AskHttp(port, "GET", "/readyz").status, 503);
  EXPECT_EQ(AskHttp(port, "GET", "/healthz").status, 200);
}

// A request without a connection.
class LooseExchange final : public HttpExchange {
 public:
  explicit LooseExchange(HttpRequest request) : request_(std::move(request)) {}
  const HttpRequest& request() const override { return request_; }
  std::string TakeBody() override { return std::move(request_.body); }
  void Respond(HttpResponse response) override {
    response_ = std::move(response);
    answered_.Notify();
  }
  void WhenAbandoned(std::function<void()> on_hangup) override {
    hang_up_ = std::move(on_hangup);
  }

  void HangUp() const { hang_up_(); }
  const HttpResponse& Await() {
    answered_.WaitForNotification();
    return response_;
  }

 private:
  HttpRequest request_;
  std::function<void()> hang_up_;
  HttpResponse response_;
  absl::Notification answered_;
};

TEST_F(HttpTest, AClientThatHangsUpCancelsItsWork) {
  const auto api = std::make_shared<HttpApi>(
      server_->calls(), HttpApi::Options(), clock_, http_answers_);
  HttpRequest request;
  request.method = "POST";
  request.path = "/sam3/concept_segment";
  request.body = ConceptsJson({"red"}).dump();
  const auto exchange = std::make_shared<LooseExchange>(std::move(request));
  script_->CloseGate();
  api->Handle(exchange);
  script_->AwaitGateReached();
  exchange->HangUp();
  script_->OpenGate();
  EXPECT_EQ(exchange->Await().status, 499);
  EXPECT_EQ(metrics_.cancelled_after_engine.value(), 1);
}

TEST_F(HttpTest, TimeUpIsTold) {
  HttpApi::Options api;
  api.timeout = absl::Milliseconds(1);
  OpenDoor(std::move(api));
  script_->SetLatency({absl::Milliseconds(20), {}, {}});
  Json body = ConceptsJson({"red"});
  const HttpReply reply = Concepts(body);
  EXPECT_EQ(reply.status, 504) << reply.body;
  EXPECT_EQ(In(reply)["reason"], "DEADLINE");
}

TEST_F(HttpTest, AnswersAreCounted) {
  Concepts(ConceptsJson({"red"}));
  Concepts(Json::object());
  AskHttp(door_->port(), "GET", "/nowhere");
  const auto count = [this](HttpRoute route, int status) {
    for (size_t i = 0; i < HttpMetrics::kStatusCount; ++i) {
      if (HttpMetrics::kStatuses[i] == status) {
        return http_answers_.answered(static_cast<size_t>(route), i).value();
      }
    }
    return int64_t{-1};
  };
  EXPECT_EQ(count(HttpRoute::kConceptSegment, 200), 1);
  EXPECT_EQ(count(HttpRoute::kConceptSegment, 422), 1);
  EXPECT_EQ(count(HttpRoute::kOther, 404), 1);
  EXPECT_EQ(count(HttpRoute::kVisualSegment, 200), 0);
}

}  // namespace
}  // namespace sam3
