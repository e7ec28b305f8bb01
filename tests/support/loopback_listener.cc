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
  std::vector<std::thread> threads;
  {
    const absl::MutexLock lock(&mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  const absl::MutexLock lock(&mutex_);
  for (const int socket : sockets_) ::close(socket);
}

void LoopbackListener::Accept() {
  while (true) {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    const absl::MutexLock lock(&mutex_);
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket] {
      serve_(socket);
      ::shutdown(socket, SHUT_RDWR);
    });
  }
}

}  // namespace sam3
