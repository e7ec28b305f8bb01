#include "service/keys/key_ring.h"

#include <pthread.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeyRing>> KeyRing::Open(const Options& options,
                                                       KeyMetrics& metrics,
                                                       const Logger* logger) {
  // Watched before it is read: a change in between is then seen.
  std::unique_ptr<KeyRing> ring(new KeyRing(options, metrics, logger));
  const absl::Status loaded = ring->Reload();
  if (!loaded.ok()) {
    return absl::Status(loaded.code(),
                        absl::StrCat(options.path, ": ", loaded.message()));
  }
  ring->thread_ = std::thread([&keys = *ring] { keys.Watch(); });
  pthread_setname_np(ring->thread_.native_handle(), "sam3-keys");
  return ring;
}

KeyRing::KeyRing(const Options& options, KeyMetrics& metrics,
                 const Logger* logger)
    : options_(options),
      metrics_(metrics),
      logger_(logger),
      watch_(FolderOf(options.path)) {}

KeyRing::~KeyRing() {
  watch_.Stop();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const KeySet> KeyRing::keys() const {
  const absl::MutexLock lock(&mutex_);
  return keys_;
}

void KeyRing::Watch() {
  while (watch_.Await(options_.poll_interval)) {
    const absl::Status loaded = Reload();
    if (!loaded.ok()) KeepOld(loaded);
  }
}

absl::Status KeyRing::Reload() {
  SAM3_ASSIGN_OR_RETURN(std::string text, ReadKeyFileText(options_.path));
  if (text == last_text_ && last_error_.empty()) return absl::OkStatus();
  SAM3_ASSIGN_OR_RETURN(const std::vector<KeyRecord> keys, ParseKeyFile(text));
  last_text_ = std::move(text);
  last_error_.clear();
  PutInForce(keys);
  return absl::OkStatus();
}

void KeyRing::PutInForce(const std::vector<KeyRecord>& keys) {
  auto set = std::make_shared<KeySet>();
  for (const KeyRecord& key : keys) set->emplace(key.id, key);
  metrics_.keys.Set(static_cast<int64_t>(set->size()));
  metrics_.stale.Set(0);
  metrics_.reloads.Add();
  {
    const absl::MutexLock lock(&mutex_);
    keys_ = std::move(set);
  }
  if (logger_ != nullptr) {
    logger_->Log(
        LogLevel::kInfo, "keys_loaded",
        {{"file", options_.path}, {"keys", absl::StrCat(keys.size())}});
  }
}

void KeyRing::KeepOld(const absl::Status& why) {
  // Told once, not with every look at the same file.
  std::string error(why.message());
  if (error == last_error_) return;
  last_error_ = std::move(error);
  metrics_.failed_reloads.Add();
  metrics_.stale.Set(1);
  if (logger_ != nullptr) {
    logger_->Log(LogLevel::kError, "keys_not_loaded",
                 {{"file", options_.path},
                  {"why", last_error_},
                  {"keys_kept", absl::StrCat(keys()->size())}});
  }
}

}  // namespace sam3
