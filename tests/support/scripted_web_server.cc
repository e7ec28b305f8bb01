#include "tests/support/scripted_web_server.h"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"

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
    : listener_([this](int socket) { Answer(socket); }) {}

std::string ScriptedWebServer::UrlOf(absl::string_view path) const {
  return absl::StrCat("http://127.0.0.1:", port(), path);
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
  const Peer peer(socket, head);
  if (script == nullptr) {
    peer.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  } else {
    script(peer);
  }
}

}  // namespace sam3
