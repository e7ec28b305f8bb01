#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/keys/key_text.h"

namespace sam3 {

// The file that says which keys there are: JSON, without any secret.
//
//   {"keys": [{"id": "cam-7",
//              "secret_sha256": "9f86d0…",
//              "scopes": ["segment", "stream"],
//              "expires": "2027-01-31T00:00:00Z",
//              "revoked": false,
//              "limits": {"requests_per_second": 20, "burst": 40,
//                         "concurrent": 8, "streams": 2,
//                         "megapixels_per_second": 60}}]}
//
// Only id, secret_sha256 and scopes are required; a limit that is absent does
// not exist. sam3ctl keys writes such files.
//
// Pure functions but for the last two; any thread.

// What a key may be used for. kAll ("*") is everything, later scopes included.
enum class Scope { kAll, kSegment, kEmbed, kStream, kInfo };
inline constexpr absl::string_view kScopeNames[] = {"*", "segment", "embed",
                                                    "stream", "info"};

struct KeyLimits {
  std::optional<double> requests_per_second = {};
  // Requests at once after a pause; a second's worth unless told otherwise.
  std::optional<int> burst = {};
  // Calls at a time that are no streams.
  std::optional<int> concurrent = {};
  std::optional<int> streams = {};
  std::optional<double> megapixels_per_second = {};
};

struct KeyRecord {
  std::string id = {};
  SecretDigest secret_digest{};
  std::vector<Scope> scopes = {};
  absl::Time expires = absl::InfiniteFuture();
  bool revoked = false;
  KeyLimits limits = {};

  bool Allows(Scope scope) const;
};

absl::string_view NameOf(Scope scope);
absl::StatusOr<Scope> ScopeOf(absl::string_view name);

// Sets a limit by its name in the file. INVALID_ARGUMENT for unknown names and
// values out of range.
absl::Status SetLimit(absl::string_view name, double value, KeyLimits* limits);

// Names and values of the limits that are set, in the file's order.
std::vector<std::pair<std::string, double>> ListLimits(const KeyLimits& limits);

// INVALID_ARGUMENT lists everything that is wrong, with paths such as
// "keys[2].limits.streams"; it repeats no digests.
absl::StatusOr<std::vector<KeyRecord>> ParseKeyFile(absl::string_view text);
std::string FormatKeyFile(const std::vector<KeyRecord>& keys);

// NOT_FOUND when the file cannot be read. Blocks on the disk.
absl::StatusOr<std::string> ReadKeyFileText(const std::string& path);
// Both in one; errors begin with the file's name.
absl::StatusOr<std::vector<KeyRecord>> ReadKeyFile(const std::string& path);

}  // namespace sam3
