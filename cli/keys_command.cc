// keys: makes, lists and revokes the keys of a file; needs no server.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "inference/base/clock.h"
#include "inference/base/status_macros.h"
#include "nlohmann/json.hpp"
#include "service/keys/key_file.h"
#include "service/keys/key_file_edit.h"

namespace sam3 {
namespace {

using KeyJson = nlohmann::ordered_json;

struct KeyFlags {
  std::string file;
  std::string id;
  std::string scopes = "*";
  std::string expires;
  std::vector<std::string> limits;
  bool json = false;
};

absl::StatusOr<std::vector<Scope>> ParseScopes(const std::string& text) {
  std::vector<Scope> scopes;
  for (const absl::string_view name : absl::StrSplit(text, ',')) {
    const auto scope = ScopeOf(name);
    if (!scope.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--scopes ", text, ": ", scope.status().message()));
    }
    scopes.push_back(*scope);
  }
  return scopes;
}

// "2027-01-31", "2027-01-31T12:00:00Z" or "90d".
absl::StatusOr<absl::Time> ParseExpiry(absl::string_view text, absl::Time now) {
  if (text.empty()) return absl::InfiniteFuture();
  absl::Time time;
  absl::string_view number = text;
  int days = 0;
  if (absl::ConsumeSuffix(&number, "d") && absl::SimpleAtoi(number, &days) &&
      days > 0) {
    return now + absl::Hours(24) * days;
  }
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error) &&
      !absl::ParseTime("%Y-%m-%d", text, &time, &error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--expires ", text,
                     ": must be a day or a time, as in 2027-01-31 or "
                     "2027-01-31T12:00:00Z, or a number of days, as in 90d"));
  }
  if (time <= now) {
    return absl::InvalidArgumentError(
        absl::StrCat("--expires ", text, ": is over already"));
  }
  return time;
}

absl::StatusOr<KeyLimits> ParseLimits(const std::vector<std::string>& texts) {
  KeyLimits limits;
  for (const std::string& text : texts) {
    const std::vector<std::string> parts = absl::StrSplit(text, '=');
    double value = 0;
    absl::Status set = absl::InvalidArgumentError(
        "must be NAME=NUMBER, as in requests_per_second=20");
    if (parts.size() == 2 && absl::SimpleAtod(parts[1], &value)) {
      set = SetLimit(parts[0], value, &limits);
    }
    if (!set.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--limit ", text, ": ", set.message()));
    }
  }
  return limits;
}

std::string TimeText(absl::Time time) {
  return time == absl::InfiniteFuture()
             ? "never"
             : absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time,
                                absl::UTCTimeZone());
}

const char* StatusOf(const KeyRecord& key, absl::Time now) {
  if (key.revoked) return "revoked";
  return key.expires <= now ? "expired" : "active";
}

std::string ScopesText(const KeyRecord& key) {
  return absl::StrJoin(key.scopes, ",", [](std::string* out, Scope scope) {
    absl::StrAppend(out, NameOf(scope));
  });
}

KeyJson KeyToJson(const KeyRecord& key, absl::Time now) {
  KeyJson json;
  json["id"] = key.id;
  json["status"] = StatusOf(key, now);
  json["scopes"] = KeyJson::array();
  for (const Scope scope : key.scopes) {
    json["scopes"].push_back(std::string(NameOf(scope)));
  }
  json["expires"] = key.expires == absl::InfiniteFuture()
                        ? KeyJson()
                        : KeyJson(TimeText(key.expires));
  json["limits"] = KeyJson::object();
  for (const auto& [name, value] : ListLimits(key.limits)) {
    json["limits"][name] = value;
  }
  return json;
}

absl::Status New(const KeyFlags& flags) {
  const absl::Time now = RealClock().Now();
  KeyRecord key;
  key.id = flags.id;
  SAM3_ASSIGN_OR_RETURN(key.scopes, ParseScopes(flags.scopes));
  SAM3_ASSIGN_OR_RETURN(key.expires, ParseExpiry(flags.expires, now));
  SAM3_ASSIGN_OR_RETURN(key.limits, ParseLimits(flags.limits));
  SAM3_ASSIGN_OR_RETURN(const NewKey made, MakeKey(flags.id));
  key.secret_digest = made.digest;
  SAM3_RETURN_IF_ERROR(
      EditKeyFile(flags.file, [&key](std::vector<KeyRecord>* keys) {
        for (const KeyRecord& known : *keys) {
          if (known.id != key.id) continue;
          return absl::AlreadyExistsError(absl::StrCat(
              "there is a key \"", key.id, "\" already; take another --id"));
        }
        keys->push_back(key);
        return absl::OkStatus();
      }));
  if (flags.json) {
    KeyJson json = KeyToJson(key, now);
    json["key"] = made.text.Reveal();
    std::printf("%s\n", json.dump().c_str());
    return absl::OkStatus();
  }
  std::fprintf(stderr,
               "This is the key \"%s\", shown this once: %s keeps a digest of "
               "it.\n",
               key.id.c_str(), flags.file.c_str());
  std::printf("%s\n", made.text.Reveal().c_str());
  return absl::OkStatus();
}

