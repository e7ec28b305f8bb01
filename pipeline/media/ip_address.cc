#include "pipeline/media/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <initializer_list>
#include <vector>

#include "absl/strings/numbers.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

constexpr int kV4Bits = 32;
constexpr int kV6Bits = 128;

std::vector<IpNetwork> Networks(std::initializer_list<const char*> texts) {
  std::vector<IpNetwork> out;
  for (const char* text : texts) {
    const std::optional<IpNetwork> network = IpNetwork::Parse(text);
    SAM3_CHECK(network.has_value());
    out.push_back(*network);
  }
  return out;
}

bool InAny(const std::vector<IpNetwork>& networks, const IpAddress& address) {
  for (const IpNetwork& network : networks) {
    if (network.Contains(address)) return true;
  }
  return false;
}

bool IsSpecialV4(const IpAddress& address) {
  static const std::vector<IpNetwork> kSpecial = Networks({
      "0.0.0.0/8",
      "10.0.0.0/8",
      "100.64.0.0/10",
      "127.0.0.0/8",
      "169.254.0.0/16",
      "172.16.0.0/12",
      "192.0.0.0/24",
      "192.0.2.0/24",
      "192.88.99.0/24",
      "192.168.0.0/16",
      "198.18.0.0/15",
      "198.51.100.0/24",
      "203.0.113.0/24",
      "224.0.0.0/4",
      "240.0.0.0/4",
      // Looks public and is the inside of every virtual machine at Azure.
      "168.63.129.16/32",
  });
  return InAny(kSpecial, address);
}

bool IsSpecialV6(const IpAddress& address) {
  // Global unicast is 2000::/3; the rest of the space needs no list.
  static const std::vector<IpNetwork> kGlobal = Networks({"2000::/3"});
  static const std::vector<IpNetwork> kSpecial = Networks({
      "2001::/23",      // protocols, among them Teredo and ORCHID
      "2001:db8::/32",  // documentation
      "2002::/16",      // 6to4
      "3fff::/20",      // documentation
  });
  return !InAny(kGlobal, address) || InAny(kSpecial, address);
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(absl::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  IpAddress out;
  if (::inet_pton(AF_INET, terminated.c_str(), out.bytes_.data()) == 1) {
    out.v4_ = true;
    return out;
  }
  if (::inet_pton(AF_INET6, terminated.c_str(), out.bytes_.data()) == 1) {
    return out;
  }
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::FromSockaddr(const sockaddr& address) {
  IpAddress out;
  if (address.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof(v4));
    std::memcpy(out.bytes_.data(), &v4.sin_addr, sizeof(v4.sin_addr));
    out.v4_ = true;
    return out;
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof(v6));
    std::memcpy(out.bytes_.data(), &v6.sin6_addr, sizeof(v6.sin6_addr));
    return out;
  }
  return std::nullopt;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text, sizeof(text));
  return text;
}

bool IpAddress::IsPublic() const {
  if (v4_) return !IsSpecialV4(*this);
  // Where a network translates, names that have only IPv4 addresses get these.
  static const std::vector<IpNetwork> kNat64 = Networks({"64:ff9b::/96"});
  if (!InAny(kNat64, *this)) return !IsSpecialV6(*this);
  IpAddress inner;
  inner.v4_ = true;
  std::memcpy(inner.bytes_.data(), bytes_.data() + 12, 4);
  return !IsSpecialV4(inner);
}

std::optional<IpNetwork> IpNetwork::Parse(absl::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<IpAddress> first =
      IpAddress::Parse(text.substr(0, slash));
  if (!first.has_value()) return std::nullopt;
  IpNetwork out;
  out.first_ = *first;
  const int bits = first->is_v4() ? kV4Bits : kV6Bits;
  out.prefix_bits_ = bits;
  if (slash != absl::string_view::npos &&
      (!absl::SimpleAtoi(text.substr(slash + 1), &out.prefix_bits_) ||
       out.prefix_bits_ < 0 || out.prefix_bits_ > bits)) {
    return std::nullopt;
  }
  for (int bit = out.prefix_bits_; bit < bits; ++bit) {
    if ((first->bytes_[bit / 8] >> (7 - bit % 8) & 1) != 0) return std::nullopt;
  }
  return out;
}

bool IpNetwork::Contains(const IpAddress& address) const {
  if (address.is_v4() != first_.is_v4()) return false;
  const int whole = prefix_bits_ / 8;
  for (int i = 0; i < whole; ++i) {
    if (address.bytes_[i] != first_.bytes_[i]) return false;
  }
  const int rest = prefix_bits_ % 8;
  return rest == 0 ||
         (address.bytes_[whole] ^ first_.bytes_[whole]) >> (8 - rest) == 0;
}

}  // namespace sam3
