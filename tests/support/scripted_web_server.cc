#include "tests/support/scripted_web_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"

namespace sam3 {

bool ScriptedWebServer::Peer::Send(absl::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent =
        ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void ScriptedWebServer::Peer::AwaitGone() const {
  char byte = 0;
  while (::recv(socket_, &byte, 1, 0) > 0) {
  }
}

bool ScriptedWebServer::Peer::GoneWithin(absl::Duration time) const {
  pollfd polled = {socket_, POLLIN, 0};
  char byte = 0;
  return ::poll(&polled, 1, static_cast<int>(absl::ToInt64Milliseconds(time))) >
             0 &&
         ::recv(socket_, &byte, 1, 0) <= 0;
}

ScriptedWebServer::ScriptedWebServer()
    : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  SAM3_CHECK(::bind(listener_, any, size) == 0);
  SAM3_CHECK(::listen(listener_, 64) == 0);
  SAM3_CHECK(::getsockname(listener_, any, &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

ScriptedWebServer::~ScriptedWebServer() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  std::vector<std::thread> peers;
  {
    const absl::MutexLock lock(&mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    peers.swap(peers_);
  }
  for (std::thread& peer : peers) peer.join();
  const absl::MutexLock lock(&mutex_);
  for (const int socket : sockets_) ::close(socket);
}

std::string ScriptedWebServer::UrlOf(absl::string_view path) const {
  return absl::StrCat("http://127.0.0.1:", port_, path);
}

void ScriptedWebServer::On(const std::string& path, Script script) {
  const absl::MutexLock lock(&mutex_);
  scripts_[path] = std::move(script);
}

void ScriptedWebServer::Serve(const std::string& path,
                              const std::string& body) {
  On(path, [body](const Peer& peer) {
    peer.Send(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(),
                           "\r\n\r\n", body));
  });
}

void ScriptedWebServer::Redirect(const std::string& path,
                                 const std::string& location) {
  On(path, [location](const Peer& peer) {
    peer.Send(absl::StrCat("HTTP/1.1 302 Found\r\nLocation: ", location,
                           "\r\nContent-Length: 0\r\n\r\n"));
  });
}

std::vector<std::string> ScriptedWebServer::requests() const {
  const absl::MutexLock lock(&mutex_);
  return requests_;
}

void ScriptedWebServer::Accept() {
  while (true) {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    const absl::MutexLock lock(&mutex_);
    sockets_.push_back(socket);
    peers_.emplace_back([this, socket] { Answer(socket); });
  }
}

void ScriptedWebServer::Answer(int socket) {
  std::string head;
  char byte = 0;
  while (head.find("\r\n\r\n") == std::string::npos &&
         ::recv(socket, &byte, 1, 0) == 1) {
    head += byte;
  }
  Script script;
  {
    const absl::MutexLock lock(&mutex_);
    requests_.push_back(head);
    const size_t begin = head.find(' ') + 1;
    const size_t end = head.find_first_of(" ?", begin);
    const auto found = scripts_.find(head.substr(begin, end - begin));
    if (found != scripts_.end()) script = found->second;
  }
  const Peer peer(socket);
  if (script == nullptr) {
    peer.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  } else {
    script(peer);
  }
  ::shutdown(socket, SHUT_RDWR);
}

}  // namespace sam3
