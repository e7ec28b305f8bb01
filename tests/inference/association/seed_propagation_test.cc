// Objects that another stream followed, on their first frame of this one.
#include "inference/association/seed_propagation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/inference/association/stripes.h"

namespace sam3 {
namespace {

using test::kStripePixels;
using test::Logits;
using test::Stripe;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Phase = TrackPhase;

LowResMask Mask(Logits logits) {
  return {kStripePixels, 1, std::move(logits), 0.0f};
}

TrackSeed Seed(int64_t id, int begin, int end, Phase phase = Phase::kConfirmed,
               int prompt = 0) {
  return {id, prompt, 0.9f, phase, Mask(Stripe(begin, end, 10))};
}

// One prompt's detections.
Detections Found(std::vector<Logits> masks) {
  Detections found;
  for (Logits& logits : masks) {
    Detection detection;
    detection.score = 0.9f;
    detection.query_index = static_cast<int>(found.detections.size());
    detection.mask = Mask(std::move(logits));
    found.detections.push_back(std::move(detection));
  }
  return found;
}

class SeedPropagationTest : public testing::Test {
 protected:
  void Restore(std::vector<TrackSeed> seeds) {
    seeds_ = std::move(seeds);
    for (const TrackSeed& seed : seeds_) {
      table_.Restore(seed.id, seed.prompt, seed.score, seed.phase);
    }
  }

  std::vector<PropagatedObject> Propagate(const Detections& found,
                                          int prompt = 0) {
    const TrackedPrompt tracked{prompt, &found};
    return PropagateSeeds(seeds_, table_, {&tracked, 1});
  }

  // The whole frame, as an engine does it.
  ConceptFrame Frame(const Detections& found) {
    const TrackedPrompt tracked{0, &found};
    return ConceptFrame(0, kStripePixels, 1, {nullptr, nullptr, {tracked}},
                        Propagate(found), &table_);
  }

  TrackTable table_{AssociationOptions{}};
  std::vector<TrackSeed> seeds_;
};

std::vector<int64_t> Ids(const TrackedFrame& frame) {
  std::vector<int64_t> ids;
  for (const TrackedInstance& object : frame.objects[0]) {
    ids.push_back(object.object_id);
  }
  return ids;
}

TEST_F(SeedPropagationTest, ADetectionOverASeedIsThatObject) {
  Restore({Seed(3, 0, 100)});
  const Detections found = Found({Stripe(40, 140, 2)});
  const auto objects = Propagate(found);
  ASSERT_EQ(objects.size(), 1u);
  EXPECT_EQ(objects[0].id, 3);
  EXPECT_GT(objects[0].object_logit, 0);
  EXPECT_EQ(objects[0].logits, Stripe(40, 140, 2));
  const TrackedFrame answer = Frame(found).Answer({});
  EXPECT_THAT(Ids(answer), ElementsAre(3));
  EXPECT_THAT(answer.events, IsEmpty());
  // The next new one goes on counting.
  std::vector<TrackEvent> events;
  EXPECT_EQ(table_.Add(1, 0, 0.9f, &events), 4);
}

TEST_F(SeedPropagationTest, WithoutADetectionItIsWhereItWas) {
  Restore({Seed(3, 0, 100)});
  const Detections found = Found({});
  EXPECT_EQ(Propagate(found)[0].logits, Stripe(0, 100, 10));
  EXPECT_THAT(Ids(Frame(found).Answer({})), ElementsAre(3));
}

TEST_F(SeedPropagationTest, ALostOneWaitsForADetection) {
  Restore({Seed(3, 0, 100, Phase::kLost)});
  const Detections none = Found({});
  const auto hidden = Propagate(none);
  EXPECT_LT(hidden[0].object_logit, 0);
  EXPECT_THAT(hidden[0].logits, testing::Each(testing::Lt(0)));
  // One beside it is another object.
  const Detections beside = Found({Stripe(200, 300)});
  EXPECT_LT(Propagate(beside)[0].object_logit, 0);
  const Detections over = Found({Stripe(50, 150)});
  const TrackedFrame answer = Frame(over).Answer({});
  EXPECT_THAT(Ids(answer), ElementsAre(3));
  EXPECT_THAT(answer.events,
              ElementsAre(TrackEvent{3, 0, TrackPhase::kRecovered}));
}

TEST_F(SeedPropagationTest, EachDetectionIsOneObjectsTheGreatestOverlapFirst) {
  Restore({Seed(1, 0, 100), Seed(2, 60, 160)});
  // Over both, and more over the second; the first has the other one.
  const Detections found = Found({Stripe(70, 170), Stripe(0, 50)});
  const auto objects = Propagate(found);
  EXPECT_EQ(objects[0].logits, Stripe(0, 50));
  EXPECT_EQ(objects[1].logits, Stripe(70, 170));
}

TEST_F(SeedPropagationTest, PromptsAndObjectsThatAreGoneDoNotCount) {
  Restore({Seed(1, 0, 100, Phase::kConfirmed, 0),
           Seed(2, 0, 100, Phase::kConfirmed, 7)});
  const Detections found = Found({Stripe(10, 110)});
  // A detection of prompt 7 is none of object 1's.
  const auto objects = Propagate(found, 7);
  EXPECT_EQ(objects[0].logits, Stripe(0, 100, 10));
  EXPECT_EQ(objects[1].logits, Stripe(10, 110));
  table_.RemovePrompt(0);
  ASSERT_EQ(Propagate(found, 7).size(), 1u);
  EXPECT_EQ(Propagate(found, 7)[0].id, 2);
}

TEST_F(SeedPropagationTest, ASeedsMaskPromptsWhereADetectionIsSure) {
  Restore({Seed(1, 0, 100)});
  Logits logits = Stripe(0, 100, 2);
  std::fill(logits.begin() + 80, logits.begin() + 100, 0.4f);
  const Detections found = Found({logits});
  const std::vector<float> mask = Frame(found).SeedMask(1);
  EXPECT_EQ(mask[79], 1.0f);
  EXPECT_EQ(mask[80], 0.0f);
  EXPECT_EQ(mask[100], 0.0f);
}

}  // namespace
}  // namespace sam3
