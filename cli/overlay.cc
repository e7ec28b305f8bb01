#include "cli/overlay.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "inference/base/status_macros.h"
#include "pipeline/mask_codec.h"
#include "pipeline/mask_raster.h"
#include "pipeline/media/image_writer.h"

namespace sam3 {
namespace {

constexpr int kJpegQuality = 92;
constexpr double kThumbnail = 320;

// RGB, far apart from each other in hue, and rare in pictures.
const cv::Scalar& ColourOf(size_t prompt) {
  static const std::array<cv::Scalar, 8> kColours = {
      cv::Scalar(0, 210, 255),  cv::Scalar(255, 60, 200),
      cv::Scalar(150, 255, 0),  cv::Scalar(255, 140, 0),
      cv::Scalar(140, 90, 255), cv::Scalar(255, 235, 0),
      cv::Scalar(0, 230, 150),  cv::Scalar(255, 70, 70)};
  return kColours[prompt % kColours.size()];
}

// Black or white, whichever stands out more from a colour (Rec. 601 luma).
cv::Scalar InkOn(const cv::Scalar& colour) {
  const double luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2];
  return luma > 110 ? cv::Scalar(0, 0, 0) : cv::Scalar(255, 255, 255);
}

// Sizes of lines and letters that suit a picture, in pixels and in OpenCV's
// unit of letters.
struct Pen {
  int line = 1;
  int halo = 1;
  double font = 0.4;
  int letter_stroke = 1;
  int margin = 2;
};

Pen PenFor(const cv::Mat& canvas) {
  const double side = std::sqrt(static_cast<double>(canvas.total()));
  Pen pen;
  // A dark edge on both sides: lines stay visible on things of their colour.
  // There is no room for it in thumbnails.
  if (side >= kThumbnail) {
    pen.line = std::max(2, static_cast<int>(std::lround(side / 320)));
    pen.halo = pen.line + 2 * std::max(1, pen.line / 4);
  }
  pen.font = std::max(side / 1100, 0.4);
  // Thicker, letters would run together.
  pen.letter_stroke =
      std::max(1, static_cast<int>(std::lround(pen.font * 1.6)));
  pen.margin = std::max(2, static_cast<int>(std::lround(pen.font * 5)));
  return pen;
}

// Of followed objects each has its own, of others each prompt.
const cv::Scalar& ColourOf(const v1::Instance& instance, size_t prompt) {
  return ColourOf(instance.has_object_id()
                      ? static_cast<size_t>(instance.object_id())
                      : prompt);
}

const cv::Scalar& HaloColour() {
  static const cv::Scalar kHalo(20, 20, 20);
  return kHalo;
}

absl::Status TintMask(const v1::Mask& mask, const cv::Scalar& colour,
                      const Pen& pen, cv::Mat* canvas) {
  SAM3_ASSIGN_OR_RETURN(
      const MaskRuns runs,
      RunsFromCoco({mask.width_px(), mask.height_px(), mask.rle().counts()}));
  if (runs.width != canvas->cols || runs.height != canvas->rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("a mask of ", runs.width, " x ", runs.height,
                     " for a picture of ", canvas->cols, " x ", canvas->rows));
  }
  MaskRaster raster = CropToBox(runs);
  if (raster.width == 0) return absl::OkStatus();
  const cv::Mat inside(raster.height, raster.width, CV_8UC1,
                       raster.pixels.data());
  const cv::Rect crop(raster.x, raster.y, raster.width, raster.height);
  cv::Mat region = (*canvas)(crop);
  cv::Mat tinted;
  constexpr double kTint = 0.45;
  cv::addWeighted(region, 1 - kTint, cv::Mat(region.size(), CV_8UC3, colour),
                  kTint, 0, tinted);
  tinted.copyTo(region, inside);
  std::vector<std::vector<cv::Point>> outline;
  cv::findContours(inside, outline, cv::RETR_EXTERNAL, cv::CHAIN_APPROX_NONE,
                   crop.tl());
  cv::drawContours(*canvas, outline, -1, HaloColour(), pen.halo, cv::LINE_AA);
  cv::drawContours(*canvas, outline, -1, colour, pen.line, cv::LINE_AA);
  return absl::OkStatus();
}

