#include "service/http/mask_archive.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"
#include "pipeline/mask_codec.h"
#include "service/http/http_error.h"
#include "service/http/npz_writer.h"

namespace sam3 {
namespace {

constexpr int64_t kMaxMaskBytes = 1 << 30;

// One mask and what is told about it.
struct ArchivedMask {
  const v1::Mask* mask;
  float confidence;
  int32_t prompt_index;
};

LowResMask LogitsOf(const v1::Mask& mask) {
  LowResMask out;
  out.width = mask.width_px();
  out.height = mask.height_px();
  out.threshold = 0;
  out.values.resize(static_cast<size_t>(out.width) *
                    static_cast<size_t>(out.height));
  const std::string& data = mask.logits().data();
  std::memcpy(out.values.data(), data.data(),
              std::min(data.size(), out.values.size() * sizeof(float)));
  return out;
}

// Runs go down the columns; rows are what NumPy expects.
void FillRows(const MaskRuns& runs, std::string* rows) {
  rows->assign(rows->size(), 0);
  const auto width = static_cast<size_t>(runs.width);
  const auto height = static_cast<size_t>(runs.height);
  size_t x = 0;
  size_t y = 0;
  bool inside = false;
  for (const uint32_t run : runs.counts) {
    if (inside) {
      for (uint32_t i = 0; i < run; ++i) {
        (*rows)[y * width + x] = 1;
        if (++y == height) {
          y = 0;
          ++x;
        }
      }
    } else {
      x += (y + run) / height;
      y = (y + run) % height;
    }
    inside = !inside;
  }
}

void AddMasks(const std::vector<ArchivedMask>& masks, int width, int height,
              NpzWriter* out) {
  out->BeginArray("masks", "|u1",
                  {static_cast<int64_t>(masks.size()), height, width});
  std::string rows(static_cast<size_t>(width) * static_cast<size_t>(height), 0);
  for (const ArchivedMask& archived : masks) {
    FillRows(RunsFromLowRes(LogitsOf(*archived.mask), width, height), &rows);
    out->Append(rows);
  }
  out->EndArray();
}

void AddLogits(const std::vector<ArchivedMask>& masks, NpzWriter* out) {
  int width = 0;
  int height = 0;
  if (!masks.empty()) {
    width = masks[0].mask->width_px();
    height = masks[0].mask->height_px();
  }
  out->BeginArray("low_res_masks", "<f4",
                  {static_cast<int64_t>(masks.size()), height, width});
  for (const ArchivedMask& archived : masks) {
    out->Append(archived.mask->logits().data());
  }
  out->EndArray();
}

HttpResponse WriteArchive(const std::vector<ArchivedMask>& masks,
                          const v1::ImageInfo& image) {
  const int64_t bytes =
      static_cast<int64_t>(masks.size()) * image.width_px() * image.height_px();
  if (bytes > kMaxMaskBytes) {
    return MessageResponse(
        413,
        absl::StrCat("the archive would have ", bytes >> 20,
                     " MiB of masks; raise the threshold or take \"rle\""),
        reason::kMediaTooLarge);
  }
  NpzWriter out;
  AddMasks(masks, image.width_px(), image.height_px(), &out);
  AddLogits(masks, &out);
  std::vector<float> confidences;
  std::vector<int32_t> indices;
  for (const ArchivedMask& archived : masks) {
    confidences.push_back(archived.confidence);
    indices.push_back(archived.prompt_index);
  }
  const auto count = static_cast<int64_t>(masks.size());
  out.Add("confidence", "<f4", {count}, confidences);
  out.Add("prompt_index", "<i4", {count}, indices);
  return {200, "application/octet-stream", {}, out.Finish()};
}

}  // namespace

HttpResponse WriteConceptArchive(const v1::SegmentConceptsResponse& answer) {
  std::vector<ArchivedMask> masks;
  for (const v1::PromptResult& result : answer.results()) {
    for (const v1::Instance& instance : result.instances()) {
      masks.push_back(
          {&instance.mask(), instance.score(), result.prompt_index()});
    }
  }
  return WriteArchive(masks, answer.image_info());
}

HttpResponse WriteObjectArchive(const v1::SegmentObjectsResponse& answer) {
  std::vector<ArchivedMask> masks;
  for (const v1::ObjectResult& result : answer.results()) {
    for (const v1::ObjectMask& mask : result.masks()) {
      masks.push_back(
          {&mask.mask(), mask.predicted_iou(), result.prompt_index()});
    }
  }
  return WriteArchive(masks, answer.image_info());
}

}  // namespace sam3
