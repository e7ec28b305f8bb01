#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "inference/engine.h"
#include "inference/engine_factory.h"
#include "inference/geometry.h"

namespace sam3 {

// One result of facebook/sam3 that Hugging Face publishes in the tests of its
// Sam3Model: what to run, and the numbers that came out there in fp32.
struct Anchor {
  const char* picture;     // file name in COCO val2017
  const char* text;        // "visual" where boxes alone are meant
  std::vector<Box> boxes;  // positive examples, pixels
  ClassTokenRule class_token;
  // Highest three logits; box (fractions) and first mask logits of the best.
  std::array<float, 3> logits;
  Box box;
  std::array<float, 3> mask;
  // Score and box (pixels) of the first answer after post-processing, which is
  // the query of this rank.
  int answer_rank;
  float answer_score;
  Box answer_box;
};

std::vector<Anchor> PublishedAnchors();

// True for a model of the published architecture and size, whose weights may
// be the published ones.
bool HasPublishedShape(const EngineInfo& info);

// One number of an anchor beside what this program computed.
struct AnchorValue {
  std::string name;
  float published = 0;
  float found = 0;
  float tolerance = 0;

  bool within() const;
};

// Every number of an anchor against the raw outputs of the same prompt (see
// Engine::RawConceptOutputs) on a picture of `width` x `height` pixels. bf16
// has wider tolerances. Pure; any thread. INVALID_ARGUMENT names an output that
// is missing or too short.
absl::StatusOr<std::vector<AnchorValue>> CompareWithAnchor(
    const Anchor& anchor, absl::Span<const NamedTensor> outputs, int width,
    int height, bool bf16);

}  // namespace sam3
