#include "pipeline/media/decoder_messages.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace sam3 {
namespace {

constexpr size_t kMaxDescriptors = 4;

// `call` until no signal interrupts it.
template <typename Call>
ssize_t Retry(const Call& call) {
  while (true) {
    const ssize_t result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

// A message of one byte with room for descriptors. The header points into it.
class DescriptorsMessage {
 public:
  DescriptorsMessage() {
    header.msg_iov = &part_;
    header.msg_iovlen = 1;
    header.msg_control = control_;
    header.msg_controllen = sizeof(control_);
  }
  DescriptorsMessage(const DescriptorsMessage&) = delete;
  DescriptorsMessage& operator=(const DescriptorsMessage&) = delete;

  msghdr header = {};

 private:
  char byte_ = 0;
  iovec part_ = {&byte_, 1};
  alignas(
      cmsghdr) char control_[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
};

}  // namespace

SocketPair MakeSocketPair() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return {};
  }
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

bool SendMessage(int socket, const DecoderMessage& message,
                 absl::string_view tail) {
  iovec parts[] = {
      {const_cast<DecoderMessage*>(&message), sizeof(message)},
      {const_cast<char*>(tail.data()), tail.size()},
  };
  msghdr header = {};
  header.msg_iov = parts;
  header.msg_iovlen = tail.empty() ? 1 : 2;
  return Retry([&] { return ::sendmsg(socket, &header, MSG_NOSIGNAL); }) >= 0;
}

bool ReceiveMessage(int socket, DecoderMessage* message, std::string* tail) {
  tail->resize(kMaxDecoderTail);
  iovec parts[] = {{message, sizeof(*message)}, {tail->data(), tail->size()}};
  msghdr header = {};
  header.msg_iov = parts;
  header.msg_iovlen = 2;
  const ssize_t size = Retry([&] { return ::recvmsg(socket, &header, 0); });
  const auto least = static_cast<ssize_t>(sizeof(*message));
  const bool whole = size >= least && (header.msg_flags & MSG_TRUNC) == 0;
  tail->resize(whole ? static_cast<size_t>(size - least) : 0);
  return whole;
}

bool SendDescriptors(int socket, const std::vector<int>& descriptors) {
  const size_t size = descriptors.size() * sizeof(int);
  DescriptorsMessage message;
  message.header.msg_controllen = CMSG_SPACE(size);
  cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(rights), descriptors.data(), size);
  return Retry([&] {
           return ::sendmsg(socket, &message.header, MSG_NOSIGNAL);
         }) == 1;
}

std::vector<Descriptor> ReceiveDescriptors(int socket) {
  DescriptorsMessage message;
  if (Retry([&] {
        return ::recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC);
      }) != 1) {
    return {};
  }
  const cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  if (rights == nullptr || rights->cmsg_level != SOL_SOCKET ||
      rights->cmsg_type != SCM_RIGHTS) {
    return {};
  }
  std::vector<int> numbers((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  std::memcpy(numbers.data(), CMSG_DATA(rights), numbers.size() * sizeof(int));
  return {numbers.begin(), numbers.end()};
}

}  // namespace sam3
