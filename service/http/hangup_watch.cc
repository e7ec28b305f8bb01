#include "service/http/hangup_watch.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "inference/base/status_macros.h"

namespace sam3 {

HangupWatch::HangupWatch()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  SAM3_CHECK(epoll_ >= 0 && stop_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = stop_;
  SAM3_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_, &event) == 0);
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "sam3-hangup");
}

HangupWatch::~HangupWatch() {
  const uint64_t one = 1;
  SAM3_CHECK(::write(stop_, &one, sizeof(one)) == sizeof(one));
  thread_.join();
  ::close(stop_);
  ::close(epoll_);
}

void HangupWatch::Add(int fd, std::function<void()> on_hangup) {
  {
    const absl::MutexLock lock(&mutex_);
    watched_[fd] = std::move(on_hangup);
  }
  epoll_event event{};
  event.events = EPOLLRDHUP | EPOLLONESHOT;
  event.data.fd = fd;
  // A socket that cannot be watched is answered all the same.
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void HangupWatch::Remove(int fd) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  const absl::MutexLock lock(&mutex_);
  watched_.erase(fd);
  const auto not_being_called = [this, fd]() ABSL_SHARED_LOCKS_REQUIRED(
                                    mutex_) { return calling_ != fd; };
  mutex_.Await(absl::Condition(&not_being_called));
}

void HangupWatch::Run() {
  while (true) {
    epoll_event event{};
    if (::epoll_wait(epoll_, &event, 1, -1) != 1) continue;
    const int fd = event.data.fd;
    if (fd == stop_) return;
    std::function<void()> on_hangup;
    {
      const absl::MutexLock lock(&mutex_);
      const auto found = watched_.find(fd);
      if (found == watched_.end()) continue;
      on_hangup = std::move(found->second);
      watched_.erase(found);
      calling_ = fd;
    }
    on_hangup();
    const absl::MutexLock lock(&mutex_);
    calling_ = -1;
  }
}

}  // namespace sam3
