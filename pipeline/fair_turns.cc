#include "pipeline/fair_turns.h"

namespace sam3 {

void FairTurns::Add(const LaneKey& key) {
  const auto [named, is_new] = by_name_.try_emplace(key.tenant);
  if (is_new) named->second = tenants_.emplace(tenants_.end());
  std::list<LaneKey>& lanes = named->second->lanes;
  places_[key] = {named->second, lanes.insert(lanes.end(), key)};
}

void FairTurns::Erase(const LaneKey& key) {
  const auto place = places_.find(key);
  const auto tenant = place->second.tenant;
  tenant->lanes.erase(place->second.lane);
  places_.erase(place);
  if (!tenant->lanes.empty()) return;
  tenants_.erase(tenant);
  by_name_.erase(key.tenant);
}

void FairTurns::Advance() {
  std::list<LaneKey>& lanes = tenants_.front().lanes;
  lanes.splice(lanes.end(), lanes, lanes.begin());
  tenants_.splice(tenants_.end(), tenants_, tenants_.begin());
}

}  // namespace sam3
