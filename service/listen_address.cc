#include "service/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace sam3 {

bool IsLoopback(absl::string_view address) {
  if (absl::StartsWith(address, "unix:")) return true;
  absl::string_view host = address.substr(0, address.rfind(':'));
  if (absl::ConsumePrefix(&host, "[") && !absl::ConsumeSuffix(&host, "]")) {
    return false;
  }
  const std::string name(host);
  if (name == "localhost") return true;
  in_addr four{};
  if (::inet_pton(AF_INET, name.c_str(), &four) == 1) {
    return (ntohl(four.s_addr) >> 24) == IN_LOOPBACKNET;
  }
  in6_addr six{};
  return ::inet_pton(AF_INET6, name.c_str(), &six) == 1 &&
         (IN6_IS_ADDR_LOOPBACK(&six) ||
          (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == IN_LOOPBACKNET));
}

}  // namespace sam3
