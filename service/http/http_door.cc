#include "service/http/http_door.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/process_facts.h"

namespace sam3 {
namespace {

// What a body has beside its picture.
constexpr int64_t kBesidePicture = 1 << 20;
// Bodies that are under way may take the eighth part of what there is; reading
// one takes twice as much again.
constexpr size_t kShareOfMemory = 8;

class HttpApiDoor final : public HttpDoor {
 public:
  explicit HttpApiDoor(std::shared_ptr<HttpApi> api) : api_(std::move(api)) {}

  absl::Status Listen(const Options& options, int64_t max_picture_bytes) {
    HttpServer::Options server;
    server.address = options.address;
    server.threads = options.threads;
    // Base64 takes four characters for three bytes.
    server.max_body_bytes =
        static_cast<size_t>((max_picture_bytes + 2) / 3 * 4 + kBesidePicture);
    server.max_bodies_bytes =
        std::max(static_cast<size_t>(UsableMemoryBytes()) / kShareOfMemory,
                 2 * server.max_body_bytes);
    absl::StatusOr<std::unique_ptr<HttpServer>> started = HttpServer::Start(
        server, [this](const std::shared_ptr<HttpExchange>& exchange) {
          api_->Handle(exchange);
        });
    if (!started.ok()) {
      return absl::UnavailableError(
          absl::StrCat("http: ", started.status().message()));
    }
    server_ = *std::move(started);
    return absl::OkStatus();
  }

  int port() const override { return server_->port(); }
  void SetReady(bool ready) override { api_->SetReady(ready); }
  void Drain(absl::Time deadline) override { server_->Drain(deadline); }

 private:
  const std::shared_ptr<HttpApi> api_;
  // Destroyed first, since it calls the API.
  std::unique_ptr<HttpServer> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpDoor>> HttpDoor::Open(
    const Options& options, const SegmentationCalls& calls, Clock& clock,
    HttpMetrics& metrics) {
  auto door = std::make_unique<HttpApiDoor>(
      std::make_shared<HttpApi>(calls, options.api, clock, metrics));
  const absl::Status listening =
      door->Listen(options, calls.segmenter().image_limits().max_bytes);
  if (!listening.ok()) return listening;
  return door;
}

}  // namespace sam3
