#include "service/config.h"

#include <google/protobuf/text_format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sam3/config/v1/server_config.pb.h"
#include "service/flags.h"
#include "service/keys/key_file.h"
#include "service/listen_address.h"
#include "service/resume_secret.h"
#include "service/url_settings.h"
#include "service/version.h"

namespace sam3 {
namespace {

using config::v1::ServerConfig;

constexpr char kExamples[] =
    "Examples:\n"
    "  sam3-server                                the embedded demo model\n"
    "  sam3-server --model ~/sam3 --device cuda:0\n"
    "  sam3-server --config server.textproto --check-config\n";

constexpr int kMaxPinnedTexts = 1024;
// An address that means not to listen.
constexpr absl::string_view kNoAddress = "none";

// Checks values one by one and remembers what is wrong.
class SettingsBuilder {
 public:
  SettingsBuilder(const ServerConfig& config, ServerSettings* out)
      : config_(config), out_(*out) {}

  std::vector<std::string> Build() {
    Addresses();
    Keys();
    ResumeSecret();
    Tls();
    Model();
    Limits();
    Http();
    MediaRoot();
    PinnedTexts();
    for (std::string& text : ReadUrlConfig(config_.urls(), &out_.segmenter)) {
      Violate(std::move(text));
    }
    return std::move(violations_);
  }

 private:
  void Violate(std::string text) { violations_.push_back(std::move(text)); }

  void Address(const char* flag, const std::string& value, std::string* out) {
    if (!value.empty()) *out = value;
    const size_t colon = out->rfind(':');
    int port = -1;
    if (absl::StartsWith(*out, "unix:")) return;
    if (colon == std::string::npos || colon == 0 ||
        !absl::SimpleAtoi(out->substr(colon + 1), &port) || port < 0 ||
        port > 65535) {
      Violate(absl::StrCat(flag, " must be HOST:PORT, is \"", *out, "\""));
    } else if (!IsLoopback(*out) && config_.keys_file().empty() &&
               !config_.insecure_no_auth()) {
      Violate(absl::StrCat(
          flag, " ", *out,
          " is reachable from other hosts and this server asks for no keys; "
          "add --keys FILE (sam3ctl keys new makes one), or "
          "--insecure-no-auth if that is meant"));
    }
  }

  // Of an address that calls come to, with their keys.
  void Encrypted(const char* flag, const std::string& address) {
    if (IsLoopback(address) || config_.has_tls() || config_.plaintext()) return;
    Violate(absl::StrCat(
        flag, " ", address,
        " is reachable from other hosts and not encrypted; add --tls-cert and "
        "--tls-key, or --plaintext if something in front of it encrypts"));
  }

  void Addresses() {
    Address("--listen", config_.listen(), &out_.server.address);
    Encrypted("--listen", out_.server.address);
    Address("--health-listen", config_.health_listen(), &out_.health_address);
    Address("--metrics-listen", config_.metrics_listen(),
            &out_.metrics_address);
    out_.insecure_no_auth = config_.insecure_no_auth();
    out_.decode_in_process = config_.decode_in_process();
    out_.server.reflection = config_.reflection();
    out_.server.version = kVersion;
    Bounded("--drain-seconds", config_.drain_seconds(), 1, 3600,
            [this](int n) { out_.drain_timeout = absl::Seconds(n); });
    Bounded("drain_notice_seconds", config_.drain_notice_seconds(), 1, 3600,
            [this](int n) { out_.segmenter.drain_notice = absl::Seconds(n); });
    Bounded("--lame-duck-seconds", config_.lame_duck_seconds(), 1, 3600,
            [this](int n) { out_.lame_duck = absl::Seconds(n); });
  }

  void Keys() {
    out_.keys_file = config_.keys_file();
    if (out_.keys_file.empty()) return;
    const auto keys = ReadKeyFile(out_.keys_file);
    if (!keys.ok()) {
      Violate(absl::StrCat("--keys ", keys.status().message()));
    }
  }

  void ResumeSecret() {
    out_.resume_secret_file = config_.resume_secret_file();
    if (out_.resume_secret_file.empty()) return;
    auto secret = ReadResumeSecret(out_.resume_secret_file);
    if (!secret.ok()) {
      return Violate(
          absl::StrCat("--resume-secret-file ", secret.status().message()));
    }
    out_.server.resume_secret = *std::move(secret);
  }

