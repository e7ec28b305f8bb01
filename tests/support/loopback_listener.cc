#include "tests/support/loopback_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "inference/base/status_macros.h"

namespace sam3 {

LoopbackListener::LoopbackListener(std::function<void(int socket)> serve)
    : serve_(std::move(serve)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
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

LoopbackListener::~LoopbackListener() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  const auto all_closed = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return open_.empty();
  };
  Connections closed;
  {
    const absl::MutexLock lock(&mutex_);
    for (const Connection& open : open_) ::shutdown(open.socket, SHUT_RDWR);
    mutex_.Await(absl::Condition(&all_closed));
    closed.swap(closed_);
  }
  for (Connection& connection : closed) connection.thread.join();
}

void LoopbackListener::Accept() {
  while (true) {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    Connections closed;
    {
      const absl::MutexLock lock(&mutex_);
      closed.swap(closed_);
      const auto added = open_.insert(open_.end(), Connection());
      added->socket = socket;
      added->thread = std::thread([this, added] { Serve(added); });
    }
    for (Connection& connection : closed) connection.thread.join();
  }
}

void LoopbackListener::Serve(Connections::iterator connection) {
  serve_(connection->socket);
  ::shutdown(connection->socket, SHUT_RDWR);
  const absl::MutexLock lock(&mutex_);
  ::close(connection->socket);
  closed_.splice(closed_.end(), open_, connection);
}

}  // namespace sam3
