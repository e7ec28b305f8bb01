#include <cstdio>
#include <memory>

#include "absl/strings/match.h"
#include "cli/commands.h"
#include "cli/demo_scene.h"
#include "cli/output.h"
#include "cli/overlay.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/video_writer.h"

namespace sam3 {
namespace {

constexpr int kPictureSide = 640;
constexpr int kClipSide = 480;
constexpr int kClipFrames = 120;
constexpr double kClipRate = 24;

absl::Status WriteClip(const std::string& path) {
  SAM3_ASSIGN_OR_RETURN(
      const auto writer,
      VideoWriter::Create(path, kClipSide, kClipSide, kClipRate));
  for (int i = 0; i < kClipFrames; ++i) {
    SAM3_RETURN_IF_ERROR(writer->Write(
        DrawDemoClip(kClipSide, static_cast<double>(i) / (kClipFrames - 1))));
  }
  return writer->Finish();
}

}  // namespace

RunCommand AddSceneCommand(CLI::App* app) {
  auto path = std::make_shared<std::string>();
  app->add_option("out", *path, "File to write (.png, .jpg or .mp4)")
      ->required();
  app->footer("Example:\n  sam3ctl scene shapes.png\n");
  return [path] {
    const absl::Status status =
        absl::EndsWith(*path, ".mp4")
            ? WriteClip(*path)
            : WritePicture(DrawDemoScene(kPictureSide), *path);
    if (!status.ok()) return Complain(status, kWrongUsage);
    std::printf("written %s\n", path->c_str());
    return 0;
  };
}

}  // namespace sam3