void DrawLabel(const std::string& text, cv::Point corner,
               const cv::Scalar& colour, const Pen& pen, cv::Mat* canvas) {
  int baseline = 0;
  const cv::Size size = cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX,
                                        pen.font, pen.letter_stroke, &baseline);
  const int height = size.height + baseline + 2 * pen.margin;
  const int width = size.width + 2 * pen.margin;
  // Above the box, or inside it at the picture's upper edge.
  const int top = corner.y >= height ? corner.y - height : corner.y;
  const int left = std::clamp(corner.x, 0, std::max(0, canvas->cols - width));
  cv::rectangle(*canvas, cv::Rect(left, top, width, height), colour,
                cv::FILLED);
  cv::putText(*canvas, text,
              cv::Point(left + pen.margin, top + pen.margin + size.height),
              cv::FONT_HERSHEY_SIMPLEX, pen.font, InkOn(colour),
              pen.letter_stroke, cv::LINE_AA);
}

void DrawClick(const v1::Point& click, const Pen& pen, cv::Mat* canvas) {
  const cv::Point centre(static_cast<int>(click.x()),
                         static_cast<int>(click.y()));
  const cv::Scalar colour = click.label() == v1::Point::LABEL_NEGATIVE
                                ? cv::Scalar(230, 40, 40)
                                : cv::Scalar(40, 200, 60);
  const int radius = 3 * pen.line;
  cv::circle(*canvas, centre, radius + pen.line, cv::Scalar(255, 255, 255),
             cv::FILLED, cv::LINE_AA);
  cv::circle(*canvas, centre, radius, colour, cv::FILLED, cv::LINE_AA);
}

}  // namespace

absl::StatusOr<Image> DrawOverlay(const Image& picture,
                                  const std::vector<v1::PromptResult>& results,
                                  const std::vector<std::string>& labels,
                                  const std::vector<v1::Point>& clicks) {
  HeapAllocator allocator;
  const std::shared_ptr<uint8_t> pixels =
      allocator.Allocate(picture.size_bytes());
  if (pixels == nullptr) return absl::ResourceExhaustedError("no memory");
  std::memcpy(pixels.get(), picture.pixels(), picture.size_bytes());
  cv::Mat canvas(picture.height(), picture.width(), CV_8UC3, pixels.get());
  const Pen pen = PenFor(canvas);
  for (size_t i = 0; i < results.size(); ++i) {
    for (const v1::Instance& instance : results[i].instances()) {
      if (!instance.mask().has_rle()) continue;
      SAM3_RETURN_IF_ERROR(
          TintMask(instance.mask(), ColourOf(instance, i), pen, &canvas));
    }
  }
  for (size_t i = 0; i < results.size(); ++i) {
    for (const v1::Instance& instance : results[i].instances()) {
      const auto& box = instance.box().xyxy();
      // A given object that is not to be seen.
      if (box.x1() <= box.x0()) continue;
      const cv::Point low(static_cast<int>(box.x0()),
                          static_cast<int>(box.y0()));
      const cv::Point high(static_cast<int>(box.x1()) - 1,
                           static_cast<int>(box.y1()) - 1);
      cv::rectangle(canvas, low, high, HaloColour(), pen.halo);
      const cv::Scalar& colour = ColourOf(instance, i);
      cv::rectangle(canvas, low, high, colour, pen.line);
      DrawLabel(instance.has_object_id()
                    ? absl::StrFormat("#%d %s", instance.object_id(), labels[i])
                    : absl::StrFormat("%s %.2f", labels[i], instance.score()),
                low, colour, pen, &canvas);
    }
  }
  for (const v1::Point& click : clicks) DrawClick(click, pen, &canvas);
  return Image(pixels, picture.width(), picture.height());
}

absl::Status WritePicture(const Image& image, const std::string& path) {
  const std::string lower = absl::AsciiStrToLower(path);
  const bool jpeg =
      absl::EndsWith(lower, ".jpg") || absl::EndsWith(lower, ".jpeg");
  if (!jpeg && !absl::EndsWith(lower, ".png")) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": a picture's name ends in .png or .jpg"));
  }
  SAM3_ASSIGN_OR_RETURN(
      const std::string bytes,
      jpeg ? EncodeJpeg(image, kJpegQuality) : EncodePng(image));
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) {
    return absl::UnavailableError(
        absl::StrCat(path, ": cannot be written (no such folder, or no room)"));
  }
  return absl::OkStatus();
}

}  // namespace sam3
