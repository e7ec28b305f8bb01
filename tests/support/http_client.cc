#include "tests/support/http_client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sam3 {

LoopbackSocket::LoopbackSocket(int port)
    : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address),
                         sizeof(address)) == 0;
}

void LoopbackSocket::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent =
        ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string LoopbackSocket::ReceiveAll() {
  std::string all;
  std::array<char, 65536> buffer;
  ssize_t count = 0;
  while ((count = ::recv(socket_, buffer.data(), buffer.size(), 0)) > 0) {
    all.append(buffer.data(), static_cast<size_t>(count));
  }
  return all;
}

void LoopbackSocket::Close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

std::string HttpReply::Header(absl::string_view name) const {
  for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::EqualsIgnoreCase(field.first, name)) {
      return std::string(absl::StripAsciiWhitespace(field.second));
    }
  }
  return "";
}

std::string HttpRequestText(absl::string_view method, absl::string_view target,
                            absl::string_view body, absl::string_view headers) {
  return absl::StrCat(method, " ", target,
                      " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
                      headers, "Content-Length: ", body.size(), "\r\n\r\n",
                      body);
}

HttpReply AskHttp(int port, absl::string_view method, absl::string_view target,
                  absl::string_view body, absl::string_view headers) {
  LoopbackSocket socket(port);
  socket.Send(HttpRequestText(method, target, body, headers));
  const std::string all = socket.ReceiveAll();
  HttpReply reply;
  const size_t end = all.find("\r\n\r\n");
  if (end == std::string::npos) return reply;
  reply.head = all.substr(0, end);
  reply.body = all.substr(end + 4);
  constexpr size_t kStatusAt = 9;  // after "HTTP/1.1 "
  if (!absl::SimpleAtoi(reply.head.substr(kStatusAt, 3), &reply.status)) {
    reply.status = 0;
  }
  return reply;
}

}  // namespace sam3
