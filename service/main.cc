#include <google/protobuf/stubs/logging.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/clock.h"
#include "inference/base/logging.h"
#include "inference/base/status_macros.h"
#include "inference/engine_factory.h"
#include "pipeline/media/decoder_zygote.h"
#include "pipeline/metrics.h"
#include "pipeline/segmenter_factory.h"
#include "service/concept_aliases.h"
#include "service/config.h"
#include "service/health.h"
#include "service/http/http_door.h"
#include "service/keys/authenticator.h"
#include "service/keys/key_ring.h"
#include "service/metrics_endpoint.h"
#include "service/server.h"
#include "service/shutdown.h"

extern "C" {
// Of jemalloc, which reads it before main(); the environment's MALLOC_CONF
// comes on top. One heap for all threads: with one each, room that one thread's
// tensors leave behind is of no use to the next, and the process grows to the
// sum of what every thread has ever held. Large tensors are no exception, or
// each would be given back and cleared anew.
extern const char* const malloc_conf;
const char* const malloc_conf = "narenas:1,oversize_threshold:0";
}

namespace sam3 {
namespace {

constexpr int kRefusedToStart = 1;
constexpr int kPartLost = 70;
// How often the main thread looks whether the device and the process that
// starts decoders are still there, and whether the table of aliases is another
// one.
constexpr absl::Duration kWatchInterval = absl::Milliseconds(500);

int Refuse(const absl::Status& status) {
  std::fprintf(stderr, "sam3-server: %s\n",
               std::string(status.message()).c_str());
  return kRefusedToStart;
}

std::string WhatIsLoaded(const EngineOptions& engine) {
  if (engine.kind == EngineKind::kFake) return "fake engine";
  return engine.model_dir.empty() ? std::string(kEmbeddedDemoModelName)
                                  : engine.model_dir;
}

void LogReady(const Logger& log, const ServerSettings& settings,
              const Server& server, const std::string& http_listen,
              const EngineInfo& info, const Capacity& capacity,
              absl::Duration startup) {
  log.Log(LogLevel::kInfo, "ready",
          {{"listen", absl::StrCat(settings.server.address, " (port ",
                                   server.port(), ")")},
           {"http", http_listen},
           {"model", info.model_name},
           {"fingerprint", info.model_fingerprint.substr(0, 8)},
           {"device", info.device},
           {"dtype", info.dtype},
           {"startup",
            absl::FormatDuration(absl::Trunc(startup, absl::Milliseconds(1)))},
           {"per_image", absl::FormatDuration(absl::Trunc(
                             capacity.per_image, absl::Microseconds(100)))},
           {"per_prompt", absl::FormatDuration(absl::Trunc(
                              capacity.per_prompt, absl::Microseconds(100)))}});
}

// Who may call; everybody when there is no file.
struct Keys {
  absl::Status Open(const std::string& file, Clock& clock, const Logger& log) {
    if (file.empty()) return absl::OkStatus();
    SAM3_ASSIGN_OR_RETURN(ring, KeyRing::Open({.path = file}, metrics, &log));
    authenticator =
        std::make_unique<Authenticator>(*ring, clock, metrics, &log);
    return absl::OkStatus();
  }

  KeyMetrics metrics;
  std::unique_ptr<KeyRing> ring;
  std::unique_ptr<Authenticator> authenticator;
};

// Reads a changed table of aliases again, and says so once for each change.
class AliasesWatch {
 public:
  AliasesWatch(ConceptAliases& aliases, const Logger& log)
      : aliases_(aliases), log_(log) {}

  void Look() {
    const absl::StatusOr<bool> reloaded = aliases_.Reload();
    const std::string trouble(reloaded.status().message());
    if (!reloaded.ok() && trouble != trouble_) {
      log_.Log(LogLevel::kError, "concept_aliases_kept", {{"why", trouble}});
    } else if (reloaded.value_or(false)) {
      log_.Log(LogLevel::kInfo, "concept_aliases_reloaded",
               {{"words", absl::StrCat(aliases_.size())}});
    }
    trouble_ = trouble;
  }

