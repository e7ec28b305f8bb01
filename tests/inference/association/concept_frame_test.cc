// A frame on the host's side: which holes and specks of masks survive it.
#include "inference/association/concept_frame.h"

#include <gtest/gtest.h>

#include <vector>

namespace sam3 {
namespace {

constexpr int kSide = 30;
constexpr int kHoleArea = 9;
constexpr int kSpeckArea = 4;

size_t At(int x, int y) { return static_cast<size_t>(y * kSide + x); }
const size_t kHole = At(10, 10);
const size_t kSpeck = At(27, 27);

void Fill(int begin, int end, float logit, std::vector<float>* logits) {
  for (int y = begin; y < end; ++y) {
    for (int x = begin; x < end; ++x) (*logits)[At(x, y)] = logit;
  }
}

// A square with a hole, and a speck beside it.
std::vector<float> Spotted() {
  std::vector<float> logits(size_t{kSide} * kSide, -5.0f);
  Fill(2, 22, 5, &logits);
  Fill(9, 12, -5, &logits);
  Fill(26, 28, 5, &logits);
  return logits;
}

class ConceptFrameTest : public testing::TestWithParam<int> {
 protected:
  ConceptFrameTest() {
    Detection detection;
    detection.score = 0.9f;
    detection.mask = {kSide, kSide, Spotted(), 0.0f};
    found_.detections.push_back(std::move(detection));
  }

  // The only object's mask.
  std::vector<float> Answer(int64_t frame,
                            std::vector<PropagatedObject> objects) {
    const TrackItem item{nullptr, nullptr, {{0, &found_}}};
    const ConceptFrame made(frame, kSide, kSide, item, std::move(objects),
                            &table_);
    const TrackedFrame answer = made.Answer({});
    EXPECT_EQ(answer.objects[0].size(), 1u);
    return answer.objects[0].empty() ? Spotted()
                                     : answer.objects[0][0].mask.values;
  }

  static AssociationOptions Options() {
    AssociationOptions options;
    options.fill_hole_area = GetParam();
    return options;
  }

  Detections found_;
  TrackTable table_{Options()};
};

TEST_P(ConceptFrameTest, HolesAndSpecksOfThatAreaAreGone) {
  const std::vector<float> born = Answer(0, {});
  EXPECT_EQ(born[kHole] > 0, GetParam() >= kHoleArea);
  EXPECT_EQ(born[kSpeck] > 0, GetParam() < kSpeckArea);
  const std::vector<float> followed = Answer(1, {{0, 5.0f, Spotted()}});
  EXPECT_EQ(followed[kHole] > 0, GetParam() >= kHoleArea);
  EXPECT_EQ(followed[kSpeck] > 0, GetParam() < kSpeckArea);
}

INSTANTIATE_TEST_SUITE_P(Areas, ConceptFrameTest,
                         testing::Values(0, 3, 4, 8, 9,
                                         AssociationOptions().fill_hole_area));

}  // namespace
}  // namespace sam3
