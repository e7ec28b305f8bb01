#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "cli/client_stream.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/stream_account.h"
#include "cli/stream_flags.h"
#include "cli/terminal_text.h"
#include "cli/watch_table.h"
#include "service/shutdown.h"

namespace sam3 {
namespace {

constexpr absl::Duration kRedrawEvery = absl::Milliseconds(100);
constexpr absl::Duration kReportEvery = absl::Seconds(1);
constexpr absl::Duration kSignalSlice = absl::Milliseconds(100);
// As a shell tells that Ctrl-C ended a program.
constexpr int kInterrupted = 130;

// Without the user's name and password.
std::string ShownSource(const StreamFlags& flags) {
  const std::string& source = flags.source;
  if (!flags.is_url()) return source;
  const size_t begin = source.find("://") + 3;
  const size_t at = source.substr(0, source.find('/', begin)).rfind('@');
  if (at == std::string::npos || at < begin) return source;
  return absl::StrCat(source.substr(0, begin), source.substr(at + 1));
}

// Where the table goes: drawn over itself on a terminal, otherwise told in
// lines that stay. False when nobody reads any more.
class WatchScreen {
 public:
  explicit WatchScreen(WatchTable& table)
      : table_(table), terminal_(::isatty(STDOUT_FILENO) == 1) {}

  // `soon`: it can wait for more of its kind.
  bool Show(bool soon) {
    const absl::Time now = absl::Now();
    const bool due =
        now - shown_at_ >= (terminal_ ? kRedrawEvery : kReportEvery);
    if (terminal_) {
      if (due || !soon) Draw(now);
      return std::ferror(stdout) == 0;
    }
    for (const std::string& line : table_.TakeNews()) Print(line);
    if (due) {
      shown_at_ = now;
      Print(table_.Status(now));
    }
    return std::fflush(stdout) == 0;
  }

 private:
  static void Print(const std::string& line) {
    constexpr int kAnyWidth = 1000;
    std::printf("%s\n", FitColumns(line, kAnyWidth).c_str());
  }

  void Draw(absl::Time now) {
    shown_at_ = now;
    table_.TakeNews();
    winsize size = {};
    ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    // The last column stays free: terminals differ in what a full line does.
    const int width = (size.ws_col > 0 ? size.ws_col : 80) - 1;
    const int height = size.ws_row > 1 ? size.ws_row - 1 : 23;
    const auto lines = table_.Lines(width, height, now);
    std::string out = drawn_ > 0 ? absl::StrCat("\r\033[", drawn_, "A") : "\r";
    for (const std::string& line : lines) {
      absl::StrAppend(&out, line, "\033[K\n");
    }
    absl::StrAppend(&out, "\033[J");
    drawn_ = lines.size();
    std::fputs(out.c_str(), stdout);
    std::fflush(stdout);
  }

  WatchTable& table_;
  const bool terminal_;
  absl::Time shown_at_ = absl::InfinitePast();
  size_t drawn_ = 0;
};

// Waits for Ctrl-C. Made before all other threads, which must not take the
// signal; it ends the program as long as there is no call that it could cancel.
class InterruptListener {
 public:
  InterruptListener() : thread_([this] { Listen(); }) {}
  ~InterruptListener() {
    ended_ = true;
    thread_.join();
  }
  InterruptListener(const InterruptListener&) = delete;
  InterruptListener& operator=(const InterruptListener&) = delete;

  // Null when there is none any more.
  void SetCall(ClientStream* call) {
    const absl::MutexLock lock(&mutex_);
    call_ = call;
  }
  bool interrupted() const { return interrupted_; }

 private:
  void Listen() {
    while (!ended_) {
      if (!signals_.Await(kSignalSlice)) continue;
      // Held while cancelling, which calls nobody back, so that the call lives.
      const absl::MutexLock lock(&mutex_);
      if (call_ == nullptr) std::_Exit(kInterrupted);
      interrupted_ = true;
      call_->Cancel();
    }
  }

  const ShutdownSignals signals_;
  std::atomic<bool> ended_{false};
  std::atomic<bool> interrupted_{false};
  absl::Mutex mutex_;
  ClientStream* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

// What a stream tells, over the calls that it consists of, until it ends or
// nobody reads any more.
class Watcher {
 public:
  Watcher(const StreamFlags& flags, InterruptListener* listener)
      : flags_(flags),
        listener_(listener),
        account_(flags.is_url()),
        table_(ShownSource(flags), flags.labels()),
        screen_(table_) {}

  // How the last call ended.
  grpc::Status Watch(v1::SegmentStreamRequest config,
                     v1::SegmentationService::Stub& stub) {
    grpc::Status status;
    do {
      ClientStream call(stub, config, flags_.pushed_file());
      listener_->SetCall(&call);
      Receive(&call);
      status = call.Finish();
      listener_->SetCall(nullptr);
      if (unread_ || listener_->interrupted()) return grpc::Status::OK;
    } while (account_.GoesOn(status, &config));
    return status;
  }

  void SumUp() {
    if (!table_.started()) return;
    screen_.Show(/*soon=*/false);
    std::printf("%s\n", table_.Summary(absl::Now()).c_str());
  }

 private:
  void Receive(ClientStream* call) {
    v1::SegmentStreamResponse message;
    while (call->Read(&message)) {
      account_.Add(&message);
      table_.Take(message, absl::Now());
      if (screen_.Show(
              /*soon=*/message.has_result() || message.has_dropped())) {
        continue;
      }
      unread_ = true;
      call->Cancel();
    }
  }

  const StreamFlags& flags_;
  InterruptListener* const listener_;
  StreamAccount account_;
  WatchTable table_;
  WatchScreen screen_;
  bool unread_ = false;
};

int RunWatch(const StreamFlags& flags) {
  const auto config = MakeStreamConfig(flags);
  if (!config.ok()) return Complain(config.status(), kWrongUsage);
  InterruptListener listener;
  const auto connection = Connection::Open(flags.connection);
  if (!connection.ok()) {
    return Complain(connection.status(), ExitStatusOf(connection.status()));
  }
  Watcher watcher(flags, &listener);
  const grpc::Status status = watcher.Watch(*config, (*connection)->stub());
  watcher.SumUp();
  if (status.ok()) return 0;
  PrintError(status);
  return ExitStatusOf(status);
}

}  // namespace

RunCommand AddWatchCommand(CLI::App* app) {
  auto flags = std::make_shared<StreamFlags>();
  flags->track = true;
  // Masks are not shown.
  flags->prompts.mask = "none";
  AddStreamFlags(app, flags.get());
  AddTrackFlags(app, flags.get(), /*track=*/nullptr);
  app->add_flag("--server-file", flags->server_file,
                "The source is a file below the server's media root");
  app->footer(
      "Draws a table of the objects that are followed, until the source ends\n"
      "or Ctrl-C. Where the output is no terminal, it is a line a second and\n"
      "one for each thing that happens.\n"
      "Examples:\n"
      "  sam3ctl watch rtsp://user:password@cam-7/live --text person\n"
      "  sam3ctl watch https://cams.example/a.m3u8 --text person --confirm 3\n"
      "  sam3ctl watch clip.mp4 --object 1:320,200 --object 2:10,20,64,48\n"
      "  sam3ctl watch day1/gate.mp4 --server-file --text car --fps 5\n"
      "  sam3ctl watch clip.mp4 --text \"red circle\" | tee events.log\n");
  return [flags] { return RunWatch(*flags); };
}

}  // namespace sam3