  void Tls() {
    out_.plaintext = config_.plaintext();
    if (!config_.has_tls()) return;
    TlsSettings& tls = out_.server.tls;
    tls.certificate_file = config_.tls().certificate_file();
    tls.private_key_file = config_.tls().private_key_file();
    tls.client_ca_file = config_.tls().client_ca_file();
    if (config_.plaintext()) {
      Violate("--plaintext and --tls-cert exclude each other");
    }
    if (tls.certificate_file.empty() || tls.private_key_file.empty()) {
      return Violate("TLS needs both --tls-cert and --tls-key");
    }
    const absl::Status files = CheckTlsFiles(tls);
    if (!files.ok()) Violate(absl::StrCat("TLS: ", files.message()));
  }

  void Model() {
    const auto& model = config_.model();
    out_.engine.model_dir = model.folder();
    if (!model.device().empty()) out_.engine.device = model.device();
    if (model.dtype() == "fp32") {
      out_.engine.dtype = DtypeChoice::kFp32;
    } else if (model.dtype() == "bf16") {
      out_.engine.dtype = DtypeChoice::kBf16;
    } else if (!model.dtype().empty() && model.dtype() != "auto") {
      Violate(absl::StrCat("--dtype must be auto, fp32 or bf16, is \"",
                           model.dtype(), "\""));
    }
    if (model.class_token() == "always") {
      out_.engine.class_token = ClassTokenRule::kAlways;
    } else if (!model.class_token().empty() &&
               model.class_token() != "exemplars") {
      Violate(absl::StrCat("--class-token must be exemplars or always, is \"",
                           model.class_token(), "\""));
    }
    Bounded("--threads", model.cpu_threads(), 1, 1024,
            [this](int n) { out_.engine.cpu_threads = n; });
  }

