#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "pipeline/media/ip_address.h"
#include "pipeline/request_context.h"

namespace sam3 {

// Finds the addresses of a host name.
//
// Threads: any, several at once. Blocks until there is an answer, `deadline`,
// or nobody wants it any more.
class HostResolver {
 public:
  virtual ~HostResolver() = default;

  // All addresses, at least one. FAILED_PRECONDITION (MEDIA_UNREACHABLE) when
  // there is none or the time is over; the context's status when the answer is
  // not wanted.
  virtual absl::StatusOr<std::vector<IpAddress>> Resolve(
      const std::string& host, absl::Time deadline,
      const RequestContext& context) const = 0;
};

// Asks the hosts file and the name servers of this machine, by c-ares, since
// getaddrinfo() knows no deadline and cannot be called off: a silent name
// server would hold a thread for half a minute. `servers`, as in
// "127.0.0.1:5353", are asked instead of the machine's unless empty; for tests.
// `clock` must outlive the resolver.
std::unique_ptr<HostResolver> MakeDnsResolver(std::string servers,
                                              Clock& clock);

}  // namespace sam3
