#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <string>
#include <tuple>

namespace sam3 {

// A line in which jobs of one kind wait: a stream's frames have their own, a
// tenant's stills share one, and so do its clicks (stream 0).
struct LaneKey {
  enum class Kind { kStream, kStill, kClick };

  Kind kind = Kind::kStill;
  std::string tenant;
  uint64_t stream_id = 0;

  bool operator<(const LaneKey& other) const {
    return std::tie(kind, tenant, stream_id) <
           std::tie(other.kind, other.tenant, other.stream_id);
  }
};

// Whose turn it is. Turns come in rounds, in each of which every tenant with
// work has one; whoever comes to have work takes part in the round that is
// under way, unless it had its turn in it, and goes before those who had work
// left when they had their last turn. So a tenant that always has work is
// behind each that comes now and then, which needs not wait for its next turn
// too, and nobody gains a turn by leaving. In a tenant's turns its streams and
// all else alternate while both have work; and its streams are served round
// robin in theirs. So a hundred streams of one tenant get no more of the device
// than the one picture of another, and keep no picture of their own tenant
// waiting.
//
// Not thread-safe; never blocks; logarithmic in the number of lanes.
class FairTurns {
 public:
  bool empty() const { return by_name_.empty(); }

  // The lane has work: last among its tenant's, and a tenant without any is the
  // last of those who came in this round, or for the next; of those who stayed
  // when it was only taken out for a moment. It must not be in already.
  void Add(const LaneKey& key, bool stayed = false);

  // The lane has none any more; it must be in.
  void Erase(const LaneKey& key);

  // Whose turn it is; there must be one.
  const LaneKey& front() const { return FrontTenant().Next().front(); }

  // The front has had its turn.
  void Advance();

  // Whether the front's tenant had work left when it had its last turn.
  bool front_stayed() const { return FrontTenant().stayed; }

  bool HasWork(const std::string& tenant) const {
    return by_name_.count(tenant) > 0;
  }

 private:
  // Next in turn first.
  using Lanes = std::list<LaneKey>;
  // Has at least one lane.
  struct Tenant {
    bool IsStreamsTurn() const {
      return others.empty() || (streams_turn && !streams.empty());
    }
    const Lanes& Next() const { return IsStreamsTurn() ? streams : others; }

    Lanes streams;
    Lanes others;
    bool streams_turn = true;
    // Since its last turn.
    bool stayed = false;
  };
  using Tenants = std::list<Tenant>;

  // Next in turn first, and whoever came before whoever stayed.
  struct Round {
    bool empty() const { return came.empty() && stayed.empty(); }
    const Tenants& Front() const { return came.empty() ? stayed : came; }
    Tenants& Front() { return came.empty() ? stayed : came; }

    Tenants came;
    Tenants stayed;
  };

  const Tenant& FrontTenant() const {
    return (round_.empty() ? next_round_ : round_).Front().front();
  }
  // Where the tenant is when it has work.
  Tenants& PlaceOf(const std::string& tenant, bool stayed) {
    Round& round = had_turn_.count(tenant) > 0 ? next_round_ : round_;
    return stayed ? round.stayed : round.came;
  }

  // Those who are still to have their turn, those who had it, and the names of
  // the latter and of whoever had it and left.
  Round round_;
  Round next_round_;
  std::set<std::string> had_turn_;
  std::map<std::string, Tenants::iterator> by_name_;
  std::map<LaneKey, Lanes::iterator> places_;
};

}  // namespace sam3