  void Limits() {
    const auto& limits = config_.limits();
    SegmenterOptions& options = out_.segmenter;
    Bounded("limits.max_active_requests", limits.max_active_requests(), 1,
            100'000, [&](int n) { options.max_active_requests = n; });
    Bounded("limits.max_streams", limits.max_streams(), 1, 100'000,
            [&](int n) { options.max_streams = n; });
    if (limits.min_stream_fps() != 0) {
      options.min_stream_fps = limits.min_stream_fps();
      if (!(options.min_stream_fps > 0 && options.min_stream_fps <= 1000)) {
        Violate(absl::StrCat(
            "limits.min_stream_fps must be above 0 and at most 1000, is ",
            options.min_stream_fps));
      }
    }
    Bounded("limits.max_prompts", limits.max_prompts(), 1, 256,
            [&](int n) { out_.server.limits.max_prompts = n; });
    Bounded("limits.max_batch_images", limits.max_batch_images(), 1, 256,
            [&](int n) { options.max_batch_images = n; });
    Bounded("limits.max_batch_pairs", limits.max_batch_pairs(), 1, 1024,
            [&](int n) { options.max_batch_pairs = n; });
    Bounded("limits.batch_ms", limits.batch_ms(), 1, 60'000,
            [&](int n) { options.batch_time = absl::Milliseconds(n); });
    Bounded("--image-cache-mb", limits.image_cache_mb(), 1, 1 << 20,
            [&](int n) {
              options.image_cache_bytes = static_cast<size_t>(n) << 20;
            });
    Bounded("limits.tracked_objects_mb", limits.tracked_objects_mb(), 1,
            1 << 20, [&](int n) {
              options.max_tracked_bytes = static_cast<size_t>(n) << 20;
            });
    Bounded("limits.max_frame_mb", limits.max_frame_mb(), 1, 1024, [&](int n) {
      options.max_frame_bytes = static_cast<size_t>(n) << 20;
    });
    TransportLimits();
  }

  void TransportLimits() {
    const auto& limits = config_.limits();
    Server::Options& options = out_.server;
    Bounded("limits.max_calls_per_connection",
            limits.max_calls_per_connection(), 1, 100'000,
            [&](int n) { options.max_concurrent_streams = n; });
    Bounded(
        "limits.max_message_mb", limits.max_message_mb(), 1, 1024,
        [&](int n) { options.limits.max_message_bytes = int64_t{n} << 20; });
    Bounded("limits.receive_memory_mb", limits.receive_memory_mb(), 1, 1 << 20,
            [&](int n) {
              options.receive_memory_bytes = static_cast<size_t>(n) << 20;
            });
    Bounded("limits.max_connection_age_minutes",
            limits.max_connection_age_minutes(), 1, 10'000,
            [&](int n) { options.max_connection_age = absl::Minutes(n); });
  }

  void Http() {
    const auto& http = config_.http();
    if (http.listen() == kNoAddress) {
      out_.http.address.clear();
    } else {
      Address("--http-listen", http.listen(), &out_.http.address);
      if (!IsLoopback(out_.http.address) && !http.plaintext() &&
          !config_.has_tls()) {
        Violate(absl::StrCat(
            "--http-listen ", out_.http.address,
            " is reachable from other hosts and not encrypted; add --tls-cert "
            "and --tls-key, or --http-plaintext if something in front of it "
            "encrypts"));
      }
    }
    out_.http_plaintext = http.plaintext();
    if (!http.plaintext()) out_.http.tls = out_.server.tls;
    out_.http.api.compat = http.compat() == config::v1::HttpConfig::COMPAT_EXACT
                               ? HttpCompat::kExact
                               : HttpCompat::kFixed;
    Bounded("--http-timeout-seconds", http.timeout_seconds(), 1, 3600,
            [this](int n) { out_.http.api.timeout = absl::Seconds(n); });
    out_.aliases_file = http.aliases_file();
  }

  void MediaRoot() {
    std::error_code error;
    if (!config_.media_root().empty() &&
        !std::filesystem::is_directory(config_.media_root(), error)) {
      Violate(
          absl::StrCat("--media-root ", config_.media_root(), " is no folder"));
    }
    out_.server.media_root = config_.media_root();
  }

  // How many tokens a text has is known once the model is loaded.
  void PinnedTexts() {
    if (config_.pinned_texts_size() > kMaxPinnedTexts) {
      Violate(absl::StrCat("pinned_texts has ", config_.pinned_texts_size(),
                           " entries; at most ", kMaxPinnedTexts,
                           " are allowed"));
    }
    const auto limit = static_cast<size_t>(out_.server.limits.max_text_bytes);
    for (int i = 0; i < config_.pinned_texts_size(); ++i) {
      const std::string& text = config_.pinned_texts(i);
      if (absl::StripAsciiWhitespace(text).empty()) {
        Violate(absl::StrCat("pinned_texts[", i, "] is empty"));
      } else if (text.size() > limit) {
        Violate(absl::StrCat("pinned_texts[", i, "] has ", text.size(),
                             " bytes; at most ", limit, " are allowed"));
      }
    }
    out_.segmenter.pinned_texts = {config_.pinned_texts().begin(),
                                   config_.pinned_texts().end()};
  }

  // 0 leaves the default in place.
  template <typename Set>
  void Bounded(const char* name, int value, int low, int high, Set set) {
    if (value == 0) return;
    if (value < low || value > high) {
      return Violate(absl::StrCat(name, " must be from ", low, " to ", high,
                                  ", is ", value));
    }
    set(value);
  }

  const ServerConfig& config_;
  ServerSettings& out_;
  std::vector<std::string> violations_;
};

std::vector<std::string> ReadFile(const Flags& flags, ServerConfig* config) {
  if (!flags.config_file.empty()) {
    std::ifstream stream(flags.config_file);
    if (!stream) {
      return {absl::StrCat("--config ", flags.config_file, ": cannot open")};
    }
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    if (!google::protobuf::TextFormat::ParseFromString(text, config)) {
      return {absl::StrCat("--config ", flags.config_file,
                           ": is no sam3.config.v1.ServerConfig in text "
                           "format (see the lines above)")};
    }
  }
  // Lists are replaced, not appended to.
  const config::v1::UrlConfig& urls = flags.config.urls();
  if (!urls.allow_hosts().empty()) config->mutable_urls()->clear_allow_hosts();
  if (!urls.allow_cidrs().empty()) config->mutable_urls()->clear_allow_cidrs();
  config->MergeFrom(flags.config);
  return {};
}

}  // namespace

ParsedSettings ParseServerSettings(int argc, const char* const* argv) {
  ParsedSettings parsed;
  Flags flags;
  CLI::App app("SAM 3 over gRPC: finds what a phrase or an example describes.",
               "sam3-server");
  app.footer(kExamples);
  app.set_version_flag("--version", absl::StrCat("sam3-server ", kVersion));
  AddFlags(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    parsed.text = app.help();
    return parsed;
  } catch (const CLI::CallForVersion& version) {
    parsed.text = absl::StrCat(version.what(), "\n");
    return parsed;
  } catch (const CLI::ParseError& error) {
    parsed.exit_status = 1;
    parsed.text =
        absl::StrCat("sam3-server: ", error.what(), " (see --help)\n");
    return parsed;
  }
  ServerConfig config;
  std::vector<std::string> violations = ReadFile(flags, &config);
  if (violations.empty()) {
    violations = SettingsBuilder(config, &parsed.settings).Build();
  }
  if (flags.log_format != "text" && flags.log_format != "json") {
    violations.push_back("--log-format must be text or json");
  }
  if (!violations.empty()) {
    parsed.exit_status = 1;
    parsed.text = absl::StrCat(
        "sam3-server: ", absl::StrJoin(violations, "\nsam3-server: "), "\n");
    return parsed;
  }
  if (flags.fake_engine) parsed.settings.engine.kind = EngineKind::kFake;
  parsed.settings.check_only = flags.check_only;
  parsed.settings.print_only = flags.print_only;
  parsed.settings.json_logs = flags.log_format == "json";
  parsed.run = true;
  return parsed;
}

std::string PrintServerSettings(const ServerSettings& settings) {
  ServerConfig config;
  config.set_listen(settings.server.address);
  config.set_health_listen(settings.health_address);
  config.set_metrics_listen(settings.metrics_address);
  auto* http = config.mutable_http();
  http->set_listen(settings.http.address.empty() ? std::string(kNoAddress)
                                                 : settings.http.address);
  http->set_compat(settings.http.api.compat == HttpCompat::kExact
                       ? config::v1::HttpConfig::COMPAT_EXACT
                       : config::v1::HttpConfig::COMPAT_FIXED);
  http->set_timeout_seconds(
      static_cast<int>(absl::ToInt64Seconds(settings.http.api.timeout)));
  http->set_aliases_file(settings.aliases_file);
  http->set_plaintext(settings.http_plaintext);
  auto* model = config.mutable_model();
  model->set_folder(settings.engine.model_dir);
  model->set_device(settings.engine.device);
  model->set_dtype(settings.engine.dtype == DtypeChoice::kFp32   ? "fp32"
                   : settings.engine.dtype == DtypeChoice::kBf16 ? "bf16"
                                                                 : "auto");
  model->set_cpu_threads(settings.engine.cpu_threads);
  model->set_class_token(settings.engine.class_token == ClassTokenRule::kAlways
                             ? "always"
                             : "exemplars");
  auto* limits = config.mutable_limits();
  limits->set_max_active_requests(settings.segmenter.max_active_requests);
  limits->set_max_streams(settings.segmenter.max_streams);
  limits->set_min_stream_fps(settings.segmenter.min_stream_fps);
  limits->set_max_prompts(settings.server.limits.max_prompts);
  limits->set_max_batch_images(settings.segmenter.max_batch_images);
  limits->set_max_batch_pairs(settings.segmenter.max_batch_pairs);
  limits->set_batch_ms(static_cast<int>(
      absl::ToInt64Milliseconds(settings.segmenter.batch_time)));
  limits->set_image_cache_mb(
      static_cast<int>(settings.segmenter.image_cache_bytes >> 20));
  limits->set_max_calls_per_connection(settings.server.max_concurrent_streams);
  limits->set_max_message_mb(
      static_cast<int>(settings.server.limits.max_message_bytes >> 20));
  limits->set_max_frame_mb(
      static_cast<int>(settings.segmenter.max_frame_bytes >> 20));
  limits->set_tracked_objects_mb(
      static_cast<int>(settings.segmenter.max_tracked_bytes >> 20));
  limits->set_receive_memory_mb(
      static_cast<int>(settings.server.receive_memory_bytes >> 20));
  if (settings.server.max_connection_age != absl::InfiniteDuration()) {
    limits->set_max_connection_age_minutes(static_cast<int>(
        absl::ToInt64Minutes(settings.server.max_connection_age)));
  }
  config.set_media_root(settings.server.media_root);
  config.set_reflection(settings.server.reflection);
  config.set_insecure_no_auth(settings.insecure_no_auth);
  config.set_keys_file(settings.keys_file);
  config.set_resume_secret_file(settings.resume_secret_file);
  config.set_plaintext(settings.plaintext);
  config.set_decode_in_process(settings.decode_in_process);
  if (settings.server.tls.enabled()) {
    auto* tls = config.mutable_tls();
    tls->set_certificate_file(settings.server.tls.certificate_file);
    tls->set_private_key_file(settings.server.tls.private_key_file);
    tls->set_client_ca_file(settings.server.tls.client_ca_file);
  }
  config.set_drain_seconds(
      static_cast<int>(absl::ToInt64Seconds(settings.drain_timeout)));
  config.set_drain_notice_seconds(
      static_cast<int>(absl::ToInt64Seconds(settings.segmenter.drain_notice)));
  config.set_lame_duck_seconds(
      static_cast<int>(absl::ToInt64Seconds(settings.lame_duck)));
  for (const std::string& text : settings.segmenter.pinned_texts) {
    config.add_pinned_texts(text);
  }
  *config.mutable_urls() = WriteUrlConfig(settings.segmenter);
  std::string text;
  google::protobuf::TextFormat::PrintToString(config, &text);
  return text;
}

}  // namespace sam3
