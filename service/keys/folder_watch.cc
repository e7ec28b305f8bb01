#include "service/keys/folder_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace sam3 {
namespace {

constexpr uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
                              IN_CREATE | IN_DELETE | IN_DELETE_SELF |
                              IN_MOVE_SELF | IN_ONLYDIR;
// How long a burst of changes may go on to count as one.
constexpr absl::Duration kBurst = absl::Milliseconds(50);
// Without watches, looking is cheap enough to do it often.
constexpr absl::Duration kBlindTimeout = absl::Seconds(1);

void DropEvents(int events) {
  std::array<char, 4096> buffer{};
  while (::read(events, buffer.data(), buffer.size()) > 0) {
  }
}

}  // namespace

FolderWatch::FolderWatch(std::string folder)
    : folder_(std::move(folder)),
      events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      stop_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  watched_ = AddWatch();
}

FolderWatch::~FolderWatch() {
  if (events_ >= 0) ::close(events_);
  if (stop_ >= 0) ::close(stop_);
}

bool FolderWatch::Await(absl::Duration timeout) {
  if (stopped_) return false;
  const int watched = AddWatch();
  if (watched < 0) return !AwaitStop(std::min(timeout, kBlindTimeout));
  if (watched != watched_) {
    // Another folder by now, in which anything may have happened already.
    if (watched_ >= 0) ::inotify_rm_watch(events_, watched_);
    watched_ = watched;
    return true;
  }
  std::array<pollfd, 2> waiting = {pollfd{events_, POLLIN, 0},
                                   pollfd{stop_, POLLIN, 0}};
  ::poll(waiting.data(), waiting.size(),
         static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  if (stopped_) return false;
  if (waiting[0].revents == 0) return true;
  if (AwaitStop(kBurst)) return false;
  DropEvents(events_);
  return true;
}

int FolderWatch::AddWatch() const {
  if (events_ < 0) return -1;
  return ::inotify_add_watch(events_, folder_.c_str(), kChanges);
}

void FolderWatch::Stop() {
  stopped_ = true;
  const uint64_t one = 1;
  // Fails only where it was told before.
  [[maybe_unused]] const ssize_t told = ::write(stop_, &one, sizeof(one));
}

bool FolderWatch::AwaitStop(absl::Duration timeout) {
  pollfd waiting{stop_, POLLIN, 0};
  ::poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  return stopped_;
}

}  // namespace sam3
