#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sam3 {

// Posts JSON to a loopback port over one connection that is kept. Blocks; one
// thread.
class HttpCaller {
 public:
  HttpCaller(int port, std::string path)
      : path_(std::move(path)), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int one = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address),
                           sizeof(address)) == 0;
  }
  ~HttpCaller() { ::close(socket_); }
  HttpCaller(const HttpCaller&) = delete;
  HttpCaller& operator=(const HttpCaller&) = delete;

  // Whether the whole answer came and was 200.
  bool Post(const std::string& body) {
    const std::string head = absl::StrCat(
        "POST ", path_, " HTTP/1.1\r\nHost: localhost\r\n",
        "Content-Type: application/json\r\nContent-Length: ", body.size(),
        "\r\n\r\n");
    return connected_ && Send(head) && Send(body) && Receive();
  }

 private:
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent =
          ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  bool Receive() {
    constexpr absl::string_view kLength = "Content-Length: ";
    std::string answer;
    size_t whole = std::string::npos;
    while (answer.size() < whole) {
      const ssize_t count = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
      if (count <= 0) return false;
      answer.append(buffer_.data(), static_cast<size_t>(count));
      const size_t end = answer.find("\r\n\r\n");
      if (whole != std::string::npos || end == std::string::npos) continue;
      const size_t at = answer.find(kLength.data());
      size_t length = 0;
      if (at == std::string::npos ||
          !absl::SimpleAtoi(absl::string_view(answer).substr(
                                at + kLength.size(),
                                answer.find("\r\n", at) - at - kLength.size()),
                            &length)) {
        return false;
      }
      whole = end + 4 + length;
    }
    return absl::StartsWith(answer, "HTTP/1.1 200");
  }

  const std::string path_;
  const int socket_;
  bool connected_ = false;
  std::array<char, 65536> buffer_{};
};

}  // namespace sam3
