#include "service/keys/refusal_log.h"

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

constexpr absl::string_view kOthers = "others";

}  // namespace

void RefusalLog::Refused(absl::string_view peer, absl::string_view reason,
                         absl::string_view key_id) {
  int64_t left_out = 0;
  if (logger_ == nullptr || !TakeTurn(std::string(peer), &left_out)) return;
  logger_->Log(LogLevel::kWarning, "key_refused",
               {{"peer", std::string(peer)},
                {"reason", std::string(reason)},
                {"key", std::string(key_id)},
                {"left_out", absl::StrCat(left_out)}});
}

bool RefusalLog::TakeTurn(const std::string& peer, int64_t* left_out) {
  const absl::Time now = clock_.Now();
  const absl::MutexLock lock(&mutex_);
  auto found = peers_.find(peer);
  if (found == peers_.end()) {
    if (peers_.size() >= kMaxPeers) {
      absl::erase_if(peers_, [now](const auto& entry) {
        return entry.second.next <= now;
      });
    }
    const bool room = peers_.size() < kMaxPeers;
    found = peers_.try_emplace(room ? peer : std::string(kOthers)).first;
  }
  Turn& turn = found->second;
  // Also after the clock was set back, whatever `next` was then.
  if (now < turn.next && turn.next - now <= kInterval) {
    ++turn.left_out;
    return false;
  }
  *left_out = turn.left_out;
  turn = {now + kInterval, 0};
  return true;
}

}  // namespace sam3
