// Objects that another stream followed, with the memory of a tiny model: a seed
// that a detection bears out is remembered as if it were born from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "inference/torch/torch_image.h"
#include "inference/torch/track_batch.h"
#include "tests/inference/torch/reference_file.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SeededTracksTest : public testing::Test {
 protected:
  SeededTracksTest()
      : model_("tracker"),
        weights_(model_.Weights()),
        config_(model_.config()),
        decoder_(weights_, config_),
        head_(weights_, config_, decoder_) {
    at::manual_seed(5);
    for (int i = 0; i < 3; ++i) images_.push_back(RandomImage());
  }

  std::shared_ptr<const ImageEmbedding> RandomImage() const {
    PictureFeatures none;
    none.pyramid.fine = none.pyramid.middle = none.pyramid.coarse =
        none.prepared = at::zeros({1});
    return std::make_shared<TorchImage>(
        none, at::randn({1, config_.vit.grid(), config_.vit.grid(),
                         config_.vit.hidden_size}));
  }

  // A rectangle of the model's mask.
  LowResMask Rectangle(int x0, int y0, int x1, int y1) const {
    const int side = config_.mask_size();
    LowResMask mask{side, side,
                    std::vector<float>(static_cast<size_t>(side) * side, -8.0f),
                    0.0f};
    for (int y = y0; y < y1; ++y) {
      for (int x = x0; x < x1; ++x) {
        mask.values[static_cast<size_t>(y) * side + x] = 8.0f;
      }
    }
    return mask;
  }

  static Detections Found(const std::vector<LowResMask>& masks) {
    Detections found;
    for (const LowResMask& mask : masks) {
      Detection detection;
      detection.score = 0.9f;
      detection.query_index = static_cast<int>(found.detections.size());
      detection.mask = mask;
      found.detections.push_back(detection);
    }
    return found;
  }

  std::shared_ptr<TorchTracks> Seeded(std::vector<TrackSeed> seeds) const {
    return std::make_shared<TorchTracks>(
        AssociationOptions{}, TrackSeeds{std::move(seeds), /*next_id=*/20});
  }

  TrackedFrame Follow(const std::shared_ptr<TorchTracks>& tracks, int frame,
                      const Detections& found) const {
    const TrackItem item{
        tracks, images_[static_cast<size_t>(frame)], {{0, &found}}};
    return TrackConcepts(decoder_, head_, config_, {&item, 1}).front();
  }

  static std::vector<int64_t> Ids(const TrackedFrame& frame) {
    std::vector<int64_t> ids;
    for (const TrackedInstance& object : frame.objects[0]) {
      ids.push_back(object.object_id);
    }
    return ids;
  }

  // What the memory of one object is on the second frame, as it is propagated
  // where nothing is detected.
  std::vector<std::vector<float>> Propagated(
      const std::shared_ptr<TorchTracks>& tracks) const {
    const Detections none;
    std::vector<std::vector<float>> masks;
    const TrackedFrame frame = Follow(tracks, 1, none);
    for (const TrackedInstance& object : frame.objects[0]) {
      masks.push_back(object.mask.values);
    }
    return masks;
  }

  const c10::InferenceMode inference_mode_;
  const ReferenceModel model_;
  WeightReader weights_;
  const ModelConfig config_;
  const InteractiveHead decoder_;
  const TrackerHead head_;
  std::vector<std::shared_ptr<const ImageEmbedding>> images_;
};

TEST_F(SeededTracksTest, ASeedUnderADetectionIsRememberedAsIfItWereBorn) {
  const LowResMask left = Rectangle(4, 4, 20, 40);
  const LowResMask right = Rectangle(30, 10, 50, 30);
  const Detections found = Found({left, right});
  const auto born =
      std::make_shared<TorchTracks>(AssociationOptions{}, TrackSeeds{});
  EXPECT_THAT(Ids(Follow(born, 0, found)), ElementsAre(0, 1));

  // Both a little beside where they are now; one was lost.
  const auto seeded =
      Seeded({{7, 0, 0.8f, TrackPhase::kConfirmed, Rectangle(6, 4, 22, 40)},
              {12, 0, 0.7f, TrackPhase::kLost, Rectangle(30, 12, 50, 32)}});
  EXPECT_GT(seeded->size_bytes(), 0u);
  const TrackedFrame first = Follow(seeded, 0, found);
  EXPECT_THAT(Ids(first), ElementsAre(7, 12));
  EXPECT_EQ(first.objects[0][0].score, 0.8f);
  EXPECT_THAT(first.events,
              ElementsAre(TrackEvent{12, 0, TrackPhase::kRecovered}));
  EXPECT_EQ(first.objects[0][0].mask.values, left.values);
  EXPECT_EQ(seeded->object_count(), 2);
  EXPECT_THAT(seeded->seeds, IsEmpty());

  const auto masks = Propagated(seeded);
  EXPECT_THAT(masks, testing::Not(IsEmpty()));
  EXPECT_EQ(masks, Propagated(born));
}

TEST_F(SeededTracksTest, ASeedThatIsNotDetectedIsRememberedByItsMask) {
  const LowResMask mask = Rectangle(4, 4, 20, 40);
  const auto seeded = Seeded({{7, 0, 0.8f, TrackPhase::kConfirmed, mask}});
  const Detections none;
  EXPECT_THAT(Ids(Follow(seeded, 0, none)), ElementsAre(7));
  EXPECT_EQ(seeded->object_count(), 1);
  const auto born =
      std::make_shared<TorchTracks>(AssociationOptions{}, TrackSeeds{});
  Follow(born, 0, Found({mask}));
  EXPECT_EQ(Propagated(seeded), Propagated(born));
}

TEST_F(SeededTracksTest, ALostSeedHasNoMemoryUntilADetectionComes) {
  const LowResMask mask = Rectangle(4, 4, 20, 40);
  const auto seeded = Seeded({{7, 0, 0.8f, TrackPhase::kLost, mask}});
  const Detections none;
  for (int frame = 0; frame < 2; ++frame) {
    EXPECT_THAT(Ids(Follow(seeded, frame, none)), IsEmpty());
    EXPECT_EQ(seeded->object_count(), 0);
    EXPECT_EQ(seeded->table.at(7).phase, TrackPhase::kLost);
  }
  const TrackedFrame found = Follow(seeded, 2, Found({mask}));
  EXPECT_THAT(Ids(found), ElementsAre(7));
  EXPECT_EQ(seeded->object_count(), 1);
}

TEST_F(SeededTracksTest, SeedsOfPromptsThatAreGoneEnd) {
  const auto seeded =
      Seeded({{7, 3, 0.8f, TrackPhase::kConfirmed, Rectangle(4, 4, 20, 40)}});
  const Detections none;
  const TrackedFrame frame = Follow(seeded, 0, none);
  EXPECT_THAT(frame.events, ElementsAre(TrackEvent{7, 3, TrackPhase::kEnded}));
  EXPECT_THAT(seeded->seeds, IsEmpty());
  EXPECT_EQ(seeded->object_count(), 0);
}

}  // namespace
}  // namespace sam3
