#include "service/keys/key_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "inference/base/status_macros.h"
#include "service/keys/strict_json.h"

namespace sam3 {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxFileBytes = 16 << 20;

// One limit: its name, its range, and where it is kept.
struct LimitField {
  absl::string_view name;
  double low;
  double high;
  std::optional<double> KeyLimits::*rate = nullptr;
  std::optional<int> KeyLimits::*count = nullptr;
};
constexpr LimitField kLimitFields[] = {
    {"requests_per_second", 1e-3, 1e6, &KeyLimits::requests_per_second},
    {"burst", 1, 1e6, nullptr, &KeyLimits::burst},
    {"concurrent", 1, 1e6, nullptr, &KeyLimits::concurrent},
    {"streams", 0, 1e6, nullptr, &KeyLimits::streams},
    {"megapixels_per_second", 1e-3, 1e6, &KeyLimits::megapixels_per_second}};

std::string AllLimitNames() {
  return absl::StrJoin(kLimitFields, ", ",
                       [](std::string* out, const LimitField& field) {
                         out->append(field.name.data(), field.name.size());
                       });
}

// Reads values one by one and remembers what is wrong.
class KeyFileReader {
 public:
  absl::StatusOr<std::vector<KeyRecord>> Read(const Json& document) {
    if (!document.is_object() || !document.contains("keys") ||
        !document["keys"].is_array()) {
      Violate("", "must be an object with an array \"keys\"");
    } else {
      OnlyMembers(document, "", {"keys"});
      for (const Json& entry : document["keys"]) {
        ReadKey(entry, absl::StrCat("keys[", keys_.size(), "]"));
      }
    }
    if (violations_.empty()) return std::move(keys_);
    return absl::InvalidArgumentError(absl::StrJoin(violations_, "; "));
  }

 private:
  void Violate(const std::string& path, absl::string_view what) {
    violations_.push_back(absl::StrCat(path, path.empty() ? "" : " ", what));
  }

  void OnlyMembers(const Json& object, const std::string& path,
                   const std::set<std::string>& known) {
    for (const auto& [name, value] : object.items()) {
      if (known.count(name) != 0) continue;
      Violate(path,
              absl::StrCat("has an unknown member \"", absl::CHexEscape(name),
                           "\"; known are ", absl::StrJoin(known, ", ")));
    }
  }

  // Empty when it is absent or no string; says so when it has to be there.
  std::string Text(const Json& object, const char* name,
                   const std::string& path, bool required) {
    if (!object.contains(name)) {
      if (required) Violate(path, absl::StrCat("has no \"", name, "\""));
      return "";
    }
    if (!object[name].is_string()) {
      Violate(absl::StrCat(path, ".", name), "must be a string");
      return "";
    }
    return object[name].get<std::string>();
  }

  void ReadKey(const Json& entry, const std::string& path) {
    KeyRecord& key = keys_.emplace_back();
    if (!entry.is_object()) return Violate(path, "must be an object");
    OnlyMembers(
        entry, path,
        {"id", "secret_sha256", "scopes", "expires", "revoked", "limits"});
    ReadId(entry, path, &key);
    ReadDigest(entry, path, &key);
    ReadScopes(entry, path, &key);
    const std::string expires = Text(entry, "expires", path, false);
    std::string error;
    if (!expires.empty() &&
        !absl::ParseTime(absl::RFC3339_full, expires, &key.expires, &error)) {
      Violate(absl::StrCat(path, ".expires"),
              "must be a time as in 2027-01-31T00:00:00Z");
    }
    if (entry.contains("revoked")) {
      if (!entry["revoked"].is_boolean()) {
        Violate(absl::StrCat(path, ".revoked"), "must be true or false");
      } else {
        key.revoked = entry["revoked"].get<bool>();
      }
    }
    if (entry.contains("limits")) {
      ReadLimits(entry["limits"], absl::StrCat(path, ".limits"), &key.limits);
    }
  }

  void ReadId(const Json& entry, const std::string& path, KeyRecord* key) {
    key->id = Text(entry, "id", path, true);
    if (key->id.empty()) return;
    if (!IsKeyId(key->id)) {
      Violate(absl::StrCat(path, ".id"),
              absl::StrCat("must have 1 to ", kMaxKeyIdBytes,
                           " lower-case letters, digits and dashes"));
    } else if (!ids_.insert(key->id).second) {
      Violate(absl::StrCat(path, ".id"),
              absl::StrCat("\"", key->id, "\" is taken by another key"));
    }
  }

  void ReadDigest(const Json& entry, const std::string& path, KeyRecord* key) {
    const std::string hex = Text(entry, "secret_sha256", path, true);
    if (hex.empty()) return;
    const bool good = hex.size() == 2 * key->secret_digest.size() &&
                      std::all_of(hex.begin(), hex.end(), [](unsigned char c) {
                        return absl::ascii_isxdigit(c);
                      });
    if (!good) {
      return Violate(absl::StrCat(path, ".secret_sha256"),
                     "must have 64 hexadecimal digits");
    }
    const std::string bytes = absl::HexStringToBytes(hex);
    std::copy(bytes.begin(), bytes.end(), key->secret_digest.begin());
  }

