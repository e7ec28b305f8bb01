#include "service/flags.h"

#include "service/url_settings.h"

namespace sam3 {
namespace {

using config::v1::ServerConfig;

void AddText(CLI::App* app, const std::string& name, const std::string& help,
             std::string* target) {
  app->add_option(name, *target, help)->type_size(1);
}

void AddHttpFlags(CLI::App* app, config::v1::HttpConfig* http) {
  using config::v1::HttpConfig;
  AddText(app, "--http-listen",
          "HTTP API address, or none (default: 127.0.0.1:8080)",
          http->mutable_listen());
  app->add_option_function<std::string>(
         "--http-compat",
         [http](const std::string& word) {
           http->set_compat(word == "exact" ? HttpConfig::COMPAT_EXACT
                                            : HttpConfig::COMPAT_FIXED);
         },
         "fixed repairs the published API, exact copies it (default: fixed)")
      ->check(CLI::IsMember({"fixed", "exact"}));
  app->add_option_function<int>(
      "--http-timeout-seconds", [http](int n) { http->set_timeout_seconds(n); },
      "Time to answer an HTTP request in (default: 60)");
  app->add_flag_callback(
      "--http-plaintext", [http] { http->set_plaintext(true); },
      "Let the HTTP API be reached from other hosts, which needs something in "
      "front of it that encrypts");
  AddText(app, "--concept-aliases",
          "Table of words that stand for English ones (default: built in)",
          http->mutable_aliases_file());
}

// Without the flag the message stays absent, which is no TLS.
void AddTlsFile(CLI::App* app, const std::string& name, const std::string& help,
                ServerConfig* config,
                std::string* (config::v1::TlsConfig::*field)()) {
  app->add_option_function<std::string>(
      name,
      [config, field](const std::string& path) {
        *(config->mutable_tls()->*field)() = path;
      },
      help);
}

void AddSecurityFlags(CLI::App* app, ServerConfig* config) {
  using config::v1::TlsConfig;
  AddText(app, "--keys", "File of keys that calls must present (default: none)",
          config->mutable_keys_file());
  AddTlsFile(app, "--tls-cert", "Certificates of the server, PEM", config,
             &TlsConfig::mutable_certificate_file);
  AddTlsFile(app, "--tls-key", "Private key of the server, PEM", config,
             &TlsConfig::mutable_private_key_file);
  AddTlsFile(app, "--tls-client-ca",
             "Ask clients for certificates that these have signed, PEM", config,
             &TlsConfig::mutable_client_ca_file);
  AddText(app, "--resume-secret-file",
          "Secret that servers share to go on with each other's streams "
          "(default: a random one)",
          config->mutable_resume_secret_file());
  app->add_flag_callback(
      "--plaintext", [config] { config->set_plaintext(true); },
      "Go without TLS beyond loopback: whoever is on the way reads everything, "
      "keys too");
  app->add_flag_callback(
      "--insecure-no-auth", [config] { config->set_insecure_no_auth(true); },
      "Go without keys beyond loopback: whoever reaches the server may use it");
  app->add_flag_callback(
      "--decode-in-process", [config] { config->set_decode_in_process(true); },
      "Decode videos in this process: one that crashes its decoder ends all "
      "streams (default: each in a process of its own, without rights)");
}

}  // namespace

void AddFlags(CLI::App* app, Flags* flags) {
  config::v1::ServerConfig& config = flags->config;
  auto* model = config.mutable_model();
  AddText(app, "--model", "Model folder (default: the embedded demo model)",
          model->mutable_folder());
  AddText(app, "--device", "cpu or cuda:N (default: cpu)",
          model->mutable_device());
  AddText(app, "--dtype", "auto, fp32 or bf16 (default: auto)",
          model->mutable_dtype());
  AddText(app, "--class-token", "exemplars or always (default: exemplars)",
          model->mutable_class_token());
  app->add_option_function<int>(
      "--threads", [model](int n) { model->set_cpu_threads(n); },
      "Threads for CPU kernels (default: one per core)");
  AddText(app, "--listen", "gRPC address (default: 127.0.0.1:50051)",
          config.mutable_listen());
  AddText(app, "--health-listen", "health address (default: 127.0.0.1:50052)",
          config.mutable_health_listen());
  AddText(app, "--metrics-listen", "metrics address (default: 127.0.0.1:9090)",
          config.mutable_metrics_listen());
  AddHttpFlags(app, config.mutable_http());
  AddText(app, "--media-root",
          "Folder of files that clients may name (default: none)",
          config.mutable_media_root());
  AddUrlFlags(app, config.mutable_urls());
  app->add_option_function<int>(
      "--image-cache-mb",
      [&config](int n) { config.mutable_limits()->set_image_cache_mb(n); },
      "Memory for picture embeddings (default: 1024)");
  app->add_option_function<int>(
      "--drain-seconds", [&config](int n) { config.set_drain_seconds(n); },
      "Time to finish accepted work after SIGTERM (default: 30)");
  app->add_option_function<int>(
      "--lame-duck-seconds",
      [&config](int n) { config.set_lame_duck_seconds(n); },
      "Time to serve on, as not ready, before draining (default: 0)");
  app->add_flag_callback(
      "--reflection", [&config] { config.set_reflection(true); },
      "Offer gRPC reflection");
  AddSecurityFlags(app, &config);
  AddText(app, "--config", "Configuration file in text format",
          &flags->config_file);
  AddText(app, "--log-format", "text or json (default: text)",
          &flags->log_format);
  app->add_flag("--check-config", flags->check_only,
                "Check flags and file, then exit");
  app->add_flag("--print-config", flags->print_only,
                "Print what would run as a configuration file, then exit");
  app->add_flag("--fake-engine", flags->fake_engine,
                "Serve a fake engine that finds coloured areas (for tests)");
}

}  // namespace sam3
