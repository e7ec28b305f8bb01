#include <cstdio>
#include <memory>
#include <utility>

#include "cli/click_flags.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/overlay.h"
#include "cli/prompt_flags.h"
#include "cli/unary_call.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/image_decoder.h"

namespace sam3 {
namespace {

struct ClickCommandFlags {
  ConnectionOptions connection;
  ClickFlags clicks;
  std::vector<std::string> boxes;
  std::string image;
  std::string mask = "rle";
  std::string overlay;
  bool all = false;
  bool json = false;
};

void PrintMasks(const v1::SegmentObjectsResponse& response) {
  const v1::ObjectResult& result = response.results(0);
  std::printf("object %.2f\n", result.object_score());
  for (const v1::ObjectMask& mask : result.masks()) {
    const auto& box = mask.box().xyxy();
    std::printf(
        "  quality %.2f  stability %.2f  box %.0f,%.0f %.0fx%.0f  "
        "area %lld px\n",
        mask.predicted_iou(), mask.stability(), box.x0(), box.y0(),
        box.x1() - box.x0(), box.y1() - box.y0(),
        static_cast<long long>(mask.area_px()));
  }
  for (const std::string& warning : response.warnings()) {
    std::printf("warning: %s\n", warning.c_str());
  }
  std::printf("%dx%d  %.0f ms (encode %.0f, click %.0f)%s\n",
              response.image_info().width_px(),
              response.image_info().height_px(),
              Milliseconds(response.timings().total()),
              Milliseconds(response.timings().encode()),
              Milliseconds(response.timings().ground()),
              response.embedding_cache() == v1::EMBEDDING_CACHE_HIT
                  ? "  picture was cached"
                  : "");
}

absl::Status WriteClickOverlay(const ClickCommandFlags& flags,
                               const std::string& bytes,
                               const v1::ObjectPrompt& prompt,
                               const v1::ObjectResult& result) {
  HeapAllocator allocator;
  SAM3_ASSIGN_OR_RETURN(const Image picture, DecodeImage(bytes, {}, allocator));
  // Every candidate has a colour of its own.
  std::vector<v1::PromptResult> drawn;
  for (const v1::ObjectMask& mask : result.masks()) {
    v1::Instance* instance = drawn.emplace_back().add_instances();
    instance->set_score(mask.predicted_iou());
    *instance->mutable_box() = mask.box();
    *instance->mutable_mask() = mask.mask();
  }
  SAM3_ASSIGN_OR_RETURN(
      const Image overlay,
      DrawOverlay(picture, drawn,
                  std::vector<std::string>(drawn.size(), "quality"),
                  {prompt.points().begin(), prompt.points().end()}));
  return WritePicture(overlay, flags.overlay);
}

int RunClick(const ClickCommandFlags& flags) {
  const auto prompt = MakeObjectPrompt(flags.clicks, flags.boxes);
  if (!prompt.ok()) return Complain(prompt.status(), kWrongUsage);
  if (!flags.overlay.empty() && flags.mask != "rle") {
    return Complain(absl::InvalidArgumentError(
                        "--overlay draws --mask rle, the default, only"),
                    kWrongUsage);
  }
  const absl::StatusOr<std::string> bytes = ReadWholeFile(flags.image);
  if (!bytes.ok()) return Complain(bytes.status(), kWrongUsage);
  v1::SegmentObjectsRequest request;
  request.mutable_image()->set_content(*bytes);
  *request.add_prompts() = *prompt;
  request.set_multimask_output(!flags.clicks.single);
  request.set_return_all_candidates(flags.all);
  *request.mutable_mask_options() = *MakeMaskOptions(flags.mask);

  v1::SegmentObjectsResponse response;
  const int status = CallOnce(
      flags.connection, &v1::SegmentationService::Stub::SegmentObjects, request,
      flags.json ? Output::kJsonLine : Output::kWords, &response, PrintMasks);
  if (status != 0 || flags.overlay.empty()) return status;
  const absl::Status written =
      WriteClickOverlay(flags, *bytes, *prompt, response.results(0));
  if (!written.ok()) return Complain(written, kWrongUsage);
  if (!flags.json) std::printf("overlay %s\n", flags.overlay.c_str());
  return 0;
}

}  // namespace

RunCommand AddClickCommand(CLI::App* app) {
  auto flags = std::make_shared<ClickCommandFlags>();
  app->add_option("image", flags->image, "JPEG, PNG, WebP or BMP file")
      ->required();
  AddClickFlags(app, &flags->clicks);
  app->add_option("--box", flags->boxes,
                  "Around the object: x,y,width,height in pixels")
      ->type_size(1)
      ->expected(1);
  app->add_flag("--all", flags->all, "Show all proposals, not only the best");
  app->add_option("--mask", flags->mask,
                  "rle, polygon, png, bits, logits or none")
      ->check(
          CLI::IsMember({"rle", "polygon", "png", "bits", "logits", "none"}))
      ->capture_default_str();
  AddConnectionFlags(app, &flags->connection);
  app->add_flag("--json", flags->json, "Print the response as JSON");
  app->add_option(
      "--overlay", flags->overlay,
      "Write the picture with mask and clicks drawn (.png or .jpg)");
  app->footer(
      "Examples:\n"
      "  sam3ctl click truck.jpg --point 900,600 --overlay out.png\n"
      "  sam3ctl click a.jpg --point 100,80 --point 140,90:neg --single\n"
      "  sam3ctl click a.jpg --box 10,20,64,48 --json\n");
  return [flags] { return RunClick(*flags); };
}

}  // namespace sam3