 private:
  ConceptAliases& aliases_;
  const Logger& log_;
  std::string trouble_;
};

// Null where videos are decoded in this process. To be called before there are
// threads.
std::unique_ptr<DecoderZygote> StartZygote(const ServerSettings& settings,
                                           const Logger& log) {
  if (settings.decode_in_process) return nullptr;
  auto zygote = DecoderZygote::Start();
  if (zygote.ok()) return *std::move(zygote);
  log.Log(LogLevel::kError, "decoders_not_confined",
          {{"why", std::string(zygote.status().message())},
           {"instead",
            "a video that crashes its decoder ends the server, as with "
            "--decode-in-process"}});
  return nullptr;
}

// Both doors finish at once what they have let in: the pipeline that drains
// behind them is one.
void DrainBoth(Server& server, HttpDoor* http, absl::Time deadline) {
  std::thread closing([http, deadline] {
    if (http != nullptr) http->Drain(deadline);
  });
  server.Drain(deadline);
  closing.join();
}

int Run(ServerSettings settings, const ShutdownSignals& signals) {
  // Protobuf would write a line for every broken message, at a client's will.
  google::protobuf::SetLogHandler(nullptr);
  RealClock clock;
  const absl::Time start = clock.Now();
  const Logger log(LogLevel::kInfo, settings.json_logs ? LogFormat::kJson
                                                       : LogFormat::kKeyValue);
  const std::unique_ptr<DecoderZygote> zygote = StartZygote(settings, log);
  settings.segmenter.video_opener = zygote.get();
  PipelineMetrics metrics;
  absl::StatusOr<std::unique_ptr<ConceptAliases>> aliases =
      ConceptAliases::Load(settings.aliases_file);
  if (!aliases.ok()) return Refuse(aliases.status());
  auto health = HealthEndpoint::Start(settings.health_address);
  if (!health.ok()) return Refuse(health.status());
  RpcMetrics calls;
  HttpMetrics http_answers;
  Keys keys;
  const absl::Status opened = keys.Open(settings.keys_file, clock, log);
  if (!opened.ok()) return Refuse(opened);
  auto endpoint = MetricsEndpoint::Start(
      settings.metrics_address,
      {metrics, calls, http_answers, settings.server.version,
       settings.insecure_no_auth, settings.plaintext, &keys.metrics,
       settings.segmenter.url_gate.allow_http,
       !settings.segmenter.url_gate.networks.empty(), zygote == nullptr});
  if (!endpoint.ok()) return Refuse(endpoint.status());
  if (settings.resume_secret_file.empty()) {
    log.Log(LogLevel::kInfo, "resume_secret_random",
            {{"why",
              "no other server goes on with this one's streams; "
              "--resume-secret-file FILE lets those that share it"}});
  }
  log.Log(LogLevel::kInfo, "loading",
          {{"model", WhatIsLoaded(settings.engine)},
           {"device", settings.engine.device}});
  absl::StatusOr<LoadedModel> model = LoadModel(settings.engine);
  if (!model.ok()) return Refuse(model.status());
  absl::StatusOr<std::unique_ptr<Segmenter>> segmenter =
      CreateSegmenter(*std::move(model), settings.segmenter, clock, metrics);
  if (!segmenter.ok()) return Refuse(segmenter.status());
  Server::Options options = settings.server;
  options.log = &log;
  options.aliases = aliases->get();
  options.authenticator = keys.authenticator.get();
  CallLog http_log(calls, &log, clock);
  absl::StatusOr<std::unique_ptr<Server>> server =
      Server::Start(options, *std::move(segmenter), calls);
  if (!server.ok()) return Refuse(server.status());
  std::unique_ptr<HttpDoor> http;
  if (!settings.http.address.empty()) {
    HttpDoor::Options door_options = settings.http;
    door_options.api.authenticator = keys.authenticator.get();
    door_options.api.log = &http_log;
    auto door =
        HttpDoor::Open(door_options, (*server)->calls(), clock, http_answers);
    if (!door.ok()) return Refuse(door.status());
    http = *std::move(door);
  }
  const EngineInfo info = (*server)->segmenter().engine_info();
  LogReady(log, settings, **server,
           http == nullptr ? "none"
                           : absl::StrCat(settings.http.address, " (port ",
                                          http->port(), ")"),
           info, (*server)->segmenter().capacity(), clock.Now() - start);
  (*endpoint)->SetModel(info);
  (*health)->SetServing(true);

  absl::Status parts;
  AliasesWatch watch(**aliases, log);
  while (parts.ok() && !signals.Await(kWatchInterval)) {
    parts = (*server)->segmenter().Health();
    if (zygote != nullptr) parts.Update(zygote->Health());
    watch.Look();
    if (http == nullptr) continue;
    const absl::Status certificates = http->FollowTlsFiles();
    if (!certificates.ok()) {
      log.Log(LogLevel::kError, "http_certificates_kept",
              {{"why", std::string(certificates.message())}});
    }
  }
  (*health)->SetServing(false);
  if (http != nullptr) http->SetReady(false);
  log.Log(parts.ok() ? LogLevel::kInfo : LogLevel::kError, "draining",
          {{"why", parts.ok() ? "signal" : std::string(parts.message())}});
  // Whoever sends work looks elsewhere in the meantime; impatience is heard.
  if (parts.ok()) signals.Await(settings.lame_duck);
  DrainBoth(**server, http.get(), clock.Now() + settings.drain_timeout);
  http.reset();
  server->reset();
  log.Log(LogLevel::kInfo, "stopped",
          {{"requests", absl::StrCat(metrics.requests_finished.value())},
           {"frames", absl::StrCat(metrics.frames_answered.value())}});
  return parts.ok() ? 0 : kPartLost;
}

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  const sam3::ShutdownSignals signals;
  const sam3::ParsedSettings parsed = sam3::ParseServerSettings(argc, argv);
  if (!parsed.run) {
    std::fputs(parsed.text.c_str(), parsed.exit_status == 0 ? stdout : stderr);
    return parsed.exit_status;
  }
  if (parsed.settings.print_only) {
    std::fputs(sam3::PrintServerSettings(parsed.settings).c_str(), stdout);
    return 0;
  }
  if (parsed.settings.check_only) {
    std::puts("configuration ok");
    return 0;
  }
  return sam3::Run(parsed.settings, signals);
}
