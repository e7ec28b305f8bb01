#include "inference/base/logging.h"

#include <cstddef>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace sam3 {
namespace {

constexpr size_t kMaxValueLength = 512;

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

bool NeedsQuotes(absl::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

std::string Timestamp() {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(),
                          absl::UTCTimeZone());
}

}  // namespace

Logger::Logger(LogLevel minimum, LogFormat format)
    : sink_(std::make_shared<spdlog::logger>(
          "sam3", std::make_shared<spdlog::sinks::stderr_sink_mt>())),
      minimum_(minimum),
      format_(format) {
  sink_->set_pattern("%v");
  sink_->set_level(spdlog::level::trace);
  sink_->flush_on(spdlog::level::trace);
  // A closed pipe must not print a second complaint per line.
  sink_->set_error_handler([](const std::string&) {});
}

Logger::~Logger() = default;

void Logger::Log(LogLevel level, absl::string_view event,
                 std::initializer_list<Field> fields) const {
  if (level < minimum_) return;
  std::string line;
  if (format_ == LogFormat::kJson) {
    nlohmann::ordered_json json;
    json["time"] = Timestamp();
    json["level"] = std::string(LevelName(level));
    json["event"] = std::string(event);
    for (const auto& [key, value] : fields) {
      json[std::string(key)] = value.substr(0, kMaxValueLength);
    }
    line = json.dump(-1, ' ', true,
                     nlohmann::ordered_json::error_handler_t::replace);
  } else {
    line = absl::StrCat(Timestamp(), " ", LevelName(level), " ", event);
    for (const auto& [key, value] : fields) {
      const absl::string_view shown =
          absl::string_view(value).substr(0, kMaxValueLength);
      absl::StrAppend(&line, " ", key, "=");
      if (NeedsQuotes(shown)) {
        absl::StrAppend(&line, "\"", absl::Utf8SafeCEscape(shown), "\"");
      } else {
        absl::StrAppend(&line, shown);
      }
    }
  }
  sink_->log(spdlog::level::info, spdlog::string_view_t(line));
}

}  // namespace sam3
