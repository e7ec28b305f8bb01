#include "service/http/http_door.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
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
  HttpApiDoor(std::shared_ptr<HttpApi> api, const TlsSettings& tls,
              Clock& clock)
      : api_(std::move(api)), tls_(tls), clock_(clock) {}

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
    if (tls_.enabled()) {
      SAM3_ASSIGN_OR_RETURN(pem_, ReadTlsFiles(tls_));
      server.tls = pem_;
      next_look_ = clock_.Now() + tls_.reload_interval;
    }
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

  absl::Status FollowTlsFiles() override {
    const absl::Time now = clock_.Now();
    if (!tls_.enabled() || now < next_look_) return absl::OkStatus();
    next_look_ = now + tls_.reload_interval;
    absl::StatusOr<TlsPem> read = ReadTlsFiles(tls_);
    if (read.ok() && *read == pem_) return absl::OkStatus();
    const absl::Status used =
        read.ok() ? server_->UseTls(*read) : read.status();
    if (used.ok()) pem_ = *std::move(read);
    const bool told = used == trouble_;
    trouble_ = used;
    return told ? absl::OkStatus() : used;
  }

  void SetReady(bool ready) override { api_->SetReady(ready); }
  void Drain(absl::Time deadline) override { server_->Drain(deadline); }

 private:
  const std::shared_ptr<HttpApi> api_;
  const TlsSettings tls_;
  Clock& clock_;
  TlsPem pem_;
  absl::Time next_look_;
  // Of the last look.
  absl::Status trouble_;
  // Destroyed first, since it calls the API.
  std::unique_ptr<HttpServer> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpDoor>> HttpDoor::Open(
    const Options& options, const SegmentationCalls& calls, Clock& clock,
    HttpMetrics& metrics) {
  auto door = std::make_unique<HttpApiDoor>(
      std::make_shared<HttpApi>(calls, options.api, clock, metrics),
      options.tls, clock);
  const absl::Status listening =
      door->Listen(options, calls.segmenter().image_limits().max_bytes);
  if (!listening.ok()) return listening;
  return door;
}

}  // namespace sam3
