#include "pipeline/logits_cache.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pipeline/tenant_key.h"

namespace sam3 {
namespace {

// Whether every click of `fewer` is one of `more`, each counted once, and
// `more` has others besides.
bool GoesBeyond(const ObjectPrompt& more, const ObjectPrompt& fewer) {
  if (more.box != fewer.box || fewer.clicks.size() >= more.clicks.size()) {
    return false;
  }
  std::vector<Click> left = more.clicks;
  return std::all_of(
      fewer.clicks.begin(), fewer.clicks.end(), [&left](const Click& click) {
        const auto found = std::find(left.begin(), left.end(), click);
        if (found == left.end()) return false;
        left.erase(found);
        return true;
      });
}

bool AsksNothing(const ObjectPrompt& prompt) {
  return prompt.clicks.empty() && !prompt.box.has_value();
}

}  // namespace

std::string LogitsCache::Insert(const std::string& tenant,
                                const std::string& digest,
                                const ObjectPrompt& prompt, bool best,
                                LowResMask logits) {
  const size_t bytes = sizeof(Kept) + logits.values.size() * sizeof(float);
  const absl::MutexLock lock(&mutex_);
  std::string handle = absl::StrCat(
      absl::Hex(absl::Uniform<uint64_t>(random_), absl::kZeroPad16),
      absl::Hex(absl::Uniform<uint64_t>(random_), absl::kZeroPad16));
  const std::string key = TenantKey(tenant, handle);
  kept_.Insert(key,
               std::make_shared<Kept>(
                   Kept{digest, prompt,
                        std::make_shared<const LowResMask>(std::move(logits))}),
               bytes);
  if (best && !AsksNothing(prompt)) {
    by_picture_[TenantKey(tenant, digest)].push_back(key);
  }
  if (by_picture_.size() > 2 * kept_.count() + 16) {
    absl::erase_if(by_picture_,
                   [this](auto& picture) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                     return std::none_of(
                         picture.second.begin(), picture.second.end(),
                         [this](const std::string& kept)
                             ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                               return kept_.Contains(kept);
                             });
                   });
  }
  Publish();
  return handle;
}

std::shared_ptr<const LowResMask> LogitsCache::Find(const std::string& tenant,
                                                    const std::string& digest,
                                                    const std::string& handle) {
  const absl::MutexLock lock(&mutex_);
  const auto found = kept_.Find(TenantKey(tenant, handle));
  if (found == nullptr || found->digest != digest) {
    metrics_.logits_cache_misses.Add();
    return nullptr;
  }
  metrics_.logits_cache_hits.Add();
  return found->logits;
}

std::shared_ptr<const LowResMask> LogitsCache::FindEarlier(
    const std::string& tenant, const std::string& digest,
    const ObjectPrompt& prompt) {
  const absl::MutexLock lock(&mutex_);
  const auto picture = by_picture_.find(TenantKey(tenant, digest));
  std::shared_ptr<const Kept> nearest;
  if (picture != by_picture_.end()) {
    std::vector<std::string>& keys = picture->second;
    keys.erase(std::remove_if(keys.begin(), keys.end(),
                              [this](const std::string& key)
                                  ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                                    return !kept_.Contains(key);
                                  }),
               keys.end());
    for (const std::string& key : keys) {
      const auto kept = kept_.Find(key);
      if (!GoesBeyond(prompt, kept->prompt)) continue;
      if (nearest == nullptr ||
          kept->prompt.clicks.size() >= nearest->prompt.clicks.size()) {
        nearest = kept;
      }
    }
  }
  (nearest == nullptr ? metrics_.logits_cache_misses
                      : metrics_.logits_cache_hits)
      .Add();
  return nearest == nullptr ? nullptr : nearest->logits;
}

void LogitsCache::Publish() {
  metrics_.logits_cache_bytes.Set(static_cast<int64_t>(kept_.size_bytes()));
  metrics_.logits_cache_evictions.Add(kept_.evictions() - counted_evictions_);
  counted_evictions_ = kept_.evictions();
}

}  // namespace sam3
