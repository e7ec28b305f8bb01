// info, explain and doctor: commands that look and change nothing.
#include <cstdio>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/prompt_flags.h"
#include "inference/base/status_macros.h"
#include "inference/demo_model/embedded_model.h"
#include "inference/engine_factory.h"
#include "service/explain.h"
#include "service/version.h"

namespace sam3 {
namespace {

struct LookFlags {
  ConnectionOptions connection;
  PromptFlags prompts;
  std::string image;
  std::string texts_file;
  bool json = false;
};

double Milliseconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) * 1e3 +
         static_cast<double>(duration.nanos()) * 1e-6;
}

int RunInfo(const LookFlags& flags) {
  const auto connection = Connection::Open(flags.connection);
  if (!connection.ok()) {
    return Complain(connection.status(), ExitStatusOf(connection.status()));
  }
  grpc::ClientContext context;
  v1::GetServerInfoResponse info;
  const grpc::Status status =
      (*connection)->stub().GetServerInfo(&context, {}, &info);
  if (!status.ok()) {
    PrintError(status);
    return ExitStatusOf(status);
  }
  if (flags.json) {
    std::printf("%s\n", ToJson(info, /*indented=*/true).c_str());
    return 0;
  }
  std::printf(
      "version   %s\n"
      "model     %s, %.1f M parameters, fingerprint %s\n"
      "device    %s (%s), %s\n"
      "capacity  %.1f ms picture and prompt, %.1f ms each further prompt, %d "
      "stream slots free\n"
      "limits    %lld MB and %lld megapixels a picture, %d prompts, %d "
      "tokens\n",
      info.version().c_str(), info.model().name().c_str(),
      static_cast<double>(info.model().parameter_count()) * 1e-6,
      info.model().fingerprint().c_str(), info.device().id().c_str(),
      info.device().name().c_str(), info.device().dtype().c_str(),
      Milliseconds(info.capacity().per_image()),
      Milliseconds(info.capacity().per_prompt()),
      info.capacity().stream_slots_free_count(),
      static_cast<long long>(info.limits().max_image_size_bytes() / 1'000'000),
      static_cast<long long>(info.limits().max_image_pixels() / 1'000'000),
      info.limits().max_prompts(), info.limits().max_text_tokens());
  return 0;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(
    const ConnectionOptions& options) {
  if (!options.model_dir.empty()) {
    return Tokenizer::FromFolder(options.model_dir);
  }
  const EmbeddedModel demo = GetEmbeddedDemoModel();
  return Tokenizer::FromFiles(demo.vocab_json, demo.merges_txt);
}

std::string JsonString(const std::string& text) {
  v1::ConceptPrompt quoted;
  quoted.set_prompt_id(text);
  const std::string json = ToJson(quoted, /*indented=*/false);
  const size_t begin = json.find(':') + 1;
  return json.substr(begin, json.find(",\"", begin) - begin);
}

// One line per text, without a service: only the vocabulary is needed.
absl::Status ExplainTexts(const LookFlags& flags) {
  SAM3_ASSIGN_OR_RETURN(const auto tokenizer, LoadTokenizer(flags.connection));
  std::ifstream stream(flags.texts_file);
  if (!stream) {
    return absl::NotFoundError(
        absl::StrCat(flags.texts_file, ": cannot be opened"));
  }
  for (std::string line; std::getline(stream, line);) {
    const auto explained = ExplainText(line, *tokenizer);
    if (!explained.ok()) {
      std::printf(
          "{\"error\":%s}\n",
          JsonString(std::string(explained.status().message())).c_str());
      continue;
    }
    std::vector<std::string> words;
    for (const std::string& word : explained->words()) {
      words.push_back(JsonString(word));
    }
    std::printf("{\"tokens\":[%s],\"truncated\":%s,\"words\":[%s]}\n",
                absl::StrJoin(explained->token_ids(), ",").c_str(),
                explained->truncated() ? "true" : "false",
                absl::StrJoin(words, ",").c_str());
  }
  return absl::OkStatus();
}

void PrintExplanation(const v1::ExplainResponse& response) {
  for (const auto& violation : response.violations()) {
    std::printf("refused: %s: %s\n", violation.field().c_str(),
                violation.description().c_str());
  }
  if (response.has_image_info()) {
    std::printf(
        "picture %dx%d, embedding %s\n", response.image_info().width_px(),
        response.image_info().height_px(),
        response.embedding_cache() == v1::EMBEDDING_CACHE_HIT ? "cached"
                                                              : "not cached");
  }
  for (const auto& prompt : response.prompts()) {
    std::printf("prompt %d: %d tokens%s: %s\n", prompt.prompt_index(),
                prompt.token_ids_size(),
                prompt.truncated() ? " (cut to 32)" : "",
                absl::StrJoin(prompt.words(), "|").c_str());
  }
  for (const std::string& warning : response.warnings()) {
    std::printf("warning: %s\n", warning.c_str());
  }
  std::printf("expected %.0f ms\n", Milliseconds(response.estimated_time()));
}

int RunExplain(const LookFlags& flags) {
  if (!flags.texts_file.empty()) {
    const absl::Status status = ExplainTexts(flags);
    return status.ok() ? 0 : Complain(status, kWrongUsage);
  }
  const auto prompts = MakePrompts(flags.prompts);
  if (!prompts.ok()) return Complain(prompts.status(), kWrongUsage);
  v1::ExplainRequest request;
  for (const v1::ConceptPrompt& prompt : *prompts) {
    *request.mutable_request()->add_prompts() = prompt;
  }
  const auto bytes = ReadWholeFile(flags.image);
  if (!bytes.ok()) return Complain(bytes.status(), kWrongUsage);
  request.mutable_request()->mutable_image()->set_content(*bytes);
  const auto connection = Connection::Open(flags.connection);
  if (!connection.ok()) {
    return Complain(connection.status(), ExitStatusOf(connection.status()));
  }
  grpc::ClientContext context;
  v1::ExplainResponse response;
  const grpc::Status status =
      (*connection)->stub().Explain(&context, request, &response);
  if (!status.ok()) {
    PrintError(status);
    return ExitStatusOf(status);
  }
  if (flags.json) {
    std::printf("%s\n", ToJson(response, /*indented=*/false).c_str());
  } else {
    PrintExplanation(response);
  }
  return 0;
}

// Each check prints one line: what was looked at, what was found, what to do.
int RunDoctor(const LookFlags& flags) {
  int problems = 0;
  const auto report = [&problems](bool good, const std::string& what,
                                  const std::string& found) {
    std::printf("%s  %-10s %s\n", good ? "ok  " : "FAIL", what.c_str(),
                found.c_str());
    if (!good) ++problems;
  };
  report(true, "version", kVersion);
  report(true, "cores", absl::StrCat(std::thread::hardware_concurrency()));
  EngineOptions engine;
  engine.model_dir = flags.connection.model_dir;
  engine.device = flags.connection.device;
  const auto model = LoadModel(engine);
  report(model.ok(), "model",
         model.ok() ? absl::StrCat(model->engine->info().model_name, " on ",
                                   model->engine->info().device, ", ",
                                   model->engine->info().dtype)
                    : std::string(model.status().message()));
  if (model.ok()) {
    const absl::Status warm = model->engine->Warmup({1});
    report(warm.ok(), "engine",
           warm.ok() ? "one picture and one prompt run"
                     : std::string(warm.message()));
  }
  ConnectionOptions remote = flags.connection;
  remote.in_process = false;
  const auto connection = Connection::Open(remote);
  std::printf("%s  %-10s %s\n", connection.ok() ? "ok  " : "note", "server",
              connection.ok()
                  ? absl::StrCat("answers at ", remote.server).c_str()
                  : std::string(connection.status().message()).c_str());
  return problems == 0 ? 0 : 1;
}

}  // namespace

RunCommand AddInfoCommand(CLI::App* app) {
  auto flags = std::make_shared<LookFlags>();
  AddConnectionFlags(app, &flags->connection);
  app->add_flag("--json", flags->json, "Print the response as JSON");
  return [flags] { return RunInfo(*flags); };
}

RunCommand AddExplainCommand(CLI::App* app) {
  auto flags = std::make_shared<LookFlags>();
  app->add_option("image", flags->image, "JPEG, PNG, WebP or BMP file");
  AddPromptFlags(app, &flags->prompts);
  AddConnectionFlags(app, &flags->connection);
  app->add_option("--texts-file", flags->texts_file,
                  "Explain every line of a file, one JSON object per line");
  app->add_flag("--json", flags->json, "Print JSON");
  app->footer(
      "Examples:\n"
      "  sam3ctl explain a.jpg --text \"yellow school bus\"\n"
      "  sam3ctl explain --model ~/sam3 --texts-file prompts.txt --json\n");
  return [flags] { return RunExplain(*flags); };
}

RunCommand AddDoctorCommand(CLI::App* app) {
  auto flags = std::make_shared<LookFlags>();
  AddConnectionFlags(app, &flags->connection);
  return [flags] { return RunDoctor(*flags); };
}

}  // namespace sam3
