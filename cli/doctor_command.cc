// doctor: whether a server can run on this machine, and what to do if not.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/machine_checks.h"
#include "cli/machine_facts.h"
#include "cli/output.h"
#include "cli/prompt_flags.h"
#include "inference/base/status_macros.h"
#include "inference/demo_model/embedded_model.h"
#include "inference/engine_factory.h"
#include "inference/model_folder.h"
#include "nlohmann/json.hpp"
#include "pipeline/media/video_decoder.h"
#include "service/config.h"
#include "service/version.h"

namespace sam3 {
namespace {

using Json = nlohmann::ordered_json;
using Verdict = Finding::Verdict;

constexpr int kProblemFound = 1;
constexpr std::chrono::seconds kAnswerTimeout(3);

ConnectionOptions ServerAt(const std::string& address) {
  ConnectionOptions options;
  options.server = address;
  return options;
}

struct DoctorFlags {
  EngineOptions engine;
  // Without an address only the default ones are looked at.
  ConnectionOptions server = ServerAt("");
  bool json = false;
};

Finding Libraries() {
  return {"libraries", Verdict::kGood,
          absl::StrCat("sam3ctl ", kVersion, ", ", EngineLibrary(), ", FFmpeg ",
                       FfmpegVersion(), ", gRPC ", grpc::Version(), ", ",
                       std::thread::hardware_concurrency(), " cores")};
}

// Loads the model and runs it once.
std::vector<Finding> ModelFindings(const EngineOptions& options) {
  const auto model = LoadModel(options);
  if (!model.ok()) {
    return {{"model", Verdict::kProblem, std::string(model.status().message()),
             options.model_dir.empty()
                 ? ""
                 : "sam3ctl verify says more about a folder"}};
  }
  const EngineInfo& info = model->engine->info();
  Finding loaded{"model", Verdict::kGood,
                 absl::StrCat(info.model_name, " on ", info.device, " (",
                              info.device_name, "), ", info.dtype)};
  const absl::Status warm = model->engine->Warmup({1});
  if (warm.ok()) {
    return {loaded,
            {"engine", Verdict::kGood, "one picture and one prompt run"}};
  }
  return {loaded,
          {"engine", Verdict::kProblem, std::string(warm.message()),
           absl::IsResourceExhausted(warm)
               ? "the device is out of memory: free some, or take another "
                 "--device"
               : ""}};
}

// "sam3-server 0.1.0 (model)" when one answers.
absl::StatusOr<std::string> AskServer(const ConnectionOptions& options) {
  SAM3_ASSIGN_OR_RETURN(const auto channel, MakeChannel(options));
  const auto stub = v1::SegmentationService::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAnswerTimeout);
  v1::GetServerInfoResponse info;
  const grpc::Status status = stub->GetServerInfo(&context, {}, &info);
  if (status.error_code() == grpc::StatusCode::UNAUTHENTICATED) {
    return absl::StrCat("sam3-server (", status.error_message(), ")");
  }
  if (!status.ok()) return absl::UnavailableError(status.error_message());
  return absl::StrCat("sam3-server ", info.version(), " (", info.model().name(),
                      ")");
}

std::vector<Finding> PortFindings() {
  const ServerSettings defaults;
  const std::string& calls = defaults.server.address;
  std::vector<PortFacts> ports = {
      {"--listen", calls},
      {"--health-listen", defaults.health_address},
      {"--metrics-listen", defaults.metrics_address},
      {"--http-listen", defaults.http.address}};
  std::string server;
  for (PortFacts& port : ports) {
    port.bind_error = TryToListen(port.address);
    port.serves_calls = port.address == calls;
    if (port.serves_calls && port.bind_error != 0) {
      server = AskServer(ServerAt(calls)).value_or("");
    }
    port.server = server;
  }
  std::vector<Finding> findings;
  findings.reserve(ports.size());
  for (const PortFacts& port : ports) findings.push_back(JudgePort(port));
  return findings;
}

Finding RemoteServer(const ConnectionOptions& options) {
  const std::string& address = options.server;
  const auto answer = AskServer(options);
  if (answer.ok()) {
    return {"server", Verdict::kGood,
            absl::StrCat(*answer, " answers at ", address)};
  }
  return {"server", Verdict::kProblem,
          absl::StrCat("none answers at ", address, ": ",
                       absl::string_view(answer.status().message())),
          "start sam3-server there, or correct --server"};
}

Finding OpenFiles() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return JudgeOpenFiles(limit.rlim_cur, limit.rlim_max);
}

