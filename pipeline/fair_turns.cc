#include "pipeline/fair_turns.h"

#include <utility>

namespace sam3 {

void FairTurns::Add(const LaneKey& key, bool stayed) {
  const auto [named, is_new] = by_name_.try_emplace(key.tenant);
  if (is_new) {
    Tenants& tenants = PlaceOf(key.tenant, stayed);
    named->second = tenants.emplace(tenants.end());
    named->second->stayed = stayed;
  }
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
  PlaceOf(named->first, tenant.stayed).erase(named->second);
  by_name_.erase(named);
}

void FairTurns::Advance() {
  if (round_.empty()) {
    std::swap(round_, next_round_);
    had_turn_.clear();
  }
  Tenants& tenants = round_.Front();
  Tenant& tenant = tenants.front();
  const bool was_stream = tenant.IsStreamsTurn();
  Lanes& lanes = was_stream ? tenant.streams : tenant.others;
  had_turn_.insert(lanes.front().tenant);
  lanes.splice(lanes.end(), lanes, lanes.begin());
  tenant.streams_turn = !was_stream;
  tenant.stayed = true;
  Tenants& after = next_round_.stayed;
  after.splice(after.end(), tenants, tenants.begin());
}

}  // namespace sam3
