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

// Whose turn it is: tenants are served round robin, and each tenant's lanes
// round robin in the tenant's turns, so that a hundred streams of one tenant
// get no more of the device than the one of another.
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
  const LaneKey& front() const { return tenants_.front().front(); }

  // It has had its turn.
  void Advance();

 private:
  // One tenant's, next in turn first; never empty.
  using Lanes = std::list<LaneKey>;

  std::list<Lanes> tenants_;
  std::map<std::string, std::list<Lanes>::iterator> by_name_;
  std::map<LaneKey, Lanes::iterator> places_;
};

}  // namespace sam3
