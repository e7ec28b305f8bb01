#include "pipeline/fair_turns.h"

namespace sam3 {

void FairTurns::Add(const LaneKey& key) {
  const auto [named, is_new] = by_name_.try_emplace(key.tenant);
  if (is_new) named->second = tenants_.emplace(tenants_.end());
  Lanes& lanes = *named->second;
  places_[key] = lanes.insert(lanes.end(), key);
}

void FairTurns::Erase(const LaneKey& key) {
  const auto named = by_name_.find(key.tenant);
  const auto place = places_.find(key);
  Lanes& lanes = *named->second;
  lanes.erase(place->second);
  places_.erase(place);
  if (!lanes.empty()) return;
  tenants_.erase(named->second);
  by_name_.erase(named);
}

void FairTurns::Advance() {
  Lanes& lanes = tenants_.front();
  lanes.splice(lanes.end(), lanes, lanes.begin());
  tenants_.splice(tenants_.end(), tenants_, tenants_.begin());
}

}  // namespace sam3
