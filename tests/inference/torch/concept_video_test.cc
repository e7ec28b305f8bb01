// A whole video of two concepts through the engine against the reference's
// Sam3VideoModel on the demo model: the same objects on every frame, with the
// same masks. Births, an object hidden for a while, one that is dropped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "inference/engine_factory.h"
#include "inference/tokenizer.h"
#include "inference/torch/torch_engine.h"
#include "tests/inference/torch/reference_file.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

constexpr int kFrames = 30;

using Objects = std::map<int64_t, LowResMask>;

// Pixels that two masks have in common, and in either.
struct Overlap {
  int64_t common = 0;
  int64_t either = 0;

  void Add(const Overlap& other) {
    common += other.common;
    either += other.either;
  }
  double iou() const {
    return either == 0 ? 1 : static_cast<double>(common) / either;
  }
};

Overlap Compare(const LowResMask& ours, const at::Tensor& theirs) {
  const at::Tensor mine =
      at::tensor(ours.values).view({ours.height, ours.width}) > ours.threshold;
  const at::Tensor inside = theirs > 0;
  return {(mine & inside).sum().item<int64_t>(),
          (mine | inside).sum().item<int64_t>()};
}

class ConceptVideoTest : public testing::Test {
 protected:
  ConceptVideoTest() : model_("video") {
    EngineOptions options;
    options.cpu_threads = 1;
    auto engine =
        CreateTorchEngine(options, ReadText(model_.folder() + "/config.json"),
                          {model_.folder(), {}}, "demo");
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    const auto demo = LoadModel({});
    EXPECT_TRUE(demo.ok()) << demo.status();
    for (const char* text : {"red square", "star"}) {
      texts_.push_back(
          engine_->EncodeTexts({*demo->tokenizer->Tokenize(text)})->front());
    }
  }

  Image Picture(int frame) const {
    const at::Tensor pixels = model_[absl::StrCat("picture.", frame)];
    return PictureOf(pixels.permute({2, 0, 1}).unsqueeze(0) / 127.5 - 1);
  }

  // The stream's next frame; what both prompts have of it.
  Objects Follow(int frame, const std::shared_ptr<StreamTracks>& tracks) {
    const auto image = engine_->EncodeImages({Picture(frame)})->front();
    std::vector<GroundItem> asked;
    for (const auto& text : texts_) {
      GroundItem item;
      item.image = image;
      item.text = text;
      item.options.mask_logits = true;
      asked.push_back(std::move(item));
    }
    const std::vector<Detections> found = *(*engine_->Ground(asked))->Take();
    TrackItem item{tracks, image, {{0, &found[0]}, {1, &found[1]}}};
    const std::vector<TrackedFrame> tracked = *engine_->Track({item});
    Objects objects;
    for (int prompt = 0; prompt < 2; ++prompt) {
      for (const TrackedInstance& object : tracked[0].objects[prompt]) {
        objects[object.object_id] = object.mask;
        prompts_[object.object_id] = prompt;
      }
    }
    return objects;
  }

  // Every frame against the reference's of this name.
  void FollowAll(const std::string& name, const AssociationOptions& options) {
    const auto tracks = engine_->NewTracks(options, {});
    Overlap pooled;
    for (int frame = 0; frame < kFrames; ++frame) {
      const std::string at = absl::StrCat(name, ".", frame);
      const Objects objects = Follow(frame, tracks);
      const at::Tensor ids = model_[at + ".ids"];
      const at::Tensor masks = model_[at + ".masks"];
      std::set<int64_t> expected;
      for (int64_t i = 0; i < ids.numel(); ++i) {
        const int64_t id = std::lround(ids[i].item<float>());
        expected.insert(id);
        if (!objects.contains(id)) continue;
        EXPECT_EQ(prompts_[id], model_[at + ".prompts"][i].item<float>());
        if (masks.numel() == 0) continue;
        const Overlap overlap = Compare(objects.at(id), masks[i]);
        EXPECT_GE(overlap.iou(), frame == 0 ? 0.999 : 0.95) << at << " " << id;
        pooled.Add(overlap);
      }
      std::set<int64_t> seen;
      for (const auto& [id, mask] : objects) seen.insert(id);
      EXPECT_EQ(seen, expected) << at;
    }
    EXPECT_GE(pooled.iou(), 0.998);
    RecordProperty(name + "_pooled_iou", std::to_string(pooled.iou()));
  }

  const ReferenceModel model_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::shared_ptr<const TextEmbedding>> texts_;
  std::map<int64_t, int> prompts_;  // by object
};

TEST_F(ConceptVideoTest, FollowsAsTheReferenceDoesOnAVideo) {
  FollowAll("video", {});
}

TEST_F(ConceptVideoTest, FollowsAsTheReferenceDoesFrameByFrame) {
  AssociationOptions options;
  options.remove_in_hotstart = false;
  FollowAll("streaming", options);
}

}  // namespace
}  // namespace sam3
