#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace spdlog {
class logger;
}

namespace sam3 {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kKeyValue, kJson };

// Writes one line per event to standard error, as key=value pairs or JSON:
//
//   logger->Log(LogLevel::kInfo, "stream_opened",
//               {{"stream", id}, {"prompts", absl::StrCat(count)}});
//
// Values are escaped, so that text from a client can never start a new line or
// forge a field. Thread-safe; never throws; a log sink that is full or closed
// loses lines, never requests. Secrets are the caller's duty: never pass keys
// or URLs with credentials.
class Logger {
 public:
  using Field = std::pair<absl::string_view, std::string>;

  Logger(LogLevel minimum, LogFormat format);
  ~Logger();

  void Log(LogLevel level, absl::string_view event,
           std::initializer_list<Field> fields) const;

 private:
  std::shared_ptr<spdlog::logger> sink_;
  const LogLevel minimum_;
  const LogFormat format_;
};

}  // namespace sam3
