// The memory of videos against the reference: its modules, each on the
// reference's own input, and three objects over twenty-four frames.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "inference/torch/modules/positions.h"
#include "inference/torch/tracker/tracker_head.h"
#include "nlohmann/json.hpp"
#include "tests/inference/torch/reference_file.h"

namespace sam3 {
namespace {

using Json = nlohmann::json;

class TrackerParityTest : public testing::Test {
 protected:
  TrackerParityTest()
      : model_("tracker"),
        weights_(model_.Weights()),
        config_(model_.config()),
        decoder_(weights_, config_),
        head_(weights_, config_, decoder_) {
    std::ifstream(model_.folder() + "/script.json") >> script_;
    side_ = script_["side"];
  }

  int64_t grid() const { return config_.vit.grid(); }

  // The reference's features of a frame in this program's layout.
  ObjectFeatures Features(int64_t frame) const {
    const auto read = [&](const char* level, int64_t scale) {
      return model_[absl::StrCat("frame.", frame, ".", level)].view(
          {1, scale * grid(), scale * grid(), -1});
    };
    return {read("fine", 4), read("middle", 2),
            read("coarse", 1).flatten(1, 2)};
  }

  // What the script describes an object by: clicks and boxes.
  ObjectPrompt PromptOf(const Json& what) const {
    ObjectPrompt prompt;
    for (const Json& point : what.value("points", Json::array())) {
      const float x = point[0].get<float>() / side_;
      const float y = point[1].get<float>() / side_;
      if (point[2] == 2) {
        prompt.box = Box{x, y, x, y};
      } else if (point[2] == 3) {
        prompt.box->x1 = x;
        prompt.box->y1 = y;
      } else {
        prompt.clicks.push_back(
            {x, y,
             point[2] == 1 ? ClickLabel::kPositive : ClickLabel::kNegative});
      }
    }
    return prompt;
  }

  at::Tensor MaskOf(const Json& box) const {
    const auto side = static_cast<int64_t>(side_);
    const at::Tensor mask = at::zeros({1, side, side});
    const int64_t x = box[0];
    const int64_t y = box[1];
    mask.narrow(1, y, box[3].get<int64_t>() - y)
        .narrow(2, x, box[2].get<int64_t>() - x)
        .fill_(1);
    return mask;
  }

  const c10::InferenceMode inference_mode_;
  const ReferenceModel model_;
  WeightReader weights_;
  const ModelConfig config_;
  const InteractiveHead decoder_;
  const TrackerHead head_;
  Json script_;
  float side_ = 0;
};

TEST_F(TrackerParityTest, EveryTensorIsRead) {
  weights_.SkipAll("vision_encoder.");
  EXPECT_TRUE(weights_.Finish().ok()) << weights_.Finish();
}

TEST_F(TrackerParityTest, MemoryAttention) {
  const MemoryAttention attention(weights_, "tracker_model.memory_attention",
                                  config_);
  const int64_t channels = config_.tracker->memory_channels;
  for (int i = 0; i < 3; ++i) {
    const std::string name = absl::StrCat("attention.", i, ".");
    const at::Tensor memory = model_[name + "memory"];
    const at::Tensor positions = model_[name + "positions"];
    const auto pointers = model_[name + "pointers"].item<int64_t>();
    const int64_t cells = memory.size(0) - pointers;
    EXPECT_GT(pointers, 0);
    EXPECT_EQ(cells % (grid() * grid()), 0);
    ObjectMemories memories;
    memories.frames = memory.narrow(0, 0, cells).unsqueeze(0);
    memories.pointers = memory.narrow(0, cells, pointers).unsqueeze(0);
    memories.pointer_times = positions.narrow(0, cells, pointers).unsqueeze(0);
    // The time codes alone, as the places are constants here.
    const at::Tensor first =
        SineGrid(grid(), grid(), channels, at::kCPU).narrow(0, 0, 1);
    memories.frame_times = (positions.narrow(0, 0, cells)
                                .view({-1, grid() * grid(), channels})
                                .select(1, 0) -
                            first)
                               .unsqueeze(0);
    const at::Tensor found =
        attention(model_[name + "features"].unsqueeze(0), memories);
    EXPECT_LE(RelativeError(found.squeeze(0), model_[name + "output"]), 2e-5)
        << i;
  }
}

TEST_F(TrackerParityTest, MemoryEncoder) {
  const MemoryEncoder encoder(weights_, "tracker_model.memory_encoder",
                              config_);
  EXPECT_LE(
      RelativeError(encoder(model_["memory.features"], model_["memory.masks"]),
                    model_["memory.output"]),
      2e-5);
}

TEST_F(TrackerParityTest, ObjectsAreTrackedTogetherAsAlone) {
  // Two objects with as many memories as each other, and one with fewer.
  std::vector<MemoryBank> banks(3, MemoryBank(*config_.tracker, {}));
  for (int64_t frame = 0; frame < 4; ++frame) {
    const ObjectFeatures features = Features(frame);
    const at::Tensor logits = at::randn({3, 64, 64}) * 4;
    const at::Tensor memory = head_.Remember(
        features, logits, at::tensor({1.0f, -1.0f, 1.0f}), false);
    for (int64_t i = 0; i < 3; ++i) {
      if (i == 2 && frame < 2) continue;
      banks[static_cast<size_t>(i)].Add(frame, frame == (i == 2 ? 2 : 0),
                                        memory[i],
                                        at::randn({config_.hidden_size()}));
    }
  }
  const ObjectFeatures here = Features(4);
  const ObjectFeatures elsewhere = Features(9);
  std::vector<TrackQuery> queries = {{&here, &banks[0], 4, 16, {}},
                                     {&elsewhere, &banks[2], 4, 5, {}},
                                     {&here, &banks[1], 4, 16, {}},
                                     {&elsewhere, &banks[0], 4, 16, {}}};
  // More than go through the network at a time.
  while (queries.size() < 40) queries.push_back(queries[queries.size() - 3]);
  const TrackedObjects together = head_.Track(queries);
  for (size_t i = 0; i < queries.size(); ++i) {
    const TrackedObjects alone = head_.Track({queries[i]});
    const auto row = static_cast<int64_t>(i);
    EXPECT_LE(AbsoluteError(together.logits[row], alone.logits[0]), 1e-4) << i;
    EXPECT_LE(AbsoluteError(together.pointers[row], alone.pointers[0]), 1e-4);
    EXPECT_LE(AbsoluteError(together.object_logit[row], alone.object_logit[0]),
              1e-4);
  }
}

TEST_F(TrackerParityTest, ObjectsAreRememberedTogetherAsAlone) {
  const ObjectFeatures features = Features(2);
  const at::Tensor logits = at::randn({40, 64, 64}) * 4;
  const at::Tensor object_logit = at::randn({40});
  for (const bool described : {false, true}) {
    const at::Tensor together =
        head_.Remember(features, logits, object_logit, described);
    for (int64_t i = 0; i < 40; ++i) {
      const at::Tensor alone =
          head_.Remember(features, logits.narrow(0, i, 1),
                         object_logit.narrow(0, i, 1), described);
      // Half precision's last digit.
      EXPECT_LE(RelativeError(together[i], alone[0]), 4e-3) << i;
    }
  }
}

// Follows the script as the reference's forward does, frame by frame.
class TrackedScript {
 public:
  TrackedScript(const TrackerHead& head, const ModelConfig& config)
      : head_(head), config_(config) {}

