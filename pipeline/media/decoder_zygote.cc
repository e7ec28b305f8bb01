#include "pipeline/media/decoder_zygote.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "inference/base/status_macros.h"
#include "inference/image.h"
#include "pipeline/media/decoder_messages.h"
#include "pipeline/media/decoder_process.h"
#include "pipeline/media/file_bytes.h"
#include "pipeline/media/picture_memory.h"
#include "pipeline/media/system_error.h"

namespace sam3 {
namespace {

// A decoder that could use a whole core must not keep whoever answers waiting;
// where cores are free it has one all the same.
constexpr int kNiceness = 5;

// So that none outlives the one that it belongs to.
void EndWith(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != parent) ::_exit(EXIT_SUCCESS);
}

// Forks a decoder for each request, and answers with its pidfd. The terminal's
// signals are for the server, which takes its time to end.
[[noreturn]] void RunZygote(Descriptor socket, pid_t server) {
  EndWith(server);
  ::prctl(PR_SET_NAME, "sam3-zygote", 0, 0, 0);
  ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + kNiceness);
  for (const int terminal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    ::signal(terminal, SIG_IGN);
  }
  // Nobody waits for the decoders, and none is left as a zombie.
  ::signal(SIGCHLD, SIG_IGN);
  const pid_t self = ::getpid();
  while (true) {
    std::vector<Descriptor> files = ReceiveDescriptors(socket.get());
    if (files.size() < 2) ::_exit(EXIT_SUCCESS);
    const pid_t child = ::fork();
    if (child == 0) {
      EndWith(self);
      socket = Descriptor();
      RunDecoderProcess(
          {std::move(files[0]), std::move(files[1]),
           files.size() > 2 ? std::move(files[2]) : Descriptor()});
    }
    const Descriptor process(
        child < 0 ? -1 : static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    const bool answered = SendDescriptors(
        socket.get(),
        process.valid() ? std::vector<int>{process.get()} : std::vector<int>{});
    if (!answered) ::_exit(EXIT_SUCCESS);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<DecoderZygote>> DecoderZygote::Start() {
  SocketPair sockets = MakeSocketPair();
  if (!sockets.ours.valid()) return SystemError("no socket", errno);
  const pid_t server = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return SystemError("no process", errno);
  if (pid == 0) {
    sockets.ours = Descriptor();
    RunZygote(std::move(sockets.theirs), server);
  }
  std::unique_ptr<DecoderZygote> zygote(
      new DecoderZygote(pid, std::move(sockets.ours)));
  // A decoder that has nothing to decode tells whether it could be confined.
  SAM3_ASSIGN_OR_RETURN(const DecoderPeer peer,
                        zygote->Fork(ImageLimits(), nullptr));
  DecoderMessage message;
  std::string tail;
  if (!SendMessage(peer.socket.get(), message) ||
      !ReceiveMessage(peer.socket.get(), &message, &tail)) {
    return absl::UnavailableError("a decoder's process ends at once");
  }
  if (message.code == static_cast<int>(absl::StatusCode::kUnavailable)) {
    return absl::UnavailableError(tail.substr(tail.find('\n') + 1));
  }
  return zygote;
}

DecoderZygote::~DecoderZygote() {
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::StatusOr<std::unique_ptr<VideoDecoder>> DecoderZygote::OpenFile(
    const std::string& path, const VideoDecoder::Options& options,
    HostAllocator& allocator) const {
  SAM3_ASSIGN_OR_RETURN(const std::unique_ptr<FileBytes> file,
                        FileBytes::Open(path));
  SAM3_ASSIGN_OR_RETURN(DecoderPeer peer, Fork(options.limits, &file->file()));
  return ConfinedDecoder::Open(std::move(peer), nullptr, options, allocator);
}

absl::StatusOr<std::unique_ptr<VideoDecoder>> DecoderZygote::OpenBytes(
    ByteReader& bytes, const VideoDecoder::Options& options,
    HostAllocator& allocator) const {
  SAM3_ASSIGN_OR_RETURN(DecoderPeer peer, Fork(options.limits, nullptr));
  return ConfinedDecoder::Open(std::move(peer), &bytes, options, allocator);
}

absl::Status DecoderZygote::Health() const {
  pollfd polled = {socket_.get(), 0, 0};
  return ::poll(&polled, 1, 0) == 0
             ? absl::OkStatus()
             : absl::UnavailableError(
                   "the process that starts video decoders has gone");
}

absl::StatusOr<DecoderPeer> DecoderZygote::Fork(const ImageLimits& limits,
                                                const Descriptor* file) const {
  SocketPair sockets = MakeSocketPair();
  if (!sockets.ours.valid()) {
    return SystemError("no socket for a decoder", errno);
  }
  SAM3_ASSIGN_OR_RETURN(
      Descriptor memory,
      MakePictureMemory(static_cast<size_t>(limits.max_pixels) *
                        Image::kBytesPerPixel));
  std::vector<int> given = {sockets.theirs.get(), memory.get()};
  if (file != nullptr) given.push_back(file->get());
  std::vector<Descriptor> process;
  {
    const absl::MutexLock lock(&mutex_);
    if (SendDescriptors(socket_.get(), given)) {
      process = ReceiveDescriptors(socket_.get());
    }
  }
  if (process.empty()) {
    return absl::UnavailableError("no process for a decoder is to be had");
  }
  return DecoderPeer{std::move(sockets.ours), std::move(process.front()),
                     std::move(memory)};
}

}  // namespace sam3
