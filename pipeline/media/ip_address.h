#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sam3 {

// An IPv4 or IPv6 address. A value; any thread.
class IpAddress {
 public:
  // Four decimal numbers, or the text forms of RFC 4291; nothing looser.
  static std::optional<IpAddress> Parse(absl::string_view text);
  // Nothing for families other than IP.
  static std::optional<IpAddress> FromSockaddr(const sockaddr& address);

  bool is_v4() const { return v4_; }
  std::string ToString() const;

  // Whether the address is global unicast and belongs to nobody's inside: no
  // special-purpose range of IANA's registries, and no range that carries an
  // IPv4 address within, except NAT64's where that one is public.
  bool IsPublic() const;

  friend bool operator==(const IpAddress& a, const IpAddress& b) {
    return a.v4_ == b.v4_ && a.bytes_ == b.bytes_;
  }

 private:
  friend class IpNetwork;
  bool v4_ = false;
  std::array<uint8_t, 16> bytes_ = {};  // the first four of an IPv4 address
};

// All addresses that begin alike. A value; any thread.
class IpNetwork {
 public:
  // "10.0.0.0/8", "fd00::/8", or one address. Nothing when bits behind the
  // prefix are set, as that is a slip of the pen.
  static std::optional<IpNetwork> Parse(absl::string_view text);

  bool Contains(const IpAddress& address) const;

 private:
  IpAddress first_;
  int prefix_bits_ = 0;
};

}  // namespace sam3
