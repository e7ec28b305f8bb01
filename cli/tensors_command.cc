// tensors: works on a model folder without a service.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/click_flags.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/prompt_flags.h"
#include "inference/base/status_macros.h"
#include "inference/engine_factory.h"
#include "pipeline/media/image_decoder.h"
#include "pipeline/prompt_geometry.h"
#include "service/validate.h"

namespace sam3 {
namespace {

// Stands for the picture in requests that are only checked.
constexpr char kReadAlready[] = "picture";

struct ModelFlags {
  std::string image;
  std::string out;
  PromptFlags prompts;
  ClickFlags clicks;
  EngineOptions engine;
};

// Writes fp32 tensors as a safetensors file.
absl::Status WriteSafetensors(const std::vector<NamedTensor>& tensors,
                              const std::string& path) {
  std::vector<std::string> entries;
  uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    const uint64_t bytes = tensor.values.size() * sizeof(float);
    entries.push_back(
        absl::StrCat("\"", tensor.name, "\":{\"dtype\":\"F32\",\"shape\":[",
                     absl::StrJoin(tensor.shape, ","), "],\"data_offsets\":[",
                     offset, ",", offset + bytes, "]}"));
    offset += bytes;
  }
  std::string header = absl::StrCat("{", absl::StrJoin(entries, ","), "}");
  header.append((8 - header.size() % 8) % 8, ' ');
  const uint64_t size = header.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&size), sizeof(size));
  file.write(header.data(), static_cast<std::streamsize>(header.size()));
  for (const NamedTensor& tensor : tensors) {
    file.write(
        reinterpret_cast<const char*>(tensor.values.data()),
        static_cast<std::streamsize>(tensor.values.size() * sizeof(float)));
  }
  file.close();
  return file ? absl::OkStatus()
              : absl::UnavailableError(
                    absl::StrCat(path, ": cannot be written"));
}

absl::StatusOr<std::vector<NamedTensor>> ConceptTensors(
    const ModelFlags& flags, LoadedModel& model,
    const RequestValidator& validator, const Image& image) {
  SAM3_ASSIGN_OR_RETURN(const auto prompts, MakePrompts(flags.prompts));
  if (prompts.size() != 1) {
    return absl::InvalidArgumentError("tensors takes one --text");
  }
  v1::SegmentConceptsRequest request;
  request.mutable_image()->set_image_id(kReadAlready);
  *request.add_prompts() = prompts.front();
  SAM3_ASSIGN_OR_RETURN(const ConceptRequest valid,
                        validator.ValidateConcepts(request));
  SAM3_ASSIGN_OR_RETURN(
      const auto engine_prompts,
      ToEnginePrompts(valid.prompts, valid.options, image.width(),
                      image.height(), nullptr));
  const EnginePrompt& prompt = engine_prompts.front();
  SAM3_ASSIGN_OR_RETURN(
      std::vector<NamedTensor> tensors,
      model.engine->RawConceptOutputs(image, prompt.text, prompt.exemplars));
  NamedTensor ids{"input_ids", {kTextContextLength}, {}};
  for (const int32_t id : prompt.text.ids) {
    ids.values.push_back(static_cast<float>(id));
  }
  tensors.push_back(std::move(ids));
  return tensors;
}

absl::StatusOr<std::vector<NamedTensor>> ObjectTensors(
    const ModelFlags& flags, LoadedModel& model,
    const RequestValidator& validator, const Image& image) {
  v1::SegmentObjectsRequest request;
  request.mutable_image()->set_image_id(kReadAlready);
  SAM3_ASSIGN_OR_RETURN(*request.add_prompts(),
                        MakeObjectPrompt(flags.clicks, flags.prompts.boxes));
  SAM3_ASSIGN_OR_RETURN(const ObjectRequest valid,
                        validator.ValidateObjects(request));
  SAM3_ASSIGN_OR_RETURN(
      const auto prompts,
      ToObjectPrompts(valid.prompts, image.width(), image.height(), nullptr));
  return model.engine->RawObjectOutputs(image, prompts.front(),
                                        !flags.clicks.single);
}

absl::Status WriteTensors(const ModelFlags& flags) {
  SAM3_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(flags.image));
  SAM3_ASSIGN_OR_RETURN(LoadedModel model, LoadModel(flags.engine));
  const RequestValidator validator({}, *model.tokenizer, model.engine->info(),
                                   "");
  SAM3_ASSIGN_OR_RETURN(const Image image,
                        DecodeImage(bytes, {}, model.engine->host_allocator()));
  if (flags.prompts.texts.empty() && flags.prompts.boxes.empty() &&
      flags.clicks.points.empty()) {
    return absl::InvalidArgumentError(
        "say what to look for: --text for a concept, --point or --box for one "
        "object");
  }
  // A concept has a text; without one, a box is what a click is.
  const auto read =
      flags.prompts.texts.empty() ? &ObjectTensors : &ConceptTensors;
  SAM3_ASSIGN_OR_RETURN(const std::vector<NamedTensor> tensors,
                        read(flags, model, validator, image));
  SAM3_RETURN_IF_ERROR(WriteSafetensors(tensors, flags.out));
  for (const NamedTensor& tensor : tensors) {
    std::printf("%-16s [%s]\n", tensor.name.c_str(),
                absl::StrJoin(tensor.shape, ", ").c_str());
  }
  std::printf("written %s\n", flags.out.c_str());
  return absl::OkStatus();
}

}  // namespace

RunCommand AddTensorsCommand(CLI::App* app) {
  auto flags = std::make_shared<ModelFlags>();
  app->add_option("image", flags->image, "JPEG, PNG, WebP or BMP file")
      ->required();
  app->add_option("--model", flags->engine.model_dir,
                  "Model folder (default: the embedded demo model)");
  AddPromptFlags(app, &flags->prompts);
  AddClickFlags(app, &flags->clicks);
  AddEngineFlags(app, &flags->engine);
  app->add_option("--out", flags->out, "File to write (.safetensors)")
      ->required();
  app->footer(
      "With --text the outputs for a concept, else those for one object.\n"
      "Examples:\n"
      "  sam3ctl tensors truck.jpg --model ~/sam3 --text truck --out "
      "t.safetensors\n"
      "  sam3ctl tensors truck.jpg --model ~/sam3 --point 900,600 --out "
      "t.safetensors\n");
  return [flags] {
    const absl::Status status = WriteTensors(*flags);
    return status.ok() ? 0 : Complain(status, kServerRefused);
  };
}

}  // namespace sam3
