#include "service/keys/authenticator.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

absl::Status Unauthenticated(absl::string_view message,
                             absl::string_view reason) {
  return WithReason(absl::UnauthenticatedError(message), reason);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const CallPermit>> Authenticator::Admit(
    const PresentedKeys& presented, Scope scope) {
  absl::StatusOr<KeyRecord> key = Identify(presented);
  const std::string id = key.ok() ? key->id : "";
  absl::Status refusal = key.ok() ? Judge(*key, scope) : key.status();
  if (!refusal.ok()) {
    metrics_.CountRefusal(ReasonOf(refusal));
    log_.Refused(presented.peer, ReasonOf(refusal), id);
    return refusal;
  }
  const auto place = scope == Scope::kStream ? KeyUsage::Place::kStream
                                             : KeyUsage::Place::kCall;
  std::shared_ptr<KeyUsage> usage = UsageOf(id);
  refusal = usage->Enter(key->limits, place);
  if (!refusal.ok()) {
    metrics_.CountRefusal(ReasonOf(refusal));
    return refusal;
  }
  return std::make_shared<const CallPermit>(*std::move(key), scope,
                                            std::move(usage), place);
}

absl::StatusOr<KeyRecord> Authenticator::Identify(
    const PresentedKeys& presented) const {
  absl::string_view text;
  for (const absl::string_view key : presented.keys) {
    const absl::string_view stripped = absl::StripAsciiWhitespace(key);
    if (stripped.empty()) continue;
    if (!text.empty()) {
      return Unauthenticated("the call presents more than one key; send one",
                             reason::kKeyInvalid);
    }
    text = stripped;
  }
  if (text.empty()) {
    return Unauthenticated(
        "this server asks for a key: send \"authorization: Bearer KEY\" or "
        "\"x-api-key: KEY\" with every call",
        reason::kKeyMissing);
  }
  const absl::StatusOr<KeyText> parsed = ParseKeyText(text);
  if (!parsed.ok()) {
    return Unauthenticated(parsed.status().message(), reason::kKeyInvalid);
  }
  const std::shared_ptr<const KeySet> keys = ring_.keys();
  const auto found = keys->find(parsed->id);
  const KeyRecord nobody;
  const KeyRecord& key = found == keys->end() ? nobody : found->second;
  const bool same = SameDigest(DigestOf(parsed->secret), key.secret_digest);
  if (!same || key.id.empty()) {
    return Unauthenticated("the key is not one of this server's",
                           reason::kKeyInvalid);
  }
  return key;
}

absl::Status Authenticator::Judge(const KeyRecord& key, Scope scope) const {
  if (key.revoked) {
    return Unauthenticated("the key was revoked", reason::kKeyRevoked);
  }
  if (clock_.Now() >= key.expires) {
    return Unauthenticated(
        absl::StrCat("the key expired at ",
                     absl::FormatTime(absl::RFC3339_sec, key.expires,
                                      absl::UTCTimeZone())),
        reason::kKeyExpired);
  }
  if (!key.Allows(scope)) {
    return WithReason(absl::PermissionDeniedError(absl::StrCat(
                          "the key is not good for this: it lacks the scope \"",
                          NameOf(scope), "\"")),
                      reason::kKeyScope);
  }
  return absl::OkStatus();
}

absl::Status Authenticator::Recheck(const CallPermit& permit) const {
  if (permit.key_id().empty()) return absl::OkStatus();
  const std::shared_ptr<const KeySet> keys = ring_.keys();
  const auto found = keys->find(permit.key_id());
  if (found == keys->end() ||
      !SameDigest(found->second.secret_digest, permit.key().secret_digest)) {
    return Unauthenticated("the key was revoked", reason::kKeyRevoked);
  }
  return Judge(found->second, permit.scope());
}

std::shared_ptr<KeyUsage> Authenticator::UsageOf(const std::string& id) {
  const std::shared_ptr<const KeySet> keys = ring_.keys();
  const absl::MutexLock lock(&mutex_);
  std::shared_ptr<KeyUsage>& usage = usages_[id];
  if (usage == nullptr) usage = std::make_shared<KeyUsage>(clock_);
  std::shared_ptr<KeyUsage> own = usage;
  if (usages_.size() > keys->size()) {
    absl::erase_if(usages_, [&keys](const auto& entry) {
      return !keys->contains(entry.first);
    });
  }
  return own;
}

}  // namespace sam3
