// Given objects through the whole engine: against the reference over
// twenty-four frames, and what questions, batch mates and faults leave behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <map>

#include "absl/strings/str_cat.h"
#include "inference/torch/torch_engine.h"
#include "nlohmann/json.hpp"
#include "tests/inference/torch/reference_file.h"

namespace sam3 {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

std::string ReadText(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

class GivenObjectsTest : public testing::Test {
 protected:
  GivenObjectsTest() : model_("given") {
    script_ = Json::parse(ReadText(model_.folder() + "/script.json"));
    side_ = script_["side"];
    auto engine =
        CreateTorchEngine({}, ReadText(model_.folder() + "/config.json"),
                          {model_.folder(), {}}, "tiny");
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  std::shared_ptr<const ImageEmbedding> Picture(int64_t frame) {
    const Image image =
        PictureOf(model_[absl::StrCat("frame.", frame, ".pixels")]);
    return engine_->EncodeImages({image})->front();
  }

  // Of ones inside a box of the script.
  std::shared_ptr<const GivenMask> MaskOf(const Json& box) const {
    GivenMask mask{side_, side_, {}};
    const uint32_t height = box[3].get<uint32_t>() - box[1].get<uint32_t>();
    const auto side = static_cast<uint32_t>(side_);
    uint32_t before = box[0].get<uint32_t>() * side + box[1].get<uint32_t>();
    const uint32_t columns = box[2].get<uint32_t>() - box[0].get<uint32_t>();
    for (uint32_t i = 0; i < columns; ++i) {
      mask.counts.push_back(before);
      mask.counts.push_back(height);
      before = side - height;
    }
    mask.counts.push_back((side - box[2].get<uint32_t>()) * side + side -
                          box[3].get<uint32_t>());
    return std::make_shared<const GivenMask>(std::move(mask));
  }

  ObjectDescription DescriptionOf(int64_t id, const Json& what) const {
    ObjectDescription out;
    out.id = id;
    if (what.contains("mask")) out.mask = MaskOf(what["mask"]);
    for (const Json& point : what.value("points", Json::array())) {
      const float x = point[0].get<float>() / static_cast<float>(side_);
      const float y = point[1].get<float>() / static_cast<float>(side_);
      if (point[2] == 2) {
        out.prompt.box = Box{x, y, x, y};
      } else if (point[2] == 3) {
        out.prompt.box->x1 = x;
        out.prompt.box->y1 = y;
      } else {
        out.prompt.clicks.push_back(
            {x, y,
             point[2] == 1 ? ClickLabel::kPositive : ClickLabel::kNegative});
      }
    }
    return out;
  }

  std::vector<ObjectDescription> Scripted(const char* how,
                                          int64_t frame) const {
    std::vector<ObjectDescription> out;
    const auto found = script_[how].find(absl::StrCat(frame));
    if (found == script_[how].end()) return out;
    for (const auto& [id, what] : found->items()) {
      out.push_back(DescriptionOf(std::stoi(id), what));
    }
    return out;
  }

  TrackedFrame Follow(FollowItem item) {
    auto frames = engine_->Follow({std::move(item)});
    EXPECT_TRUE(frames.ok()) << frames.status();
    return frames.ok() ? std::move(frames->front()) : TrackedFrame();
  }

  TrackedFrame Show(const std::shared_ptr<StreamTracks>& tracks, int64_t frame,
                    std::vector<ObjectDescription> describe = {}) {
    return Follow({tracks, Picture(frame), {}, std::move(describe)});
  }

  TrackedFrame Ask(const std::shared_ptr<StreamTracks>& tracks,
                   std::vector<ObjectDescription> described, bool commit) {
    FollowItem item{tracks, nullptr};
    for (ObjectDescription& one : described) {
      item.questions.push_back({std::move(one), commit});
    }
    return Follow(std::move(item));
  }

  // Counts pixels that agree with the reference, over all objects.
  void Compare(const std::string& name, const TrackedFrame& found) {
    for (const TrackedInstance& object : found.objects.front()) {
      const std::string prefix = absl::StrCat(name, ".", object.object_id, ".");
      const at::Tensor mask = model_[prefix + "mask"];
      const auto logit = model_[prefix + "score"].item<float>();
      EXPECT_EQ(object.score > 0.5f, logit > 0) << prefix;
      EXPECT_NEAR(object.score, 1 / (1 + std::exp(-logit)), 0.02) << prefix;
      ASSERT_EQ(static_cast<int64_t>(object.mask.values.size()), mask.numel());
      const float* expected = mask.const_data_ptr<float>();
      for (size_t i = 0; i < object.mask.values.size(); ++i) {
        const bool ours = object.mask.values[i] > 0;
        const bool theirs = expected[i] > 0;
        both_ += ours && theirs ? 1 : 0;
        either_ += ours || theirs ? 1 : 0;
      }
      ++compared_;
      if (logit <= 0) ++absent_;
    }
  }

  const ReferenceModel model_;
  Json script_;
  int side_ = 0;
  std::unique_ptr<Engine> engine_;
  int64_t both_ = 0;
  int64_t either_ = 0;
  int compared_ = 0;
  int absent_ = 0;
};

TEST_F(GivenObjectsTest, AreFollowedAsByTheReference) {
  const auto tracks = engine_->NewGivenTracks();
  const auto frames = script_["frames"].get<int64_t>();
  for (int64_t frame = 0; frame < frames; ++frame) {
    FollowItem item{tracks, Picture(frame)};
    item.describe = Scripted("described", frame);
    const auto dropped = script_["dropped"].find(absl::StrCat(frame));
    if (dropped != script_["dropped"].end()) {
      item.drop = dropped->get<std::vector<int64_t>>();
    }
    const auto before = tracks->object_count();
    const TrackedFrame found = Follow(item);
    Compare(absl::StrCat("frame.", frame), found);
    EXPECT_EQ(found.objects.front().size(),
              static_cast<size_t>(tracks->object_count()));
    EXPECT_GE(tracks->object_count(),
              before - static_cast<int>(item.drop.size()));
    for (const bool commit : {false, true}) {
      auto asked = Scripted(commit ? "committed" : "previewed", frame);
      if (asked.empty()) continue;
      Compare(absl::StrCat(commit ? "commit." : "preview.", frame),
              Ask(tracks, std::move(asked), commit));
    }
  }
  EXPECT_GT(compared_, 60);
  EXPECT_GT(absent_, 3);
  EXPECT_GE(static_cast<double>(both_), 0.998 * static_cast<double>(either_))
      << both_ << " of " << either_;
  RecordProperty("pooled_iou", absl::StrCat(static_cast<double>(both_) /
                                            static_cast<double>(either_)));
}

std::vector<std::vector<float>> MasksOf(const TrackedFrame& frame) {
  std::vector<std::vector<float>> masks;
  for (const TrackedInstance& object : frame.objects.front()) {
    masks.push_back(object.mask.values);
  }
  return masks;
}

TEST_F(GivenObjectsTest, APreviewLeavesNoTraceAndACommitDoes) {
  const auto first = Scripted("described", 0);
  const auto asked = Scripted("previewed", 12);
  const auto quiet = engine_->NewGivenTracks();
  const auto looked_at = engine_->NewGivenTracks();
  for (int64_t frame = 0; frame < 4; ++frame) {
    const auto described = frame == 0 ? first : decltype(first)();
    EXPECT_EQ(MasksOf(Show(quiet, frame, described)),
              MasksOf(Show(looked_at, frame, described)))
        << frame;
    const TrackedFrame shown = Ask(looked_at, asked, /*commit=*/false);
    EXPECT_EQ(shown.objects.front().size(), asked.size());
    EXPECT_THAT(shown.events, IsEmpty());
    EXPECT_EQ(MasksOf(shown), MasksOf(Ask(looked_at, asked, false)));
  }
  const size_t bytes = looked_at->size_bytes();
  EXPECT_EQ(bytes, quiet->size_bytes());
  Ask(looked_at, {asked.front()}, /*commit=*/true);
  const auto without = MasksOf(Show(quiet, 4));
  const auto with = MasksOf(Show(looked_at, 4));
  EXPECT_NE(without[0], with[0]);
  // The other object was not committed to.
  EXPECT_EQ(without[1], with[1]);
}

TEST_F(GivenObjectsTest, StreamsAreFollowedTogetherAsAlone) {
  std::vector<std::shared_ptr<StreamTracks>> alone;
  std::vector<std::shared_ptr<StreamTracks>> together;
  for (int i = 0; i < 2; ++i) {
    alone.push_back(engine_->NewGivenTracks());
    together.push_back(engine_->NewGivenTracks());
  }
  const auto described = Scripted("described", 0);
  for (int64_t frame = 0; frame < 3; ++frame) {
    std::vector<FollowItem> items;
    std::vector<TrackedFrame> expected;
    for (size_t i = 0; i < 2; ++i) {
      FollowItem item{together[i], Picture(frame + static_cast<int64_t>(i))};
      if (frame == 0) item.describe = {described[i]};
      // The second stream only asks on the last frame.
      if (frame == 2 && i == 1) {
        item.image = nullptr;
        item.questions = {{DescriptionOf(1, script_["committed"]["10"]["1"])}};
      }
      items.push_back(item);
      item.tracks = alone[i];
      expected.push_back(Follow(item));
    }
    const auto found = engine_->Follow(items);
    ASSERT_TRUE(found.ok()) << found.status();
    for (size_t i = 0; i < 2; ++i) {
      const auto ours = MasksOf((*found)[i]);
      const auto theirs = MasksOf(expected[i]);
      ASSERT_EQ(ours.size(), 1u);
      ASSERT_EQ(theirs.size(), 1u);
      EXPECT_LE(AbsoluteError(at::tensor(ours[0]), at::tensor(theirs[0])), 1e-3)
          << frame << " stream " << i;
    }
  }
}

TEST_F(GivenObjectsTest, AFailedBatchChangesNoStream) {
  const auto good = engine_->NewGivenTracks();
  const auto control = engine_->NewGivenTracks();
  const auto described = Scripted("described", 0);
  Show(good, 0, described);
  Show(control, 0, described);
  ObjectDescription broken;
  broken.mask = std::make_shared<const GivenMask>();
  FollowItem item{good, Picture(1), {0}};
  FollowItem bad{engine_->NewGivenTracks(), Picture(1), {}, {broken}};
  const auto failed = engine_->Follow({item, bad});
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(good->object_count(), 2);
  EXPECT_EQ(bad.tracks->object_count(), 0);
  EXPECT_EQ(MasksOf(Show(good, 1)), MasksOf(Show(control, 1)));
}

TEST_F(GivenObjectsTest, EventsTellWhatBecomesOfObjects) {
  const auto tracks = engine_->NewGivenTracks();
  const auto described = Scripted("described", 0);
  const auto confirmed = [](int64_t id) {
    return TrackEvent{id, 0, TrackPhase::kConfirmed};
  };
  EXPECT_THAT(Show(tracks, 0, described).events,
              ElementsAre(confirmed(0), confirmed(1)));
  const Json& mask = script_["described"]["3"]["2"];
  FollowItem item{tracks, Picture(1), {0, 1}, {DescriptionOf(1, mask)}};
  // Nothing is there: an empty mask is a lost object.
  item.describe.push_back({});
  item.describe.back().id = 3;
  item.describe.back().mask = std::make_shared<const GivenMask>(
      GivenMask{side_, side_, {static_cast<uint32_t>(side_ * side_)}});
  const TrackedFrame found = Follow(item);
  EXPECT_THAT(found.events,
              ElementsAre(TrackEvent{0, 0, TrackPhase::kEnded},
                          TrackEvent{1, 0, TrackPhase::kEnded}, confirmed(1),
                          confirmed(3), TrackEvent{3, 0, TrackPhase::kLost}));
  ASSERT_EQ(found.objects.front().size(), 2u);
  EXPECT_EQ(found.objects.front()[1].phase, TrackPhase::kLost);
}

TEST_F(GivenObjectsTest, MemoryIsBounded) {
  const auto tracks = engine_->NewGivenTracks();
  const std::shared_ptr<const ImageEmbedding> picture = Picture(0);
  std::vector<size_t> sizes;
  for (int i = 0; i < 45; ++i) {
    // Every frame describes the object anew.
    Follow({tracks, picture, {}, Scripted("described", 5)});
    sizes.push_back(tracks->size_bytes());
  }
  EXPECT_EQ(sizes[40], sizes[44]);
  EXPECT_LT(sizes[20], sizes[40]);
}

}  // namespace
}  // namespace sam3
