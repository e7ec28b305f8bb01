#include <cstdio>
#include <memory>
#include <utility>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/overlay.h"
#include "cli/prompt_flags.h"
#include "cli/unary_call.h"
#include "pipeline/media/image_decoder.h"

namespace sam3 {
namespace {

struct SegmentFlags {
  ConnectionOptions connection;
  PromptFlags prompts;
  std::string image;
  std::string overlay;
  bool json = false;
};

void PrintResults(const SegmentFlags& flags,
                  const v1::SegmentConceptsResponse& response) {
  const std::vector<std::string> labels = MakeLabels(flags.prompts);
  for (int i = 0; i < response.results_size(); ++i) {
    const v1::PromptResult& result = response.results(i);
    std::printf("\"%s\" %d%s\n", labels[static_cast<size_t>(i)].c_str(),
                result.instances_size(), ScoreList(result).c_str());
    for (const v1::Instance& instance : result.instances()) {
      const auto& box = instance.box().xyxy();
      std::printf("  %.2f  box %.0f,%.0f %.0fx%.0f  area %lld px\n",
                  instance.score(), box.x0(), box.y0(), box.x1() - box.x0(),
                  box.y1() - box.y0(),
                  static_cast<long long>(instance.area_px()));
    }
  }
  for (const std::string& warning : response.warnings()) {
    std::printf("warning: %s\n", warning.c_str());
  }
  std::printf("%dx%d  %.0f ms (encode %.0f, ground %.0f)%s\n",
              response.image_info().width_px(),
              response.image_info().height_px(),
              Milliseconds(response.timings().total()),
              Milliseconds(response.timings().encode()),
              Milliseconds(response.timings().ground()),
              response.embedding_cache() == v1::EMBEDDING_CACHE_HIT
                  ? "  picture was cached"
                  : "");
}

absl::Status WriteOverlay(const SegmentFlags& flags, const std::string& bytes,
                          const v1::SegmentConceptsResponse& response) {
  HeapAllocator allocator;
  const absl::StatusOr<Image> picture = DecodeImage(bytes, {}, allocator);
  if (!picture.ok()) return picture.status();
  const absl::StatusOr<Image> drawn = DrawOverlay(
      *picture, {response.results().begin(), response.results().end()},
      MakeLabels(flags.prompts));
  if (!drawn.ok()) return drawn.status();
  return WritePicture(*drawn, flags.overlay);
}

int RunSegment(const SegmentFlags& flags) {
  v1::SegmentConceptsRequest request;
  const auto prompts = MakePrompts(flags.prompts);
  if (!prompts.ok()) return Complain(prompts.status(), kWrongUsage);
  if (!flags.overlay.empty() && flags.prompts.mask != "rle") {
    return Complain(absl::InvalidArgumentError(
                        "--overlay draws --mask rle, the default, only"),
                    kWrongUsage);
  }
  absl::StatusOr<std::string> bytes = ReadWholeFile(flags.image);
  if (!bytes.ok()) return Complain(bytes.status(), kWrongUsage);
  for (const v1::ConceptPrompt& prompt : *prompts) {
    *request.add_prompts() = prompt;
  }
  if (flags.prompts.threshold) {
    request.set_score_threshold(*flags.prompts.threshold);
  }
  if (flags.prompts.nms) {
    request.mutable_nms()->set_iou_threshold(*flags.prompts.nms);
  }
  request.set_max_instances_per_prompt(flags.prompts.max_instances);
  *request.mutable_mask_options() = *MakeMaskOptions(flags.prompts.mask);
  request.mutable_image()->set_content(*bytes);

  v1::SegmentConceptsResponse response;
  const int status = CallOnce(
      flags.connection, &v1::SegmentationService::Stub::SegmentConcepts,
      request, flags.json ? Output::kJsonLine : Output::kWords, &response,
      [&flags](const auto& answer) { PrintResults(flags, answer); });
  if (status != 0 || flags.overlay.empty()) return status;
  const absl::Status written = WriteOverlay(flags, *bytes, response);
  if (!written.ok()) return Complain(written, kWrongUsage);
  if (!flags.json) std::printf("overlay %s\n", flags.overlay.c_str());
  return 0;
}

}  // namespace

RunCommand AddSegmentCommand(CLI::App* app) {
  auto flags = std::make_shared<SegmentFlags>();
  app->add_option("image", flags->image, "JPEG, PNG, WebP or BMP file")
      ->required();
  AddPromptFlags(app, &flags->prompts);
  AddConnectionFlags(app, &flags->connection);
  app->add_flag("--json", flags->json, "Print the response as JSON");
  app->add_option("--overlay", flags->overlay,
                  "Write the picture with masks drawn (.png or .jpg)");
  app->footer(
      "Examples:\n"
      "  sam3ctl segment truck.jpg --text truck --overlay out.png\n"
      "  sam3ctl segment a.jpg --text \"red circle\" --text star --json\n"
      "  sam3ctl segment a.jpg --box 10,20,64,48 --box 200,20,60,40:neg\n");
  return [flags] { return RunSegment(*flags); };
}

}  // namespace sam3
