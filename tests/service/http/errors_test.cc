// Statuses as HTTP answers, keys by precedence.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "pipeline/error_reason.h"
#include "service/grpc_status.h"
#include "service/http/http_error.h"
#include "service/http/presented_key.h"

namespace sam3 {
namespace {

using Json = nlohmann::json;

TEST(HttpErrorTest, EveryReasonHasItsStatus) {
  const auto answered = [](absl::StatusCode code, absl::string_view why) {
    return ErrorResponse(WithReason(absl::Status(code, "because"), why)).status;
  };
  using Code = absl::StatusCode;
  EXPECT_EQ(answered(Code::kInvalidArgument, reason::kMediaUndecodable), 400);
  EXPECT_EQ(answered(Code::kPermissionDenied, reason::kSourceNotAllowed), 400);
  EXPECT_EQ(answered(Code::kUnauthenticated, reason::kInvalidRequest), 401);
  EXPECT_EQ(answered(Code::kPermissionDenied, reason::kInvalidRequest), 403);
  EXPECT_EQ(answered(Code::kNotFound, reason::kImageNotCached), 404);
  EXPECT_EQ(answered(Code::kNotFound, reason::kModelNotFound), 404);
  EXPECT_EQ(answered(Code::kFailedPrecondition, reason::kImageIdConflict), 409);
  EXPECT_EQ(answered(Code::kFailedPrecondition, reason::kMediaUnreachable),
            400);
  EXPECT_EQ(answered(Code::kResourceExhausted, reason::kMediaTooLarge), 413);
  EXPECT_EQ(answered(Code::kInvalidArgument, reason::kInvalidRequest), 422);
  EXPECT_EQ(answered(Code::kResourceExhausted, reason::kOverloaded), 429);
  EXPECT_EQ(answered(Code::kCancelled, reason::kCancelled), 499);
  EXPECT_EQ(answered(Code::kInternal, reason::kEngineFailure), 500);
  EXPECT_EQ(answered(Code::kUnimplemented, reason::kNotOffered), 501);
  EXPECT_EQ(answered(Code::kUnavailable, reason::kDraining), 503);
  EXPECT_EQ(answered(Code::kDeadlineExceeded, reason::kDeadline), 504);
  EXPECT_EQ(answered(Code::kResourceExhausted, reason::kDeviceMemory), 507);
}

TEST(HttpErrorTest, SaysWhyAndWhenToComeAgain) {
  const HttpResponse busy = ErrorResponse(WithRetryAfter(
      WithReason(absl::ResourceExhaustedError("full"), reason::kOverloaded),
      absl::Milliseconds(1200)));
  EXPECT_EQ(busy.body, R"({"message":"full","reason":"OVERLOADED"})");
  EXPECT_EQ(FindField(busy.headers, "retry-after"), "2");
  EXPECT_EQ(FindField(ErrorResponse(absl::UnavailableError("soon")).headers,
                      "retry-after"),
            "1");
  EXPECT_FALSE(
      FindField(ErrorResponse(absl::NotFoundError("x")).headers, "retry-after")
          .has_value());
}

TEST(HttpErrorTest, OwnFaultsTellNothingOfTheInside) {
  EXPECT_EQ(ErrorResponse(absl::InternalError("at 0x7f in secret.cc")).body,
            R"({"message":"Internal error.","reason":"ENGINE_FAILURE"})");
}

TEST(HttpErrorTest, ViolationsComeAsProblemsOfTheBody) {
  const HttpResponse response = ErrorResponse(
      InvalidRequest({{"prompts[0].exemplars[2].box", "is empty"},
                      {"prompts[1].exemplars[0].label", "is no known label"},
                      {"prompts[3].score_threshold", "must be from 0 to 1"},
                      {"nms.iou_threshold", "must be from 0 to 1"},
                      {"mask_options.format", "is no known format"},
                      {"prompts[0].points[1]", "is outside"}}));
  EXPECT_EQ(response.status, 422);
  const Json detail = Json::parse(response.body)["detail"];
  ASSERT_EQ(detail.size(), 6u);
  EXPECT_EQ(detail[0]["loc"], Json::parse(R"(["body","prompts",0,"boxes",2])"));
  EXPECT_EQ(detail[0]["msg"], "is empty");
  EXPECT_EQ(detail[0]["type"], "value_error");
  EXPECT_EQ(detail[1]["loc"],
            Json::parse(R"(["body","prompts",1,"box_labels",0])"));
  EXPECT_EQ(detail[2]["loc"],
            Json::parse(R"(["body","prompts",3,"output_prob_thresh"])"));
  EXPECT_EQ(detail[3]["loc"], Json::parse(R"(["body","nms_iou_threshold"])"));
  EXPECT_EQ(detail[4]["loc"], Json::parse(R"(["body","format"])"));
  EXPECT_EQ(detail[5]["loc"],
            Json::parse(R"(["body","prompts",0,"points",1])"));
}

TEST(PresentedKeyTest, TheQueryGoesBeforeTheBearer) {
  HttpRequest request;
  EXPECT_EQ(PresentedKey(request), "");
  request.headers = {{"AUTHORIZATION", "bEaReR  from-header "}};
  EXPECT_EQ(PresentedKey(request), "from-header");
  request.query = {{"api_key", ""}};
  EXPECT_EQ(PresentedKey(request), "from-header");
  request.query = {{"api_key", "from-query"}};
  EXPECT_EQ(PresentedKey(request), "from-query");
  request.query.clear();
  request.headers = {{"Authorization", "Basic abc"}};
  EXPECT_EQ(PresentedKey(request), "");
  request.headers = {{"Authorization", "Bearer"}};
  EXPECT_EQ(PresentedKey(request), "");
}

}  // namespace
}  // namespace sam3