absl::Status List(const KeyFlags& flags) {
  SAM3_ASSIGN_OR_RETURN(const std::vector<KeyRecord> keys,
                        ReadKeyFile(flags.file));
  const absl::Time now = RealClock().Now();
  if (flags.json) {
    KeyJson list = KeyJson::array();
    for (const KeyRecord& key : keys) list.push_back(KeyToJson(key, now));
    std::printf("%s\n", KeyJson{{"keys", list}}.dump(2).c_str());
    return absl::OkStatus();
  }
  std::printf("%-24s  %-8s  %-20s  %-18s  %s\n", "ID", "STATUS", "EXPIRES",
              "SCOPES", "LIMITS");
  for (const KeyRecord& key : keys) {
    std::string limits =
        absl::StrJoin(ListLimits(key.limits), " ", absl::PairFormatter("="));
    std::printf("%-24s  %-8s  %-20s  %-18s  %s\n", key.id.c_str(),
                StatusOf(key, now), TimeText(key.expires).c_str(),
                ScopesText(key).c_str(),
                limits.empty() ? "none" : limits.c_str());
  }
  return absl::OkStatus();
}

absl::Status Revoke(const KeyFlags& flags) {
  SAM3_RETURN_IF_ERROR(
      EditKeyFile(flags.file, [&flags](std::vector<KeyRecord>* keys) {
        for (KeyRecord& key : *keys) {
          if (key.id != flags.id) continue;
          key.revoked = true;
          return absl::OkStatus();
        }
        return absl::NotFoundError(absl::StrCat(flags.file, " has no key \"",
                                                flags.id,
                                                "\"; see sam3ctl keys "
                                                "list"));
      }));
  if (flags.json) {
    std::printf(
        "%s\n",
        KeyJson{{"id", flags.id}, {"status", "revoked"}}.dump().c_str());
  } else {
    std::printf("revoked %s\n", flags.id.c_str());
  }
  return absl::OkStatus();
}

CLI::App* AddAction(CLI::App* app, const char* name, const char* help,
                    KeyFlags* flags) {
  CLI::App* action = app->add_subcommand(name, help);
  action->add_option("--file", flags->file, "Key file, as of --keys")
      ->required();
  action->add_flag("--json", flags->json, "Print JSON");
  return action;
}

}  // namespace

RunCommand AddKeysCommand(CLI::App* app) {
  auto flags = std::make_shared<KeyFlags>();
  app->require_subcommand(1);
  CLI::App* make =
      AddAction(app, "new", "Make a key and print it", flags.get());
  make->add_option("--id", flags->id,
                   "Its name: lower-case letters, digits and dashes")
      ->required();
  make->add_option("--scopes", flags->scopes,
                   "What it is good for: segment, embed, stream, info, or * "
                   "for everything")
      ->capture_default_str();
  make->add_option("--expires", flags->expires,
                   "2027-01-31, 2027-01-31T12:00:00Z or 90d (default: never)");
  make->add_option("--limit", flags->limits,
                   "requests_per_second=N, burst=N, concurrent=N, streams=N or "
                   "megapixels_per_second=N; repeat for more (default: none)")
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::App* list = AddAction(app, "list", "List the keys", flags.get());
  CLI::App* revoke =
      AddAction(app, "revoke", "Make a key useless", flags.get());
  revoke->add_option("id", flags->id, "Its name")->required();
  app->footer(
      "Servers notice changes of the file by themselves.\n"
      "Examples:\n"
      "  sam3ctl keys new --file keys.json --id cam-7 > cam-7.key\n"
      "  sam3ctl keys new --file keys.json --id lab --scopes segment,info \\\n"
      "      --expires 90d --limit requests_per_second=20 --limit streams=2\n"
      "  sam3ctl keys list --file keys.json\n"
      "  sam3ctl keys revoke --file keys.json cam-7\n");
  return [flags, make, list] {
    const absl::Status status = make->parsed()   ? New(*flags)
                                : list->parsed() ? List(*flags)
                                                 : Revoke(*flags);
    return status.ok() ? 0 : Complain(status, kWrongUsage);
  };
}

}  // namespace sam3
