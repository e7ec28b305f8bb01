#include "pipeline/fair_turns.h"

namespace sam3 {

void FairTurns::Add(const LaneKey& key) {
  const auto [named, is_new] = by_name_.try_emplace(key.tenant);
  if (is_new) named->second = tenants_.emplace(tenants_.end());
  Tenant& tenant = *named->second;
  Lanes& lanes =
      key.kind == LaneKey::Kind::kStream ? tenant.streams : tenant.others;
  places_[key] = lanes.insert(lanes.end(), key);
}

void FairTurns::Erase(const LaneKey& key) {
  const auto named = by_name_.find(key.tenant);
  const auto place = places_.find(key);
  Tenant& tenant = *named->second;
  (key.kind == LaneKey::Kind::kStream ? tenant.streams : tenant.others)
      .erase(place->second);
  places_.erase(place);
  if (!tenant.streams.empty() || !tenant.others.empty()) return;
  tenants_.erase(named->second);
  by_name_.erase(named);
}

void FairTurns::Advance() {
  Tenant& tenant = tenants_.front();
  const bool was_stream = tenant.IsStreamsTurn();
  Lanes& lanes = was_stream ? tenant.streams : tenant.others;
  lanes.splice(lanes.end(), lanes, lanes.begin());
  tenant.streams_turn = !was_stream;
  tenants_.splice(tenants_.end(), tenants_, tenants_.begin());
}

}  // namespace sam3
