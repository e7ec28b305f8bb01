#include "service/http/http_error.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "google/rpc/error_details.pb.h"
#include "pipeline/error_reason.h"
#include "service/grpc_status.h"
#include "service/http/json_writer.h"

namespace sam3 {
namespace {

constexpr size_t kMaxProblems = 100;
constexpr int kUnprocessable = 422;
constexpr int kTooManyRequests = 429;
constexpr int kUnavailable = 503;

int HttpStatusOf(const absl::Status& status, absl::string_view why) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      // The public server takes a URL that it will not fetch for bad input.
      return why == reason::kSourceNotAllowed ? 400 : 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kFailedPrecondition:
      if (why == reason::kMediaUnreachable) return 400;
      return 409;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      if (why == reason::kMediaTooLarge) return 413;
      return why == reason::kDeviceMemory ? 507 : kTooManyRequests;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return kUnavailable;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

// The steps of "prompts[0].boxes[1].x", after "body".
void WriteLocation(absl::string_view field, JsonWriter* out) {
  out->Key("loc").BeginArray().Text("body");
  for (const absl::string_view step :
       absl::StrSplit(field, absl::ByAnyChar(".[]"), absl::SkipEmpty())) {
    int index = 0;
    if (absl::SimpleAtoi(step, &index)) {
      out->Integer(index);
    } else {
      out->Text(step);
    }
  }
  out->EndArray();
}

// What the JSON body calls a field of v1's requests.
std::string JsonField(const std::string& field) {
  if (absl::StartsWith(field, "mask_options")) return "format";
  if (field == "request_id") return "id";
  const bool exemplar = absl::StrContains(field, ".exemplars[");
  std::string out =
      absl::StrReplaceAll(field, {{"score_threshold", "output_prob_thresh"},
                                  {"nms.iou_threshold", "nms_iou_threshold"},
                                  {"image.content", "image.value"},
                                  {"image.url", "image.value"},
                                  {"image.file", "image.value"},
                                  {"image.image_id", "image_id"}});
  if (!exemplar) return out;
  const bool label = absl::EndsWith(out, ".label");
  return absl::StrReplaceAll(out,
                             {{".exemplars", label ? ".box_labels" : ".boxes"},
                              {".label", ""},
                              {".box", ""}});
}

google::rpc::BadRequest ViolationsIn(const google::rpc::Status& details) {
  google::rpc::BadRequest bad;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&bad)) break;
  }
  return bad;
}

}  // namespace

void RequestProblems::Add(std::string field, std::string type,
                          std::string message) {
  if (problems_.size() >= kMaxProblems) return;
  problems_.push_back({std::move(field), std::move(type), std::move(message)});
}

HttpResponse ProblemsResponse(const RequestProblems& problems) {
  JsonWriter out;
  out.BeginObject().Key("detail").BeginArray();
  for (const RequestProblem& problem : problems.all()) {
    out.BeginObject();
    WriteLocation(problem.field, &out);
    out.Key("msg").Text(problem.message).Key("type").Text(problem.type);
    out.EndObject();
  }
  out.EndArray().Key("reason").Text(reason::kInvalidRequest).EndObject();
  return {kUnprocessable, "application/json", {}, out.Take()};
}

HttpResponse MessageResponse(int http_status, absl::string_view message,
                             absl::string_view reason) {
  JsonWriter out;
  out.BeginObject().Key("message").Text(message).Key("reason").Text(reason);
  out.EndObject();
  return {http_status, "application/json", {}, out.Take()};
}

HttpResponse ErrorResponse(const absl::Status& status) {
  const std::string why = ToldReasonOf(status);
  if (status.code() == absl::StatusCode::kInvalidArgument &&
      why == reason::kInvalidRequest) {
    RequestProblems problems;
    const google::rpc::BadRequest bad = ViolationsIn(ToRpcStatus(status));
    for (const auto& violation : bad.field_violations()) {
      problems.Add(JsonField(violation.field()), "value_error",
                   violation.description());
    }
    if (problems.empty()) {
      problems.Add("", "value_error", std::string(status.message()));
    }
    return ProblemsResponse(problems);
  }
  const int http_status = HttpStatusOf(status, why);
  HttpResponse response =
      MessageResponse(http_status,
                      http_status == 500 ? absl::string_view("Internal error.")
                                         : status.message(),
                      why);
  if (const auto delay = RetryAfterOf(status)) {
    // Whole seconds, at least one.
    const int64_t seconds = absl::ToInt64Seconds(
        absl::Ceil(std::max(*delay, absl::Milliseconds(1)), absl::Seconds(1)));
    response.headers.emplace_back("Retry-After", absl::StrCat(seconds));
  } else if (http_status == kUnavailable || http_status == kTooManyRequests) {
    response.headers.emplace_back("Retry-After", "1");
  }
  return response;
}

}  // namespace sam3
