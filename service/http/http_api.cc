#include "service/http/http_api.h"

#include <utility>

#include "pipeline/error_reason.h"
#include "service/embedded_files.h"
#include "service/http/common_fields.h"
#include "service/http/concept_json.h"
#include "service/http/embed_json.h"
#include "service/http/http_error.h"
#include "service/http/image_json.h"
#include "service/http/object_json.h"
#include "service/http/presented_key.h"

namespace sam3 {
namespace {

HttpRoute RouteOf(absl::string_view path) {
  for (size_t i = 0; i < HttpMetrics::kRouteCount; ++i) {
    if (kHttpRouteNames[i] == path) return static_cast<HttpRoute>(i);
  }
  return HttpRoute::kOther;
}

bool IsWork(HttpRoute route) {
  return route == HttpRoute::kConceptSegment ||
         route == HttpRoute::kVisualSegment || route == HttpRoute::kEmbedImage;
}

HttpResponse WrongMethod(absl::string_view allowed) {
  HttpResponse response =
      MessageResponse(405, "Method Not Allowed", reason::kInvalidRequest);
  response.headers.emplace_back("Allow", std::string(allowed));
  return response;
}

absl::string_view KeyInBody(const JsonBody& body) {
  if (!body.fields().has_value()) return "";
  const auto found = body.fields()->Find("api_key");
  return found.has_value() && found->is_string()
             ? *body.fields()->Text("api_key")
             : absl::string_view();
}

}  // namespace

class HttpApi::Flight {
 public:
  Flight(HttpRoute route, std::shared_ptr<HttpExchange> exchange,
         HttpMetrics& metrics, CallLog* log)
      : route_(route),
        exchange_(std::move(exchange)),
        metrics_(metrics),
        log_(log) {}

  HttpRoute route() const { return route_; }
  const std::shared_ptr<RequestContext>& context() const { return context_; }

  // Before the request is started.
  void Begin(std::shared_ptr<const CallPermit> permit,
             std::shared_ptr<RequestContext> context) {
    permit_ = std::move(permit);
    context_ = std::move(context);
    exchange_->WhenAbandoned([context = context_] { context->Cancel(); });
  }

  void Fail(const absl::Status& status) {
    if (log_ != nullptr) {
      log_->HttpEnded(kHttpRouteNames[static_cast<size_t>(route_)],
                      exchange_->request().peer, status);
    }
    Respond(ErrorResponse(status));
  }

  void Respond(HttpResponse response) {
    metrics_.Record(route_, response.status);
    // Before the client can know and come again.
    if (permit_ != nullptr) permit_->ChargePixels(context_->pixels());
    permit_.reset();
    exchange_->Respond(std::move(response));
  }

