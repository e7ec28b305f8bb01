#include "service/metrics_endpoint.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "pipeline/error_reason.h"
#include "service/http/http_server.h"
#include "service/process_facts.h"

namespace sam3 {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

const char* DropReasonName(size_t reason) {
  switch (static_cast<DropReason>(reason)) {
    case DropReason::kStale:
      return "stale";
    case DropReason::kSampledOut:
      return "sampled_out";
    case DropReason::kUndecodable:
      return "undecodable";
    case DropReason::kSlowConsumer:
      return "slow_consumer";
    case DropReason::kEngine:
      return "engine";
    case DropReason::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

// Builds metric families one after the other.
class FamilyWriter {
 public:
  void Count(const char* name, const char* help, int64_t value,
             std::vector<ClientMetric::Label> labels = {}) {
    Family(name, help, MetricType::Counter);
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = static_cast<double>(value);
    families_.back().metric.push_back(std::move(metric));
  }

  void Value(const char* name, const char* help, double value,
             std::vector<ClientMetric::Label> labels = {}) {
    Family(name, help, MetricType::Gauge);
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    families_.back().metric.push_back(std::move(metric));
  }

  void Distribution(const char* name, const char* help,
                    const Histogram& histogram,
                    std::vector<ClientMetric::Label> labels = {}) {
    Family(name, help, MetricType::Histogram);
    const Histogram::Snapshot snapshot = histogram.Read();
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.histogram.sample_count = static_cast<uint64_t>(snapshot.count);
    metric.histogram.sample_sum = snapshot.sum;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < snapshot.counts.size(); ++i) {
      cumulative += static_cast<uint64_t>(snapshot.counts[i]);
      ClientMetric::Bucket bucket;
      bucket.cumulative_count = cumulative;
      bucket.upper_bound = i < snapshot.bounds.size()
                               ? snapshot.bounds[i]
                               : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back(bucket);
    }
    families_.back().metric.push_back(std::move(metric));
  }

  std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  void Family(const char* name, const char* help, MetricType type) {
    if (!families_.empty() && families_.back().name == name) return;
    MetricFamily family;
    family.name = name;
    family.help = help;
    family.type = type;
    families_.push_back(std::move(family));
  }

  std::vector<MetricFamily> families_;
};

// Reads every number of the server. Threads: any.
class ServerNumbers {
 public:
  explicit ServerNumbers(MetricsEndpoint::Sources sources)
      : sources_(std::move(sources)), metrics_(sources_.pipeline) {}

  std::vector<MetricFamily> Collect() const {
    FamilyWriter out;
    Process(&out);
    Calls(&out);
    HttpAnswers(&out);
    Requests(&out);
    Stages(&out);
    Device(&out);
    Caches(&out);
    Streams(&out);
    return out.Take();
  }

  void SetModel(const EngineInfo& model) {
    const absl::MutexLock lock(&mutex_);
    model_ = {{"name", model.model_name},
              {"fingerprint", model.model_fingerprint},
              {"device", model.device},
              {"dtype", model.dtype}};
  }

 private:
  void Process(FamilyWriter* out) const {
    out->Value("sam3_build_info", "The running version.", 1,
               {{"version", sources_.version}});
    {
      const absl::MutexLock lock(&mutex_);
      if (!model_.empty()) {
        out->Value("sam3_model_loaded_info", "The model that is served.", 1,
                   model_);
      }
    }
    out->Value("sam3_insecure_option", "1 where a protection is off.",
               sources_.insecure_no_auth ? 1 : 0, {{"name", "no_auth"}});
    out->Value("sam3_insecure_option", "1 where a protection is off.",
               sources_.plaintext ? 1 : 0, {{"name", "plaintext"}});
    out->Value("sam3_insecure_option", "1 where a protection is off.",
               sources_.url_http ? 1 : 0, {{"name", "url_http"}});
    out->Value("sam3_insecure_option", "1 where a protection is off.",
               sources_.url_networks ? 1 : 0, {{"name", "url_cidr"}});
    out->Value("sam3_insecure_option", "1 where a protection is off.",
               sources_.decode_in_process ? 1 : 0,
               {{"name", "decode_in_process"}});
    out->Value("sam3_draining", "1 while the server stops.",
               static_cast<double>(metrics_.draining.value()));
    out->Value("sam3_rss_bytes", "Memory that the process holds.",
               static_cast<double>(ResidentBytes()));
    out->Value("sam3_open_fds", "Files and sockets that are open.",
               static_cast<double>(OpenFileCount()));
  }

  void Calls(FamilyWriter* out) const {
    for (size_t method = 0; method < RpcMetrics::kMethodCount; ++method) {
      for (size_t code = 0; code < RpcMetrics::kCodeCount; ++code) {
        const int64_t count = sources_.rpc.finished(method, code).value();
        // Series that never counted are left out, but for success.
        if (count == 0 && code != 0) continue;
        out->Count(
            "sam3_calls_total", "Calls that ended, by method and code.", count,
            {{"method", std::string(kRpcMethodNames[method])},
             {"code",
              absl::StatusCodeToString(static_cast<absl::StatusCode>(code))}});
      }
    }
    for (size_t reason = 0; reason < RpcMetrics::kReasonCount; ++reason) {
      out->Count("sam3_call_errors_total", "Calls that failed, by reason.",
                 sources_.rpc.failed(reason).value(),
                 {{"reason", std::string(reason::kAll[reason])}});
    }
    if (sources_.keys != nullptr) Keys(*sources_.keys, out);
  }

  static void Keys(const KeyMetrics& keys, FamilyWriter* out) {
    for (size_t i = 0; i < keys.refused.size(); ++i) {
      out->Count(
          "sam3_key_refusals_total", "Calls refused for their key, by reason.",
          keys.refused[i].value(), {{"reason", std::string(kKeyReasons[i])}});
    }
    out->Value("sam3_keys", "Keys in the file that is in force.",
               static_cast<double>(keys.keys.value()));
    out->Value("sam3_keys_stale",
               "1 while the key file cannot be used and older keys are in "
               "force.",
               static_cast<double>(keys.stale.value()));
    out->Count("sam3_key_reloads_total", "Key files read, by outcome.",
               keys.reloads.value(), {{"outcome", "ok"}});
    out->Count("sam3_key_reloads_total", "Key files read, by outcome.",
               keys.failed_reloads.value(), {{"outcome", "failed"}});
  }

  void HttpAnswers(FamilyWriter* out) const {
    for (size_t route = 0; route < HttpMetrics::kRouteCount; ++route) {
      for (size_t i = 0; i < HttpMetrics::kStatusCount; ++i) {
        const int64_t count = sources_.http.answered(route, i).value();
        const int status = HttpMetrics::kStatuses[i];
        if (count == 0 && status != 200) continue;
        out->Count("sam3_http_requests_total",
                   "HTTP requests answered, by route and status.", count,
                   {{"route", std::string(kHttpRouteNames[route])},
                    {"code", status == 0 ? "other" : absl::StrCat(status)}});
      }
    }
  }

  void Requests(FamilyWriter* out) const {
    const PipelineMetrics& m = metrics_;
    const std::pair<const char*, const Counter*> outcomes[] = {
        {"finished", &m.requests_finished},
        {"failed", &m.requests_failed},
        {"refused", &m.requests_refused},
        {"expired", &m.requests_expired}};
    out->Count("sam3_requests_accepted_total", "Still requests admitted.",
               m.requests_accepted.value());
    for (const auto& [outcome, counter] : outcomes) {
      out->Count("sam3_requests_total", "Still requests by outcome.",
                 counter->value(), {{"outcome", outcome}});
    }
    out->Count("sam3_cancelled_total",
               "Cancelled work by whether the engine had run it.",
               m.cancelled_before_engine.value(), {{"engine", "saved"}});
    out->Count("sam3_cancelled_total",
               "Cancelled work by whether the engine had run it.",
               m.cancelled_after_engine.value(), {{"engine", "wasted"}});
    out->Value("sam3_requests_active", "Still requests in work.",
               static_cast<double>(m.requests_active.value()));
    out->Count("sam3_decode_errors_total",
               "Pictures, frames and parts of videos that are broken.",
               m.decode_errors.value());
    for (size_t i = 0; i < kUrlFailureCount; ++i) {
      const std::string name(kUrlFailureNames[i]);
      const int64_t count = m.url_failures[i].value();
      if (IsRefusal(static_cast<UrlFailure>(i))) {
        out->Count("sam3_ssrf_blocked_total",
                   "URLs and redirects refused, by rule.", count,
                   {{"rule", name}});
      } else {
        out->Count("sam3_fetch_errors_total", "Downloads failed, by reason.",
                   count, {{"reason", name}});
      }
    }
  }

  void Stages(FamilyWriter* out) const {
    const PipelineMetrics& m = metrics_;
    const std::pair<const char*, const Histogram*> stages[] = {
        {"fetch", &m.fetch_seconds},   {"decode", &m.decode_seconds},
        {"queue", &m.queue_seconds},   {"encode", &m.encode_seconds},
        {"ground", &m.ground_seconds}, {"post", &m.post_seconds},
        {"total", &m.total_seconds}};
    for (const auto& [stage, histogram] : stages) {
      out->Distribution("sam3_stage_seconds", "Time per stage.", *histogram,
                        {{"stage", stage}});
    }
  }

  void Device(FamilyWriter* out) const {
    const PipelineMetrics& m = metrics_;
    out->Value("sam3_queued_jobs", "Jobs that wait for the device.",
               static_cast<double>(m.queued_jobs.value()));
    out->Value("sam3_queued_bytes", "Pixels held by waiting stills.",
               static_cast<double>(m.queued_bytes.value()));
    out->Distribution("sam3_scheduling_delay_seconds",
                      "From device free and job waiting to batch formed.",
                      m.scheduling_delay_seconds);
    out->Count("sam3_batches_total", "Batches run.", m.batches.value());
    out->Count("sam3_batch_failures_total", "Batches that failed.",
               m.batch_failures.value());
    out->Count("sam3_batch_splits_total", "Batches halved for lack of memory.",
               m.batch_splits.value());
    out->Count("sam3_images_encoded_total", "Pictures encoded.",
               m.images_encoded.value());
    out->Count("sam3_pairs_grounded_total", "Picture and prompt pairs run.",
               m.pairs_grounded.value());
    out->Count("sam3_objects_clicked_total", "Object prompts run.",
               m.objects_clicked.value());
    out->Distribution("sam3_batch_images", "Pictures encoded per batch.",
                      m.batch_images);
    out->Distribution("sam3_batch_pairs", "Pairs grounded per batch.",
                      m.batch_pairs);
    out->Value("sam3_engine_busy_seconds_total", "Time the engine worked.",
               static_cast<double>(m.engine_busy_nanoseconds.value()) * 1e-9);
    const std::pair<const char*, int64_t> errors[] = {
        {"oom", m.engine_out_of_memory.value()},
        {"lost", m.device_lost.value()},
        {"other", m.engine_other_errors.value()}};
    for (const auto& [kind, count] : errors) {
      out->Count("sam3_engine_errors_total", "Failures of the engine by kind.",
                 count, {{"kind", kind}});
    }
    out->Value("sam3_engine_memory_bytes", "Memory of the engine.",
               static_cast<double>(m.engine_weights_bytes.value()),
               {{"kind", "weights"}});
    out->Value("sam3_engine_memory_bytes", "Memory of the engine.",
               static_cast<double>(m.engine_working_bytes.value()),
               {{"kind", "working"}});
    out->Value("sam3_device_lost", "1 once the device is gone for good.",
               static_cast<double>(m.device_lost.value()));
  }

  void Caches(FamilyWriter* out) const {
    const PipelineMetrics& m = metrics_;
    const auto all = [&](const char* name, const char* help,
                         const Counter& image, const Counter& text,
                         const Counter& logits) {
      out->Count(name, help, image.value(), {{"cache", "image"}});
      out->Count(name, help, text.value(), {{"cache", "text"}});
      out->Count(name, help, logits.value(), {{"cache", "logits"}});
    };
    all("sam3_cache_hits_total", "Entries found.", m.image_cache_hits,
        m.text_cache_hits, m.logits_cache_hits);
    all("sam3_cache_misses_total", "Entries not found.", m.image_cache_misses,
        m.text_cache_misses, m.logits_cache_misses);
    all("sam3_cache_evictions_total", "Entries evicted.",
        m.image_cache_evictions, m.text_cache_evictions,
        m.logits_cache_evictions);
    const std::pair<const char*, const Gauge*> sizes[] = {
        {"image", &m.image_cache_bytes},
        {"text", &m.text_cache_bytes},
        {"logits", &m.logits_cache_bytes}};
    for (const auto& [cache, bytes] : sizes) {
      out->Value("sam3_cache_bytes", "Bytes kept.",
                 static_cast<double>(bytes->value()), {{"cache", cache}});
    }
  }

  void Streams(FamilyWriter* out) const {
    const PipelineMetrics& m = metrics_;
    out->Value("sam3_streams_active", "Open streams.",
               static_cast<double>(m.streams_active.value()));
    out->Value("sam3_tracked_objects", "Objects that streams follow.",
               static_cast<double>(m.tracked_objects.value()));
    out->Value("sam3_tracked_bytes", "Device memory of these objects.",
               static_cast<double>(m.tracked_bytes.value()));
    out->Count("sam3_streams_opened_total", "Streams opened.",
               m.streams_opened.value());
    out->Count("sam3_frames_in_total", "Frames that came in.",
               m.frames_in.value());
    out->Count("sam3_frames_answered_total", "Frames answered.",
               m.frames_answered.value());
    out->Count("sam3_frames_refused_total", "Frames refused.",
               m.frames_refused.value());
    for (size_t i = 0; i < kDropReasonCount; ++i) {
      out->Count("sam3_frames_dropped_total", "Frames dropped by reason.",
                 m.frames_dropped[i].value(), {{"reason", DropReasonName(i)}});
    }
    out->Count("sam3_source_connects_total",
               "Connections to live sources that were tried.",
               m.source_connects.value());
    for (size_t i = 0; i < kSourceFailureCount; ++i) {
      out->Count("sam3_source_failures_total",
                 "Connections to live sources that failed or broke, by class.",
                 m.source_failures[i].value(),
                 {{"failure", std::string(kSourceFailureNames[i])}});
    }
    out->Distribution("sam3_frame_age_seconds",
                      "From a frame's arrival to its result.",
                      m.frame_age_seconds);
  }

  const MetricsEndpoint::Sources sources_;
  const PipelineMetrics& metrics_;
  mutable absl::Mutex mutex_;
  std::vector<ClientMetric::Label> model_ ABSL_GUARDED_BY(mutex_);
};

HttpResponse Refusal(int status, std::string text) {
  return {status, "text/plain; charset=utf-8", {}, std::move(text)};
}

class HttpMetricsEndpoint final : public MetricsEndpoint {
 public:
  explicit HttpMetricsEndpoint(Sources sources)
      : numbers_(std::move(sources)) {}

  absl::Status Listen(const std::string& address) {
    HttpServer::Options options;
    options.address = address;
    options.max_connections = 64;
    absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(
        options, [this](const std::shared_ptr<HttpExchange>& exchange) {
          exchange->Respond(Answer(exchange->request()));
        });
    if (!server.ok()) {
      return absl::UnavailableError(
          absl::StrCat("metrics: ", server.status().message()));
    }
    server_ = *std::move(server);
    return absl::OkStatus();
  }

  int port() const override { return server_->port(); }
  void SetModel(const EngineInfo& model) override { numbers_.SetModel(model); }

 private:
  HttpResponse Answer(const HttpRequest& request) const {
    if (request.path != "/metrics") return Refusal(404, "see /metrics\n");
    if (request.method != "GET" && request.method != "HEAD") {
      return Refusal(405, "GET only\n");
    }
    return {200,
            "text/plain; version=0.0.4; charset=utf-8",
            {},
            prometheus::TextSerializer().Serialize(numbers_.Collect())};
  }

  ServerNumbers numbers_;
  // Destroyed first, since it reads the numbers.
  std::unique_ptr<HttpServer> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const std::string& address, Sources sources) {
  auto endpoint = std::make_unique<HttpMetricsEndpoint>(std::move(sources));
  const absl::Status listening = endpoint->Listen(address);
  if (!listening.ok()) return listening;
  return endpoint;
}

}  // namespace sam3
