#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace sam3 {

// A TCP socket that listens. Owns the descriptor until Release().
class ListenSocket {
 public:
  // `address` is HOST:PORT, an IPv6 host in brackets; port 0 takes a free one.
  // UNAVAILABLE tells the system's reason: the port is taken, the address is
  // not this host's, no such host. Blocks while a name is resolved.
  static absl::StatusOr<ListenSocket> Bind(const std::string& address);

  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket();

  int fd() const { return fd_; }
  int port() const { return port_; }
  // Whoever takes the descriptor closes it.
  int Release();

 private:
  ListenSocket(int fd, int port) : fd_(fd), port_(port) {}

  int fd_;
  int port_;
};

}  // namespace sam3
