#include "pipeline/media/checked_addresses.h"

#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

// That are tried; a name server may tell thousands.
constexpr size_t kMaxAddresses = 8;

}  // namespace

absl::StatusOr<std::vector<IpAddress>> CheckedAddresses(
    const UrlGate& gate, const HostResolver& resolver, const CheckedUrl& url,
    absl::Time deadline, const RequestContext& context) {
  if (url.address.has_value()) return std::vector<IpAddress>{*url.address};
  SAM3_ASSIGN_OR_RETURN(std::vector<IpAddress> addresses,
                        resolver.Resolve(url.host, deadline, context));
  for (const IpAddress& address : addresses) {
    SAM3_RETURN_IF_ERROR(gate.CheckAddress(address));
  }
  if (addresses.size() > kMaxAddresses) addresses.resize(kMaxAddresses);
  return addresses;
}

}  // namespace sam3