  struct Description {
    ObjectPrompt prompt;
    at::Tensor mask;  // [1, S, S], or undefined
  };

  // Masks and scores in the order of objects. `again`: the frame was tracked
  // already, and what is described now corrects it.
  TrackedObjects Frame(int64_t frame, const ObjectFeatures& features,
                       const std::map<int, Description>& described,
                       bool again) {
    // The reference takes a stream's window but for a frame that it is asked
    // for again.
    const int64_t window = again ? std::min<int64_t>(frame + 1, 16) : 16;
    for (const auto& [id, what] : described) {
      banks_.try_emplace(
          id, MemoryBank(*config_.tracker, {.max_conditioning_pointers = 1000,
                                            .redo_newest = true}));
    }
    std::vector<TrackedObjects> all;
    std::vector<at::Tensor> large;
    std::vector<bool> conditioning;
    for (auto& [id, bank] : banks_) {
      const auto found = described.find(id);
      const bool starts = found != described.end() && !again;
      conditioning.push_back(starts);
      if (starts && found->second.mask.defined()) {
        all.push_back(head_.StartFromMasks(features, found->second.mask));
        large.push_back(found->second.mask * 20 - 10);
        continue;
      }
      all.push_back(starts ? head_.Start(features, {found->second.prompt})
                           : head_.Track({{&features, &bank, frame, window,
                                           found == described.end()
                                               ? ObjectPrompt()
                                               : found->second.prompt}}));
      large.push_back(head_.AtPictureSize(all.back().logits));
    }
    TrackedObjects out;
    size_t i = 0;
    std::vector<at::Tensor> logits;
    std::vector<at::Tensor> scores;
    for (auto& [id, bank] : banks_) {
      // One description is enough for the reference to take every object's mask
      // on the frame as it is.
      const at::Tensor memory =
          head_.Remember(features, large[i], all[i].object_logit,
                         /*described=*/!described.empty());
      bank.Add(frame, conditioning[i], memory[0], all[i].pointers[0]);
      logits.push_back(all[i].logits);
      scores.push_back(all[i].object_logit);
      ++i;
    }
    out.logits = at::cat(logits);
    out.object_logit = at::cat(scores);
    return out;
  }

  const std::map<int, MemoryBank>& banks() const { return banks_; }

