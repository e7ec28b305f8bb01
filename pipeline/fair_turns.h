#pragma once

#include <cstdint>
#include <list>
#include <map>
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

// Whose turn it is: tenants are served round robin; in a tenant's turns its
// streams and all else alternate while both have work; and its streams are
// served round robin in theirs. So a hundred streams of one tenant get no more
// of the device than the one picture of another, and keep no picture of their
// own tenant waiting.
//
// Not thread-safe; never blocks; logarithmic in the number of lanes.
class FairTurns {
 public:
  bool empty() const { return tenants_.empty(); }

  // The lane has work: last among its tenant's, and a tenant without any is the
  // last tenant. It must not be in already.
  void Add(const LaneKey& key);

  // The lane has none any more; it must be in.
  void Erase(const LaneKey& key);

  // Whose turn it is; there must be one.
  const LaneKey& front() const { return tenants_.front().Next().front(); }

  // It has had its turn.
  void Advance();

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
  };

  std::list<Tenant> tenants_;
  std::map<std::string, std::list<Tenant>::iterator> by_name_;
  std::map<LaneKey, Lanes::iterator> places_;
};

}  // namespace sam3
