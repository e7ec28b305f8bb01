#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pipeline/media/host_resolver.h"
#include "pipeline/media/ip_address.h"
#include "pipeline/media/url_gate.h"
#include "pipeline/request_context.h"

namespace sam3 {

// The addresses that a socket may be opened to for `url`: what its host's name
// resolves to now, and every one of them passed the gate. A few, at least one.
//
// Threads: any. Blocks while the name is looked up, until `deadline` at most.
// Errors: the gate's for an address, the resolver's for the rest.
absl::StatusOr<std::vector<IpAddress>> CheckedAddresses(
    const UrlGate& gate, const HostResolver& resolver, const CheckedUrl& url,
    absl::Time deadline, const RequestContext& context);

}  // namespace sam3