  void ReadScopes(const Json& entry, const std::string& path, KeyRecord* key) {
    if (!entry.contains("scopes") || !entry["scopes"].is_array() ||
        entry["scopes"].empty()) {
      return Violate(path, "must have \"scopes\", a list of at least one");
    }
    for (const Json& name : entry["scopes"]) {
      const auto scope =
          ScopeOf(name.is_string() ? name.get<std::string>() : "");
      if (!scope.ok()) {
        Violate(absl::StrCat(path, ".scopes"),
                std::string(scope.status().message()));
      } else {
        key->scopes.push_back(*scope);
      }
    }
  }

  void ReadLimits(const Json& object, const std::string& path,
                  KeyLimits* limits) {
    if (!object.is_object()) return Violate(path, "must be an object");
    for (const auto& [name, value] : object.items()) {
      const absl::Status set =
          value.is_number() ? SetLimit(name, value.get<double>(), limits)
                            : absl::InvalidArgumentError("must be a number");
      if (!set.ok()) {
        Violate(absl::StrCat(path, ".", absl::CHexEscape(name)),
                std::string(set.message()));
      }
    }
  }

  std::vector<KeyRecord> keys_;
  std::set<std::string> ids_;
  std::vector<std::string> violations_;
};

}  // namespace

bool KeyRecord::Allows(Scope scope) const {
  return std::any_of(scopes.begin(), scopes.end(), [scope](Scope own) {
    return own == Scope::kAll || own == scope;
  });
}

absl::string_view NameOf(Scope scope) {
  return kScopeNames[static_cast<size_t>(scope)];
}

absl::StatusOr<Scope> ScopeOf(absl::string_view name) {
  const auto* found =
      std::find(std::begin(kScopeNames), std::end(kScopeNames), name);
  if (found == std::end(kScopeNames)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a scope is one of ", absl::StrJoin(kScopeNames, ", ")));
  }
  return static_cast<Scope>(found - kScopeNames);
}

absl::Status SetLimit(absl::string_view name, double value, KeyLimits* limits) {
  const auto* field = std::find_if(
      std::begin(kLimitFields), std::end(kLimitFields),
      [name](const LimitField& known) { return known.name == name; });
  if (field == std::end(kLimitFields)) {
    return absl::InvalidArgumentError(
        absl::StrCat("is no limit; known are ", AllLimitNames()));
  }
  const bool whole = field->count != nullptr;
  if (!(value >= field->low && value <= field->high) ||
      (whole && value != std::floor(value))) {
    return absl::InvalidArgumentError(
        absl::StrCat("must be a ", whole ? "whole number" : "number", " from ",
                     field->low, " to ", field->high));
  }
  if (whole) {
    limits->*field->count = static_cast<int>(value);
  } else {
    limits->*field->rate = value;
  }
  return absl::OkStatus();
}

std::vector<std::pair<std::string, double>> ListLimits(
    const KeyLimits& limits) {
  std::vector<std::pair<std::string, double>> list;
  for (const LimitField& field : kLimitFields) {
    std::optional<double> value;
    if (field.rate != nullptr) {
      value = limits.*field.rate;
    } else if ((limits.*field.count).has_value()) {
      value = *(limits.*field.count);
    }
    if (value.has_value()) list.emplace_back(std::string(field.name), *value);
  }
  return list;
}

absl::StatusOr<std::vector<KeyRecord>> ParseKeyFile(absl::string_view text) {
  SAM3_ASSIGN_OR_RETURN(const Json document, ParseStrictJson(text));
  return KeyFileReader().Read(document);
}

std::string FormatKeyFile(const std::vector<KeyRecord>& keys) {
  Json list = Json::array();
  for (const KeyRecord& key : keys) {
    Json entry;
    entry["id"] = key.id;
    entry["secret_sha256"] = absl::BytesToHexString(absl::string_view(
        reinterpret_cast<const char*>(key.secret_digest.data()),
        key.secret_digest.size()));
    entry["scopes"] = Json::array();
    for (const Scope scope : key.scopes) {
      entry["scopes"].push_back(std::string(NameOf(scope)));
    }
    if (key.expires != absl::InfiniteFuture()) {
      entry["expires"] = absl::FormatTime(absl::RFC3339_full, key.expires,
                                          absl::UTCTimeZone());
    }
    if (key.revoked) entry["revoked"] = true;
    for (const auto& [name, value] : ListLimits(key.limits)) {
      // Whole numbers are easier to read without a point.
      if (value == std::floor(value)) {
        entry["limits"][name] = static_cast<int64_t>(value);
      } else {
        entry["limits"][name] = value;
      }
    }
    list.push_back(std::move(entry));
  }
  return Json{{"keys", std::move(list)}}.dump(2) + "\n";
}

absl::StatusOr<std::string> ReadKeyFileText(const std::string& path) {
  // Reading a folder throws.
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::NotFoundError("cannot be read: it is a folder");
  }
  std::ifstream stream(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (!stream.is_open() || stream.bad()) {
    return absl::NotFoundError("cannot be read");
  }
  if (text.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has more than ", kMaxFileBytes, " bytes"));
  }
  return text;
}

absl::StatusOr<std::vector<KeyRecord>> ReadKeyFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadKeyFileText(path);
  absl::StatusOr<std::vector<KeyRecord>> keys =
      text.ok() ? ParseKeyFile(*text)
                : absl::StatusOr<std::vector<KeyRecord>>(text.status());
  if (keys.ok()) return keys;
  return absl::Status(keys.status().code(),
                      absl::StrCat(path, ": ", keys.status().message()));
}

}  // namespace sam3
