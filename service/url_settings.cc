#include "service/url_settings.h"

#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sam3 {

void AddUrlFlags(CLI::App* app, config::v1::UrlConfig* config) {
  const auto add = [app](const char* name, const char* help,
                         std::function<void(const std::string&)> take) {
    app->add_option_function<std::vector<std::string>>(
           name,
           [take = std::move(take)](const std::vector<std::string>& values) {
             for (const std::string& value : values) take(value);
           },
           help)
        ->type_size(1)
        ->allow_extra_args(false);
  };
  add("--allow-url-host",
      "Fetch pictures and streams from HOST, *.DOMAIN or * ([:PORT]) over "
      "https; cameras need a rule of their own, rtsp://HOST or rtsps://HOST "
      "in the same forms; repeatable (default: none)",
      [config](const std::string& host) { config->add_allow_hosts(host); });
  add("--allow-url-cidr",
      "Let URLs reach this network though it is not public: whoever may send "
      "requests then reads what answers there; repeatable",
      [config](const std::string& cidr) { config->add_allow_cidrs(cidr); });
  app->add_flag_callback(
      "--allow-url-http", [config] { config->set_allow_http(true); },
      "Fetch over http too, which anybody on the way can read and change");
  app->add_option_function<std::string>(
      "--url-ca",
      [config](const std::string& file) { config->set_ca_file(file); },
      "Certificates to believe in place of the system's, in PEM");
  app->add_option_function<int>(
         "--stall-seconds",
         [config](int seconds) { config->set_stall_seconds(seconds); },
         "Silence after which a stream by URL counts as stalled; four times as "
         "much, and it is connected anew (default: 2)")
      ->check(CLI::Range(1, 3600));
}

std::vector<std::string> ReadUrlConfig(const config::v1::UrlConfig& config,
                                       SegmenterOptions* out) {
  std::vector<std::string> violations;
  out->url_gate.hosts = {config.allow_hosts().begin(),
                         config.allow_hosts().end()};
  out->url_gate.networks = {config.allow_cidrs().begin(),
                            config.allow_cidrs().end()};
  out->url_gate.allow_http = config.allow_http();
  out->url_fetch.ca_file = config.ca_file();
  out->live.ca_file = config.ca_file();
  if (config.stall_seconds() < 0) {
    violations.push_back("--stall-seconds must not be negative");
  } else if (config.stall_seconds() > 0) {
    out->live.stall_after = absl::Seconds(config.stall_seconds());
    out->live.give_up_after = 4 * out->live.stall_after;
  }
  const absl::Status gate = UrlGate::Create(out->url_gate).status();
  if (!gate.ok()) {
    violations.push_back(absl::StrCat("--allow-url-host, --allow-url-cidr: ",
                                      std::string(gate.message())));
  }
  if (config.allow_hosts().empty() &&
      (config.allow_http() || !config.allow_cidrs().empty() ||
       !config.ca_file().empty())) {
    violations.push_back(
        "--allow-url-http, --allow-url-cidr and --url-ca mean nothing without "
        "--allow-url-host");
  }
  if (!config.ca_file().empty()) {
    std::ifstream stream(config.ca_file());
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    if (!absl::StrContains(text, "-----BEGIN CERTIFICATE-----")) {
      violations.push_back(absl::StrCat("--url-ca ", config.ca_file(),
                                        " is no readable PEM file with "
                                        "certificates"));
    }
  }
  return violations;
}

config::v1::UrlConfig WriteUrlConfig(const SegmenterOptions& options) {
  config::v1::UrlConfig config;
  for (const std::string& host : options.url_gate.hosts) {
    config.add_allow_hosts(host);
  }
  for (const std::string& network : options.url_gate.networks) {
    config.add_allow_cidrs(network);
  }
  config.set_allow_http(options.url_gate.allow_http);
  config.set_ca_file(options.url_fetch.ca_file);
  config.set_stall_seconds(
      static_cast<int>(absl::ToInt64Seconds(options.live.stall_after)));
  return config;
}

}  // namespace sam3