std::vector<Finding> Examine(const DoctorFlags& flags) {
  const std::string& folder = flags.engine.model_dir;
  std::vector<Finding> findings = {
      Libraries(),
      JudgeDevice({flags.engine.device, NvidiaGpuPresent(),
                   absl::StrContains(EngineLibrary(), "with CUDA")}),
      JudgeMemory(ReadMemoryFacts(
          folder.empty()
              ? static_cast<int64_t>(GetEmbeddedDemoModel().safetensors.size())
              : WeightFileBytes(folder)))};
  for (Finding& finding : ModelFindings(flags.engine)) {
    findings.push_back(std::move(finding));
  }
  for (Finding& finding : PortFindings()) {
    findings.push_back(std::move(finding));
  }
  if (!flags.server.server.empty())
    findings.push_back(RemoteServer(flags.server));
  findings.push_back(
      {"keys", Verdict::kNote,
       "without keys and TLS a server listens on loopback only",
       "for other addresses make a key (sam3ctl keys new --file keys.json --id "
       "NAME), and give sam3-server --keys, --tls-cert and --tls-key"});
  findings.push_back(JudgeClock(ReadClockFacts()));
  findings.push_back(OpenFiles());
  return findings;
}

const char* NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return "ok";
    case Verdict::kNote:
      return "note";
    case Verdict::kProblem:
      return "FAIL";
  }
  return "";
}

void Print(const Finding& finding) {
  std::printf("%-4s  %-10s  %s\n", NameOf(finding.verdict),
              finding.subject.c_str(), finding.found.c_str());
  if (!finding.advice.empty()) {
    std::printf("                  -> %s\n", finding.advice.c_str());
  }
}

int RunDoctor(const DoctorFlags& flags) {
  ProgressLine progress;
  progress.Show(0, 0, "loading and running the model");
  const std::vector<Finding> findings = Examine(flags);
  progress.Clear();
  int problems = 0;
  Json list = Json::array();
  for (const Finding& finding : findings) {
    if (finding.verdict == Verdict::kProblem) ++problems;
    list.push_back({{"subject", finding.subject},
                    {"verdict", NameOf(finding.verdict)},
                    {"found", finding.found},
                    {"advice", finding.advice}});
    if (!flags.json) Print(finding);
  }
  if (flags.json) {
    const Json document = {{"problemCount", problems}, {"findings", list}};
    std::printf(
        "%s\n",
        document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else if (problems == 0) {
    std::printf("a server can run here\n");
  } else {
    std::printf("%d problem%s\n", problems, problems == 1 ? "" : "s");
  }
  return problems == 0 ? 0 : kProblemFound;
}

}  // namespace

RunCommand AddDoctorCommand(CLI::App* app) {
  auto flags = std::make_shared<DoctorFlags>();
  app->add_option("--model", flags->engine.model_dir,
                  "Model folder (default: the embedded demo model)");
  AddEngineFlags(app, &flags->engine);
  app->add_option("--server", flags->server.server,
                  "Also ask the server at this address");
  AddSecurityFlags(app, &flags->server);
  app->add_flag("--json", flags->json, "Print one JSON document");
  app->footer(
      "Exit status 1: at least one problem.\n"
      "Examples:\n"
      "  sam3ctl doctor\n"
      "  sam3ctl doctor --model ~/sam3 --device cuda:0\n");
  return [flags] { return RunDoctor(*flags); };
}

}  // namespace sam3
