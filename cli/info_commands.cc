// info and explain: commands that look and change nothing.
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/prompt_flags.h"
#include "cli/unary_call.h"
#include "inference/base/status_macros.h"
#include "inference/demo_model/embedded_model.h"
#include "inference/engine_factory.h"
#include "service/explain.h"

namespace sam3 {
namespace {

struct LookFlags {
  ConnectionOptions connection;
  PromptFlags prompts;
  std::string image;
  std::string texts_file;
  bool json = false;
};

long long Megabytes(int64_t bytes) { return bytes / 1'000'000; }

// A server that did not warm up, as in this process, has measured nothing.
std::string CapacityText(const v1::GetServerInfoResponse::Capacity& capacity) {
  const double image = Milliseconds(capacity.per_image());
  if (image == 0) return "not measured";
  return absl::StrFormat(
      "%.1f ms picture and prompt, %.1f ms each further prompt", image,
      Milliseconds(capacity.per_prompt()));
}

void PrintInfo(const v1::GetServerInfoResponse& info) {
  const auto& model = info.model();
  const auto& limits = info.limits();
  std::printf(
      "version   %s\n"
      "model     %s, %.1f M parameters, sees %d x %d, masks of %d x %d\n"
      "          fingerprint %s%s\n"
      "device    %s (%s), %s\n"
      "capacity  %s\n"
      "          %d stream slots free, %d jobs waiting\n"
      "limits    a picture: %lld MB, %lld megapixels, sides of %d\n"
      "          a request: %d prompts, of %d tokens and %d example boxes "
      "each\n"
      "          a message: %lld MB, a chunk %lld MB; %d streams at a time\n",
      info.version().c_str(), model.name().c_str(),
      static_cast<double>(model.parameter_count()) * 1e-6,
      model.image_size_px(), model.image_size_px(), model.mask_size_px(),
      model.mask_size_px(), model.fingerprint().c_str(),
      model.embedded_demo() ? "; knows coloured shapes only" : "",
      info.device().id().c_str(),
      info.device().name().empty() ? "name unknown"
                                   : info.device().name().c_str(),
      info.device().dtype().c_str(), CapacityText(info.capacity()).c_str(),
      info.capacity().stream_slots_free_count(),
      info.capacity().queued_jobs_count(),
      Megabytes(limits.max_image_size_bytes()),
      static_cast<long long>(limits.max_image_pixels() / 1'000'000),
      limits.max_image_side_px(), limits.max_prompts(),
      limits.max_text_tokens(), limits.max_exemplars(),
      Megabytes(limits.max_message_size_bytes()),
      Megabytes(limits.max_chunk_size_bytes()), limits.max_streams());
}

int RunInfo(const LookFlags& flags) {
  v1::GetServerInfoResponse info;
  return CallOnce(
      flags.connection, &v1::SegmentationService::Stub::GetServerInfo,
      v1::GetServerInfoRequest(),
      flags.json ? Output::kIndentedJson : Output::kWords, &info, PrintInfo);
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
  v1::ExplainResponse response;
  return CallOnce(flags.connection, &v1::SegmentationService::Stub::Explain,
                  request, flags.json ? Output::kJsonLine : Output::kWords,
                  &response, PrintExplanation);
}

}  // namespace

RunCommand AddInfoCommand(CLI::App* app) {
  auto flags = std::make_shared<LookFlags>();
  AddConnectionFlags(app, &flags->connection);
  app->add_flag("--json", flags->json, "Print the response as JSON");
  app->footer(
      "Examples:\n"
      "  sam3ctl info\n"
      "  sam3ctl info --server camera-host:50051 --json\n"
      "  sam3ctl info --demo\n");
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

}  // namespace sam3
