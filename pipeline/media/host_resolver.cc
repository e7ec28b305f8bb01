#include "pipeline/media/host_resolver.h"

#include <ares.h>
#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/url_failure.h"

namespace sam3 {
namespace {

// For one server before the next is asked.
constexpr int kTryMilliseconds = 1500;
// How soon a cancelled request is noticed.
constexpr absl::Duration kLookAround = absl::Milliseconds(100);

struct AresDestroy {
  void operator()(ares_channeldata* channel) const { ares_destroy(channel); }
};
using AresChannel = std::unique_ptr<ares_channeldata, AresDestroy>;

// What c-ares calls back with; outlives its channel.
struct Lookup {
  bool done = false;
  int code = ARES_SUCCESS;
  std::vector<IpAddress> addresses;
  // Sockets to wait for, and what for.
  std::map<ares_socket_t, short> sockets;
};

void OnSocket(void* argument, ares_socket_t socket, int read, int write) {
  auto& sockets = static_cast<Lookup*>(argument)->sockets;
  const int events = (read != 0 ? POLLIN : 0) | (write != 0 ? POLLOUT : 0);
  if (events == 0) {
    sockets.erase(socket);
  } else {
    sockets[socket] = static_cast<short>(events);
  }
}

void OnAnswer(void* argument, int code, int /*timeouts*/,
              ares_addrinfo* answer) {
  auto& lookup = *static_cast<Lookup*>(argument);
  lookup.done = true;
  lookup.code = code;
  if (answer == nullptr) return;
  for (const ares_addrinfo_node* node = answer->nodes; node != nullptr;
       node = node->ai_next) {
    const auto address = IpAddress::FromSockaddr(*node->ai_addr);
    if (address.has_value()) lookup.addresses.push_back(*address);
  }
  ares_freeaddrinfo(answer);
}

absl::Status Unresolved(int code) {
  switch (code) {
    case ARES_SUCCESS:
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
      return UrlFailed(UrlFailure::kResolve, "the host's name is unknown");
    case ARES_ETIMEOUT:
      return UrlFailed(UrlFailure::kResolve,
                       "no name server answered for the host");
    default:
      return UrlFailed(UrlFailure::kResolve,
                       absl::StrCat("the host's name cannot be resolved: ",
                                    ares_strerror(code)));
  }
}

// Waits for the channel's sockets, no longer than `longest`, and works on them.
void Proceed(ares_channeldata* channel, const Lookup& lookup,
             absl::Duration longest) {
  std::vector<pollfd> polled;
  for (const auto& [socket, events] : lookup.sockets) {
    polled.push_back({socket, events, 0});
  }
  timeval limit = absl::ToTimeval(longest);
  timeval next;
  const timeval* wait = ares_timeout(channel, &limit, &next);
  const int milliseconds = static_cast<int>(
      absl::ToInt64Milliseconds(absl::DurationFromTimeval(*wait)));
  if (::poll(polled.data(), polled.size(), milliseconds + 1) <= 0) {
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    return;
  }
  for (const pollfd& one : polled) {
    const bool writable = (one.revents & POLLOUT) != 0;
    // An error is found by reading.
    const bool readable = (one.revents & ~POLLOUT) != 0;
    if (!readable && !writable) continue;
    ares_process_fd(channel, readable ? one.fd : ARES_SOCKET_BAD,
                    writable ? one.fd : ARES_SOCKET_BAD);
  }
}

class AresResolver final : public HostResolver {
 public:
  AresResolver(std::string servers, Clock& clock)
      : servers_(std::move(servers)), clock_(clock) {}

  // A channel for each look-up: it reads the machine's configuration as it is
  // now and is used by one thread.
  absl::StatusOr<std::vector<IpAddress>> Resolve(
      const std::string& host, absl::Time deadline,
      const RequestContext& context) const override {
    Lookup lookup;
    SAM3_ASSIGN_OR_RETURN(const AresChannel channel, Open(&lookup));
    // Both families; sorting would connect sockets to every address.
    ares_addrinfo_hints hints = {};
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel.get(), host.c_str(), nullptr, &hints, &OnAnswer,
                     &lookup);
    while (!lookup.done) {
      const absl::Time now = clock_.Now();
      absl::Status given_up = context.StillWanted(now);
      if (given_up.ok() && now >= deadline) {
        given_up = UrlFailed(UrlFailure::kTimeout,
                             "the time limit passed before the host's name "
                             "was resolved");
      }
      if (!given_up.ok()) {
        ares_cancel(channel.get());
        return given_up;
      }
      Proceed(channel.get(), lookup, std::min(deadline - now, kLookAround));
    }
    if (lookup.code != ARES_SUCCESS || lookup.addresses.empty()) {
      return Unresolved(lookup.code);
    }
    return std::move(lookup.addresses);
  }

 private:
  absl::StatusOr<AresChannel> Open(Lookup* lookup) const {
    ares_options options = {};
    options.timeout = kTryMilliseconds;
    options.tries = 2;
    options.sock_state_cb = &OnSocket;
    options.sock_state_cb_data = lookup;
    ares_channel opened = nullptr;
    int code = ares_init_options(
        &opened, &options,
        ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (code != ARES_SUCCESS) return Unresolved(code);
    AresChannel channel(opened);
    if (!servers_.empty()) {
      code = ares_set_servers_ports_csv(opened, servers_.c_str());
      if (code != ARES_SUCCESS) return Unresolved(code);
    }
    return channel;
  }

  const std::string servers_;
  Clock& clock_;
};

}  // namespace

std::unique_ptr<HostResolver> MakeDnsResolver(std::string servers,
                                              Clock& clock) {
  return std::make_unique<AresResolver>(std::move(servers), clock);
}

}  // namespace sam3
