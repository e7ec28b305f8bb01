#include "pipeline/embedding_cache.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"
#include "pipeline/tenant_key.h"

namespace sam3 {
std::optional<CachedPicture> EmbeddingCache::FindDigest(
    const std::string& tenant, const std::string& digest) {
  const absl::MutexLock lock(&mutex_);
  const auto found = pictures_.Find(TenantKey(tenant, digest));
  if (found == nullptr) return std::nullopt;
  return *found;
}

std::optional<CachedPicture> EmbeddingCache::FindName(
    const std::string& tenant, const std::string& image_id) {
  const absl::MutexLock lock(&mutex_);
  const std::string own_key = TenantKey(tenant, image_id);
  const auto name = names_.find(own_key);
  const auto found =
      pictures_.Find(name == names_.end() ? own_key : name->second);
  if (found == nullptr) {
    names_.erase(own_key);
    return std::nullopt;
  }
  CachedPicture picture = *found;
  picture.info.image_id = image_id;
  return picture;
}

absl::Status EmbeddingCache::CheckName(const std::string& tenant,
                                       const std::string& image_id,
                                       const std::string& digest) {
  const std::optional<CachedPicture> known = FindName(tenant, image_id);
  if (!known.has_value() || known->info.digest == digest) {
    return absl::OkStatus();
  }
  return WithField(
      WithReason(absl::FailedPreconditionError(absl::StrCat(
                     "image_id \"", image_id,
                     "\" already names another picture; choose another id, or "
                     "leave it out")),
                 reason::kImageIdConflict),
      "image.image_id");
}

void EmbeddingCache::Insert(const std::string& tenant, CachedPicture picture) {
  const absl::MutexLock lock(&mutex_);
  const std::string key = TenantKey(tenant, picture.info.digest);
  if (!picture.info.image_id.empty()) {
    names_[TenantKey(tenant, picture.info.image_id)] = key;
  }
  const size_t bytes = picture.embedding->size_bytes();
  pictures_.Insert(key, std::make_shared<CachedPicture>(std::move(picture)),
                   bytes);
  if (names_.size() > 2 * pictures_.count() + 16) {
    absl::erase_if(
        names_, [this](const auto& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          return !pictures_.Contains(name.second);
        });
  }
  Publish();
}

void EmbeddingCache::Clear() {
  const absl::MutexLock lock(&mutex_);
  pictures_.ShrinkTo(0);
  names_.clear();
  Publish();
}

void EmbeddingCache::Publish() {
  metrics_.image_cache_bytes.Set(static_cast<int64_t>(pictures_.size_bytes()));
  metrics_.image_cache_evictions.Add(pictures_.evictions() -
                                     counted_evictions_);
  counted_evictions_ = pictures_.evictions();
}

}  // namespace sam3
