#include "cli/anchors.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

constexpr char kCat[] = "000000077595.jpg";
constexpr char kKitchen[] = "000000136466.jpg";
// Parameters of the published detector, its buffers included.
constexpr int64_t kPublishedParameters = 840'376'374;

// The published numbers have four digits and come from a GPU, where torch's
// convolutions round to TF32 unless told otherwise; this program's do not.
struct Tolerances {
  float logit = 0.02f;
  float score = 0.005f;
  float box = 0.002f;  // of the picture's side
  float mask = 0.1f;
};
constexpr Tolerances kBf16Tolerances = {0.3f, 0.03f, 0.02f, 1.5f};

float Sigmoid(float logit) { return 1.0f / (1.0f + std::exp(-logit)); }

absl::StatusOr<const std::vector<float>*> Find(
    absl::Span<const NamedTensor> outputs, absl::string_view name,
    size_t least) {
  for (const NamedTensor& tensor : outputs) {
    if (tensor.name != name) continue;
    if (tensor.values.size() >= least) return &tensor.values;
    return absl::InvalidArgumentError(absl::StrCat(
        name, " has ", tensor.values.size(), " values, not ", least));
  }
  return absl::InvalidArgumentError(absl::StrCat("no output ", name));
}

// Query indices, best first; equal logits in their order.
std::vector<size_t> Ranked(const std::vector<float>& logits) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  return order;
}

void AddBox(absl::string_view name, const Box& published, const float* found,
            float width, float height, float tolerance,
            std::vector<AnchorValue>* values) {
  values->push_back({absl::StrCat(name, " x0"), published.x0, found[0] * width,
                     tolerance * width});
  values->push_back({absl::StrCat(name, " y0"), published.y0, found[1] * height,
                     tolerance * height});
  values->push_back({absl::StrCat(name, " x1"), published.x1, found[2] * width,
                     tolerance * width});
  values->push_back({absl::StrCat(name, " y1"), published.y1, found[3] * height,
                     tolerance * height});
}

}  // namespace

bool AnchorValue::within() const {
  // False for NaN.
  return std::abs(found - published) <= tolerance;
}

std::vector<Anchor> PublishedAnchors() {
  return {
      {kCat,
       "ear",
       {},
       ClassTokenRule::kOnlyWithExemplars,
       {2.7182f, 2.4618f, -2.3020f},
       {0.4704f, 0.2014f, 0.5615f, 0.3770f},
       {-2.1815f, -6.2767f, -7.0687f},
       1,
       0.9210f,
       {402.1755f, 90.1420f, 459.6165f, 156.3702f}},
      {kCat,
       "visual",
       {{100, 150, 500, 450}},
       ClassTokenRule::kOnlyWithExemplars,
       {2.5988f, -1.6460f, -1.8699f},
       {0.1631f, 0.4140f, 0.7510f, 0.9931f},
       {-1.8726f, -3.5063f, -3.7716f},
       0,
       0.9307f,
       {104.3945f, 175.9433f, 480.6293f, 422.0826f}},
      {kKitchen,
       "visual",
       {{59, 144, 76, 163}, {87, 148, 104, 159}},
       ClassTokenRule::kOnlyWithExemplars,
       {3.2071f, 2.7154f, 1.6198f},
       {0.1757f, 0.2888f, 0.2296f, 0.3259f},
       {-8.6138f, -14.5615f, -17.9965f},
       1,
       0.9379f,
       {86.8687f, 147.5269f, 104.4475f, 159.6138f}},
      // Published from a batch with a box prompt, which gives every prompt of
      // the batch a class token.
      {kCat,
       "laptop",
       {},
       ClassTokenRule::kAlways,
       {3.6865f, -1.8555f, -2.5854f},
       {-0.0013f, 0.0016f, 0.4521f, 0.9964f},
       {0.0520f, 0.3121f, 0.4103f},
       0,
       0.9655f,
       {-0.8481f, 0.6668f, 289.3758f, 423.4723f}},
  };
}

bool HasPublishedShape(const EngineInfo& info) {
  return info.parameter_count == kPublishedParameters &&
         info.image_size == 1008 && info.mask_size == 288 &&
         info.query_count == 200;
}

absl::StatusOr<std::vector<AnchorValue>> CompareWithAnchor(
    const Anchor& anchor, absl::Span<const NamedTensor> outputs, int width,
    int height, bool bf16) {
  const Tolerances tolerances = bf16 ? kBf16Tolerances : Tolerances();
  SAM3_ASSIGN_OR_RETURN(const std::vector<float>* logits,
                        Find(outputs, "pred_logits", 3));
  SAM3_ASSIGN_OR_RETURN(const std::vector<float>* presence,
                        Find(outputs, "presence_logits", 1));
  SAM3_ASSIGN_OR_RETURN(const std::vector<float>* boxes,
                        Find(outputs, "pred_boxes", logits->size() * 4));
  SAM3_ASSIGN_OR_RETURN(const std::vector<float>* masks,
                        Find(outputs, "pred_masks", logits->size() * 3));
  const std::vector<size_t> ranked = Ranked(*logits);
  std::vector<AnchorValue> values;
  for (size_t i = 0; i < anchor.logits.size(); ++i) {
    values.push_back({absl::StrCat("logit ", i + 1), anchor.logits[i],
                      (*logits)[ranked[i]], tolerances.logit});
  }
  AddBox("best box", anchor.box, &(*boxes)[ranked[0] * 4], 1, 1, tolerances.box,
         &values);
  const size_t mask_cells = masks->size() / logits->size();
  for (size_t i = 0; i < anchor.mask.size(); ++i) {
    values.push_back({absl::StrCat("best mask 0,", i), anchor.mask[i],
                      (*masks)[ranked[0] * mask_cells + i], tolerances.mask});
  }
  const size_t answer = ranked[static_cast<size_t>(anchor.answer_rank)];
  values.push_back({"answer score", anchor.answer_score,
                    Sigmoid((*logits)[answer]) * Sigmoid(presence->front()),
                    tolerances.score});
  AddBox("answer box", anchor.answer_box, &(*boxes)[answer * 4],
         static_cast<float>(width), static_cast<float>(height), tolerances.box,
         &values);
  return values;
}

}  // namespace sam3