 private:
  const HttpRoute route_;
  const std::shared_ptr<HttpExchange> exchange_;
  HttpMetrics& metrics_;
  CallLog* const log_;
  std::shared_ptr<const CallPermit> permit_;
  std::shared_ptr<RequestContext> context_;
};

void HttpApi::Handle(const std::shared_ptr<HttpExchange>& exchange) const {
  const HttpRequest& request = exchange->request();
  const HttpRoute route = RouteOf(request.path);
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (IsWork(route) && request.method == "POST") return Work(route, exchange);
  const HttpResponse response =
      route == HttpRoute::kOther
          ? MessageResponse(404, "Not Found", reason::kInvalidRequest)
      : IsWork(route) ? WrongMethod("POST")
      : reads         ? Tell(route)
                      : WrongMethod("GET, HEAD");
  metrics_.Record(route, response.status);
  exchange->Respond(response);
}

HttpResponse HttpApi::Tell(HttpRoute route) const {
  if (route == HttpRoute::kOpenApi) {
    return {200, "application/json", {}, std::string(OpenApiDocument())};
  }
  absl::Status health = calls_.segmenter().Health();
  if (health.ok() && route == HttpRoute::kReady && !ready_) {
    health = WithReason(absl::UnavailableError("the server is about to stop"),
                        reason::kDraining);
  }
  const bool good = route == HttpRoute::kReady
                        ? health.ok()
                        : ReasonOf(health) != reason::kDeviceLost;
  if (!good) return ErrorResponse(health);
  return {200, "application/json", {}, R"({"status":"ok"})"};
}

absl::StatusOr<std::shared_ptr<const CallPermit>> HttpApi::Admit(
    HttpRoute route, absl::string_view key, const std::string& peer) const {
  if (options_.authenticator == nullptr) {
    return std::make_shared<const CallPermit>();
  }
  PresentedKeys presented;
  presented.peer = peer;
  if (!key.empty()) presented.keys.push_back(key);
  return options_.authenticator->Admit(
      presented,
      route == HttpRoute::kEmbedImage ? Scope::kEmbed : Scope::kSegment);
}

void HttpApi::Work(HttpRoute route,
                   const std::shared_ptr<HttpExchange>& exchange) const {
  const auto flight =
      std::make_shared<Flight>(route, exchange, metrics_, options_.log);
  const std::string peer = exchange->request().peer;
  const absl::string_view key = PresentedKey(exchange->request());
  absl::StatusOr<std::shared_ptr<const CallPermit>> permit;
  // Nothing is read of a request whose key is wrong already.
  if (!key.empty()) {
    permit = Admit(route, key, peer);
    if (!permit.ok()) return flight->Fail(permit.status());
  }
  RequestProblems problems;
  const JsonBody body(exchange->TakeBody(), &problems);
  if (key.empty()) {
    permit = Admit(route, KeyInBody(body), peer);
    if (!permit.ok()) return flight->Fail(permit.status());
  }
  if (!body.fields().has_value()) {
    return flight->Respond(ProblemsResponse(problems));
  }
  const std::string tenant = (*permit)->key_id();
  flight->Begin(*std::move(permit), std::make_shared<RequestContext>(
                                        ReadRequestId(*body.fields()), tenant,
                                        clock_.Now() + options_.timeout));
  Start(flight, *body.fields(), problems);
}

void HttpApi::Start(const std::shared_ptr<Flight>& flight,
                    const JsonFields& body,
                    const RequestProblems& problems) const {
  const auto start = [&](auto read, auto method, auto write) {
    if (!problems.empty()) {
      return flight->Respond(ProblemsResponse(problems));
    }
    if (!read.ok()) return flight->Fail(read.status());
    using Call = std::decay_t<decltype(*read)>;
    Ask(flight, std::make_shared<Call>(*std::move(read)), method, write);
  };
  switch (flight->route()) {
    case HttpRoute::kEmbedImage:
      return start(ReadEmbedCall(body, options_.compat),
                   &SegmentationCalls::EmbedImage, &WriteEmbedAnswer);
    case HttpRoute::kVisualSegment:
      return start(ReadObjectCall(body, options_.compat),
                   &SegmentationCalls::SegmentObjects, &WriteObjectAnswer);
    default:
      return start(ReadConceptCall(body, options_.compat),
                   &SegmentationCalls::SegmentConcepts, &WriteConceptAnswer);
  }
}

template <typename Call, typename Request, typename Answer>
void HttpApi::Ask(const std::shared_ptr<Flight>& flight,
                  const std::shared_ptr<Call>& call,
                  void (SegmentationCalls::*method)(
                      const Request&, const std::shared_ptr<RequestContext>&,
                      const SegmentationCalls::Respond<Answer>&) const,
                  HttpResponse (*write)(const Call&, const Answer&)) const {
  (calls_.*method)(call->request, flight->context(),
                   [self = shared_from_this(), flight, call, method,
                    write](absl::StatusOr<Answer> answer) {
                     if (answer.ok())
                       return flight->Respond(write(*call, *answer));
                     if (AmendImage(answer.status(), call->compat,
                                    call->request.mutable_image(), &call->held,
                                    &call->warnings)) {
                       return self->Ask(flight, call, method, write);
                     }
                     flight->Fail(answer.status());
                   });
}

}  // namespace sam3
