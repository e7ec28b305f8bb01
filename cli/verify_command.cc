// verify: loads a checkpoint strictly and, where that can be done, compares it
// with published results.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/anchors.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/prompt_flags.h"
#include "inference/base/clock.h"
#include "inference/base/status_macros.h"
#include "inference/engine_factory.h"
#include "nlohmann/json.hpp"
#include "pipeline/media/image_decoder.h"

namespace sam3 {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kRefused = 3;
constexpr int kFailed = 4;

struct VerifyFlags {
  EngineOptions engine;
  std::string images;
  bool json = false;
};

// One anchor's numbers.
struct AnchorReport {
  Anchor anchor;
  std::vector<AnchorValue> values;

  int differing() const {
    return static_cast<int>(
        std::count_if(values.begin(), values.end(),
                      [](const AnchorValue& v) { return !v.within(); }));
  }
  std::string title() const {
    return anchor.boxes.empty()
               ? absl::StrCat(anchor.picture, " \"", anchor.text, "\"")
               : absl::StrCat(anchor.picture, " with ", anchor.boxes.size(),
                              anchor.boxes.size() == 1 ? " box" : " boxes");
  }
};

absl::StatusOr<std::vector<AnchorValue>> RunAnchor(const Anchor& anchor,
                                                   const std::string& bytes,
                                                   LoadedModel& model) {
  SAM3_ASSIGN_OR_RETURN(const Image picture,
                        DecodeImage(bytes, {}, model.engine->host_allocator()));
  SAM3_ASSIGN_OR_RETURN(const TokenizedText text,
                        model.tokenizer->Tokenize(anchor.text));
  const auto width = static_cast<float>(picture.width());
  const auto height = static_cast<float>(picture.height());
  std::vector<Exemplar> exemplars;
  for (const Box& box : anchor.boxes) {
    exemplars.push_back(
        {{box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height},
         ExemplarLabel::kPositive});
  }
  SAM3_ASSIGN_OR_RETURN(
      const std::vector<NamedTensor> outputs,
      model.engine->RawConceptOutputs(picture, text, exemplars));
  return CompareWithAnchor(anchor, outputs, picture.width(), picture.height(),
                           model.engine->info().dtype == "bf16");
}

// Runs every anchor; `model` is loaded again where one needs another class
// token rule.
absl::StatusOr<std::vector<AnchorReport>> RunAnchors(
    const VerifyFlags& flags,
    const std::map<std::string, std::string>& pictures, LoadedModel model,
    ProgressLine* progress) {
  const std::vector<Anchor> anchors = PublishedAnchors();
  std::vector<AnchorReport> reports;
  EngineOptions options = flags.engine;
  for (const Anchor& anchor : anchors) {
    AnchorReport report{anchor, {}};
    progress->Show(static_cast<int64_t>(reports.size()),
                   static_cast<int64_t>(anchors.size()), report.title());
    if (anchor.class_token != options.class_token) {
      options.class_token = anchor.class_token;
      // Two of these models do not fit everywhere at once.
      model = {};
      SAM3_ASSIGN_OR_RETURN(model, LoadModel(options));
    }
    SAM3_ASSIGN_OR_RETURN(
        report.values, RunAnchor(anchor, pictures.at(anchor.picture), model));
    reports.push_back(std::move(report));
  }
  return reports;
}

// The anchors' pictures by name. NOT_FOUND names those that are not there.
absl::StatusOr<std::map<std::string, std::string>> ReadPictures(
    const std::string& folder) {
  std::map<std::string, std::string> pictures;
  for (const Anchor& anchor : PublishedAnchors()) {
    if (pictures.contains(anchor.picture)) continue;
    auto bytes = ReadWholeFile(absl::StrCat(folder, "/", anchor.picture));
    if (!bytes.ok()) {
      return absl::NotFoundError(absl::StrCat(
          "--images ", folder, ": no ", anchor.picture,
          "; it is in COCO val2017 (images.cocodataset.org/val2017/",
          anchor.picture, ")"));
    }
    pictures[anchor.picture] = *std::move(bytes);
  }
  return pictures;
}

// What stands in place of anchors, when none are run.
std::string WhyNoAnchors(const EngineInfo& info) {
  if (!HasPublishedShape(info)) {
    return "none are published for a model of this size";
  }
  return "bring the COCO pictures 000000077595.jpg and 000000136466.jpg "
         "(--images DIR) to check the published scores";
}

void PrintModel(const EngineInfo& info, absl::Duration pass) {
  std::printf(
      "%lld tensors, %.1f M parameters, %.2f GB, fingerprint %s\n"
      "all names, shapes and types as config.json says, all values finite\n"
      "one picture of %d x %d and one prompt in %.1f s on %s (%s), %s\n",
      static_cast<long long>(info.stored.tensor_count),
      static_cast<double>(info.stored.parameter_count) * 1e-6,
      static_cast<double>(info.stored.size_bytes) * 1e-9,
      info.model_fingerprint.c_str(), info.image_size, info.image_size,
      absl::ToDoubleSeconds(pass), info.device.c_str(),
      info.device_name.c_str(), info.dtype.c_str());
}

void PrintReport(const AnchorReport& report) {
  std::printf("anchor %s: %s\n", report.title().c_str(),
              report.differing() == 0
                  ? "as published"
                  : absl::StrCat(report.differing(), " of ",
                                 report.values.size(), " numbers differ")
                        .c_str());
  for (const AnchorValue& value : report.values) {
    std::printf("  %s  %-13s %10.4f   published %10.4f  +- %g\n",
                value.within() ? "ok  " : "FAIL", value.name.c_str(),
                value.found, value.published, value.tolerance);
  }
}

Json ToJson(const AnchorReport& report) {
  Json values = Json::array();
  for (const AnchorValue& value : report.values) {
    values.push_back({{"name", value.name},
                      {"found", value.found},
                      {"published", value.published},
                      {"tolerance", value.tolerance},
                      {"ok", value.within()}});
  }
  return {{"picture", report.anchor.picture},
          {"text", report.anchor.text},
          {"boxCount", report.anchor.boxes.size()},
          {"ok", report.differing() == 0},
          {"values", std::move(values)}};
}

Json ToJson(const EngineInfo& info) {
  return {{"tensorCount", info.stored.tensor_count},
          {"parameterCount", info.stored.parameter_count},
          {"sizeBytes", info.stored.size_bytes},
          {"fingerprint", info.model_fingerprint},
          {"device", info.device},
          {"deviceName", info.device_name},
          {"dtype", info.dtype},
          {"publishedShape", HasPublishedShape(info)}};
}

// Prints what the anchors came to; the exit status.
int Conclude(const VerifyFlags& flags, const EngineInfo& info,
             const std::vector<AnchorReport>& reports) {
  Json anchors = Json::array();
  bool good = true;
  for (const AnchorReport& report : reports) {
    good = good && report.differing() == 0;
    anchors.push_back(ToJson(report));
    if (!flags.json) PrintReport(report);
  }
  if (flags.json) {
    Json document = ToJson(info);
    document["anchors"] = std::move(anchors);
    std::printf("%s\n", document.dump(2).c_str());
  } else if (!good) {
    std::printf(
        "these are not the published weights, or this machine computes "
        "something else with them\n");
  }
  return good ? 0 : kRefused;
}

int RunVerify(const VerifyFlags& flags) {
  std::map<std::string, std::string> pictures;
  if (!flags.images.empty()) {
    auto read = ReadPictures(flags.images);
    if (!read.ok()) return Complain(read.status(), kWrongUsage);
    pictures = *std::move(read);
  }
  ProgressLine progress;
  progress.Show(0, 0, "loading the weights");
  absl::StatusOr<LoadedModel> model = LoadModel(flags.engine);
  progress.Clear();
  if (!model.ok()) return Complain(model.status(), kRefused);
  const EngineInfo info = model->engine->info();
  progress.Show(0, 0, "running the model once");
  RealClock clock;
  const absl::Time start = clock.Now();
  const absl::Status warm = model->engine->Warmup({1});
  progress.Clear();
  if (!warm.ok()) return Complain(warm, kFailed);
  if (!flags.json) PrintModel(info, clock.Now() - start);
  if (pictures.empty() || !HasPublishedShape(info)) {
    if (!flags.json) std::printf("anchors: %s\n", WhyNoAnchors(info).c_str());
    return Conclude(flags, info, {});
  }
  const auto reports =
      RunAnchors(flags, pictures, *std::move(model), &progress);
  progress.Clear();
  if (!reports.ok()) return Complain(reports.status(), kFailed);
  return Conclude(flags, info, *reports);
}

}  // namespace

RunCommand AddVerifyCommand(CLI::App* app) {
  auto flags = std::make_shared<VerifyFlags>();
  // The published numbers are fp32's.
  flags->engine.dtype = DtypeChoice::kFp32;
  app->add_option("folder", flags->engine.model_dir,
                  "Model folder in the Hugging Face layout")
      ->required();
  AddEngineFlags(app, &flags->engine);
  app->add_option("--images", flags->images,
                  "Folder with two COCO pictures: compare with published "
                  "results");
  app->add_flag("--json", flags->json, "Print one JSON document");
  app->footer(
      "Exit status 3: the folder is not a whole SAM 3 model, or its results "
      "are not the\npublished ones.\n"
      "Examples:\n"
      "  sam3ctl verify ~/sam3\n"
      "  sam3ctl verify ~/sam3 --images ~/coco/val2017\n");
  return [flags] { return RunVerify(*flags); };
}

}  // namespace sam3
