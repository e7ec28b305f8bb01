// Ten keys that ask for one picture a second each, on the fake engine over a
// loopback socket: by themselves, beside a key that keeps as many requests
// under way as it can, and beside one that opens as many streams as it can.
// What counts is what the greedy one costs the modest ones. Its client is a
// process of its own, which runs when nobody else wants to.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "benchmarks/load/greedy_client.h"
#include "benchmarks/load/request_client.h"
#include "inference/fake_engine.h"
#include "pipeline/segmenter_factory.h"
#include "service/keys/authenticator.h"
#include "service/keys/key_file_edit.h"
#include "service/server.h"

namespace sam3 {
namespace {

constexpr int kModestKeys = 10;

struct Flags {
  double seconds = 30;
  double image_ms = 20;
  double pair_ms = 2;
  // What a batch may take; 0 for the server's default.
  double batch_ms = 0;
  int greedy_calls = 500;
  int greedy_streams = 60;
  int greedy_nice = 19;
  // Requests at a time that a key may have; 0 for no limit of its own.
  int concurrent = 0;
  std::string folder;
};

class Comparison {
 public:
  explicit Comparison(const Flags& flags) : flags_(flags) {
    const std::string file = absl::StrCat(flags.folder, "/keys.json");
    std::ofstream(file) << R"({"keys": []})";
    const absl::Status made = EditKeyFile(file, [this](auto* keys) {
      for (int i = 0; i <= kModestKeys; ++i) {
        const auto fresh = MakeKey(absl::StrCat("key", i));
        KeyRecord key;
        key.id = absl::StrCat("key", i);
        key.scopes = {Scope::kAll};
        key.secret_digest = fresh->digest;
        if (flags_.concurrent > 0) key.limits.concurrent = flags_.concurrent;
        keys->push_back(key);
        texts_.emplace_back(fresh->text.Reveal());
      }
      return absl::OkStatus();
    });
    if (!made.ok()) throw std::runtime_error(made.ToString());
    ring_ = *KeyRing::Open({file}, key_metrics_, nullptr);
    gate_ =
        std::make_unique<Authenticator>(*ring_, clock_, key_metrics_, nullptr);
    StartServer();
  }

  void Run() {
    std::printf("%-34s %7s %7s %7s %8s %6s %8s %9s\n", "", "p50 ms", "p90",
                "p99", "answered", "late", "greedy/s", "refused/s");
    Row("ten modest keys", 0, 0);
    Row("beside a key of many requests", flags_.greedy_calls, 0);
    Row("beside a key of many streams", 0, flags_.greedy_streams);
  }

 private:
  void StartServer() {
    auto script = std::make_shared<FakeEngineScript>();
    script->SetLatency({absl::Milliseconds(2),
                        absl::Milliseconds(flags_.image_ms),
                        absl::Milliseconds(flags_.pair_ms)});
    SegmenterOptions options;
    options.image_cache_bytes = 0;
    options.min_stream_fps = 0;
    if (flags_.batch_ms > 0) {
      options.batch_time = absl::Milliseconds(flags_.batch_ms);
    }
    Server::Options server_options;
    server_options.address = "127.0.0.1:0";
    server_options.max_concurrent_streams = 1000;
    server_options.authenticator = gate_.get();
    server_ = *Server::Start(
        server_options,
        *CreateSegmenter(MakeFakeModel(script), options, clock_, metrics_),
        calls_);
    for (int i = 1; i <= kModestKeys; ++i) {
      modest_.push_back(std::make_unique<RequestClient>(
          server_->port(), GreedyKeyRequests(), absl::Seconds(10), texts_[i]));
    }
  }

  void Row(const char* name, int greedy_calls, int greedy_streams) {
    std::unique_ptr<GreedyProcess> greedy;
    if (greedy_calls > 0 || greedy_streams > 0) {
      greedy = std::make_unique<GreedyProcess>(
          GreedyLoad{server_->port(), texts_[0], greedy_calls, greedy_streams,
                     flags_.seconds},
          flags_.greedy_nice);
    }
    const absl::Time begin = absl::Now();
    SendModest(begin, begin + absl::Seconds(flags_.seconds));
    Tally modest;
    for (const auto& client : modest_) {
      const Tally tally = client->Take();
      modest.latencies_ms.insert(modest.latencies_ms.end(),
                                 tally.latencies_ms.begin(),
                                 tally.latencies_ms.end());
      modest.late += tally.late + tally.refused + tally.failed;
    }
    const auto counts =
        greedy == nullptr ? GreedyProcess::Counts() : greedy->Wait();
    std::printf("%-34s %7.1f %7.1f %7.1f %8zu %6lld %8.1f %9.1f\n", name,
                modest.Percentile(0.5), modest.Percentile(0.9),
                modest.Percentile(0.99), modest.latencies_ms.size(),
                static_cast<long long>(modest.late),
                static_cast<double>(counts.answered) / flags_.seconds,
                static_cast<double>(counts.refused) / flags_.seconds);
    std::fflush(stdout);
  }

  // As a Poisson process, of one request a second and key.
  void SendModest(absl::Time begin, absl::Time end) {
    std::mt19937_64 random(1);
    std::exponential_distribution<double> gap(kModestKeys);
    std::uniform_int_distribution<size_t> who(0, modest_.size() - 1);
    for (absl::Time due = begin + absl::Seconds(gap(random)); due < end;
         due += absl::Seconds(gap(random))) {
      absl::SleepFor(due - absl::Now());
      modest_[who(random)]->Send(due);
    }
  }

  const Flags flags_;
  RealClock clock_;
  PipelineMetrics metrics_;
  RpcMetrics calls_;
  KeyMetrics key_metrics_;
  // The greedy one's first.
  std::vector<std::string> texts_;
  std::unique_ptr<KeyRing> ring_;
  std::unique_ptr<Authenticator> gate_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<RequestClient>> modest_;
};

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  sam3::Flags flags;
  sam3::GreedyLoad greedy;
  CLI::App app("What a greedy key costs ten modest ones, on the fake engine");
  auto* folder =
      app.add_option("folder", flags.folder, "Where the keys' file is written")
          ->check(CLI::ExistingDirectory);
  app.add_option("--seconds", flags.seconds, "Seconds per row");
  app.add_option("--image-ms", flags.image_ms, "Engine time per picture");
  app.add_option("--pair-ms", flags.pair_ms, "Engine time per prompt");
  app.add_option("--batch-ms", flags.batch_ms,
                 "Time a batch may take; 0: the server's default");
  app.add_option("--calls", flags.greedy_calls, "Requests under way, greedy");
  app.add_option("--streams", flags.greedy_streams, "Streams, greedy");
  app.add_option("--concurrent", flags.concurrent,
                 "Requests at a time that a key may have; 0 for no limit");
  app.add_option("--greedy-nice", flags.greedy_nice,
                 "Niceness of the greedy client; 0: on equal terms");
  app.add_option("--greedy-port", greedy.port,
                 "Be only the greedy client of a server at this port")
      ->excludes(folder);
  app.add_option("--greedy-key", greedy.key, "Its key");
  CLI11_PARSE(app, argc, argv);
  if (greedy.port > 0) {
    greedy.calls = flags.greedy_calls;
    greedy.streams = flags.greedy_streams;
    greedy.seconds = flags.seconds;
    sam3::RunGreedyClient(greedy);
    return 0;
  }
  if (flags.folder.empty()) {
    std::fprintf(stderr,
                 "greedy_key: name a folder for the keys' file; see --help\n");
    return 2;
  }
  sam3::Comparison(flags).Run();
  return 0;
}