 private:
  const TrackerHead& head_;
  const ModelConfig& config_;
  std::map<int, MemoryBank> banks_;
};

class TrackedScriptTest : public TrackerParityTest {
 protected:
  std::map<int, TrackedScript::Description> Described(const char* how,
                                                      int64_t frame) const {
    std::map<int, TrackedScript::Description> out;
    const Json frames = script_[how];
    const auto found = frames.find(absl::StrCat(frame));
    if (found == frames.end()) return out;
    for (const auto& [id, what] : found->items()) {
      out[std::stoi(id)] = {PromptOf(what), what.contains("mask")
                                                ? MaskOf(what["mask"])
                                                : at::Tensor()};
    }
    return out;
  }

  // Counts pixels of masks that agree, over all frames.
  void Compare(const std::string& name, const TrackedObjects& found,
               bool first) {
    const at::Tensor expected = model_[name + ".masks"];
    const at::Tensor scores = model_[name + ".scores"];
    EXPECT_TRUE(found.object_logit.gt(0).equal(scores.gt(0))) << name;
    EXPECT_LE(AbsoluteError(found.object_logit, scores), 0.05) << name;
    ASSERT_EQ(found.logits.sizes(), expected.sizes());
    for (int64_t i = 0; i < expected.size(0); ++i) {
      const at::Tensor ours = found.logits[i] > 0;
      const at::Tensor theirs = expected[i] > 0;
      const auto both = ours.logical_and(theirs).sum().item<int64_t>();
      const auto either = ours.logical_or(theirs).sum().item<int64_t>();
      if (first) {
        EXPECT_GE(both, 0.999 * static_cast<double>(either)) << name << i;
        EXPECT_LE(AbsoluteError(found.logits[i], expected[i]), 1e-3);
      }
      EXPECT_TRUE(either - both <= 60 ||
                  both >= 0.95 * static_cast<double>(either))
          << name << " object " << i << ": " << both << " of " << either;
      both_ += both;
      either_ += either;
    }
  }

  int64_t both_ = 0;
  int64_t either_ = 0;
};

TEST_F(TrackedScriptTest, ThreeObjectsOnTwentyFourFrames) {
  TrackedScript script(head_, config_);
  int64_t absent = 0;
  for (int64_t frame = 0; frame < script_["frames"].get<int64_t>(); ++frame) {
    const ObjectFeatures features = Features(frame);
    const TrackedObjects found =
        script.Frame(frame, features, Described("described", frame), false);
    absent += found.object_logit.le(0).sum().item<int64_t>();
    Compare(absl::StrCat("frame.", frame), found, frame == 0);
    const auto corrections = Described("corrected", frame);
    if (corrections.empty()) continue;
    Compare(absl::StrCat("corrected.", frame),
            script.Frame(frame, features, corrections, true), false);
  }
  EXPECT_GT(absent, 5);
  EXPECT_GE(static_cast<double>(both_), 0.998 * static_cast<double>(either_))
      << both_ << " of " << either_;
  RecordProperty("pooled_iou", absl::StrCat(static_cast<double>(both_) /
                                            static_cast<double>(either_)));
}

TEST(MemoryBankTest, IsBounded) {
  const TrackerConfig config;
  const at::Tensor memory = at::zeros({16, 64}, at::kBFloat16);
  const at::Tensor pointer = at::zeros({256});
  MemoryBank bank(config, {});
  size_t most = 0;
  for (int64_t frame = 0; frame < 511; ++frame) {
    bank.Add(frame, frame % 16 == 0, memory, pointer);
    most = std::max(most, bank.size_bytes());
  }
  const size_t frames = 6 + 4;
  EXPECT_LE(most, frames * memory.nbytes() + (15 + 4) * pointer.nbytes());
  const MemoryBank::View view = bank.LookBack(511, 16);
  EXPECT_EQ(view.frames.size(), frames);
  EXPECT_EQ(view.pointers.size(), 14u + 4u);  // 496 is a conditioning frame
}

TEST(MemoryBankTest, LooksBackAtTheNearest) {
  const TrackerConfig config;
  MemoryBank bank(config, {});
  const auto add = [&bank](int64_t frame, bool conditioning) {
    bank.Add(frame, conditioning, at::full({1, 64}, frame, at::kBFloat16),
             at::full({256}, frame));
  };
  for (int64_t frame = 0; frame < 12; ++frame) {
    add(frame, frame == 0 || frame >= 6);
  }
  // Six described frames: the nearest four as such, the others by their age.
  std::map<int64_t, int64_t> rows;
  for (const auto& frame : bank.LookBack(12, 16).frames) {
    rows[frame.memory[0][0].item<int64_t>()] = frame.time_row;
  }
  EXPECT_EQ(rows, (std::map<int64_t, int64_t>{
                      {6, 5}, {7, 4}, {8, 6}, {9, 6}, {10, 6}, {11, 6}}));
  bank.Promote(11);
  EXPECT_EQ(bank.LookBack(12, 16).frames.size(), 6u);
  // A window that ends before the recent pointers.
  for (const auto& pointer : bank.LookBack(12, 1).pointers) {
    EXPECT_GE(pointer.pointer[0].item<int64_t>(), 8);
  }
}

}  // namespace
}  // namespace sam3
