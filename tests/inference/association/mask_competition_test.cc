#include "inference/association/mask_competition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/inference/association/stripes.h"

namespace sam3 {
namespace {

using test::Logits;
using test::Stripe;
using test::StripeMask;
using ::testing::ElementsAre;

std::vector<bool> Losers(const std::vector<PromptedMask>& tracks,
                         const std::vector<int64_t>& last_occluded) {
  return LoseToLongerVisible(tracks, last_occluded, 0.7f);
}

std::vector<bool> Keepers(const std::vector<int>& prompts,
                          const std::vector<Logits>& logits) {
  std::vector<PromptedMask> tracks;
  for (size_t i = 0; i < logits.size(); ++i) {
    tracks.push_back({prompts[i], BitMask::FromLogits(logits[i])});
  }
  return KeepTheirArea(
      tracks,
      std::vector<absl::Span<const float>>(logits.begin(), logits.end()), 0.3f);
}

TEST(LoseToLongerVisibleTest, TheOneOccludedLaterLoses) {
  const std::vector<PromptedMask> tracks = {StripeMask(0, 100),
                                            StripeMask(0, 100)};
  EXPECT_THAT(Losers(tracks, {5, 3}), ElementsAre(true, false));
  EXPECT_THAT(Losers(tracks, {3, 5}), ElementsAre(false, true));
}

TEST(LoseToLongerVisibleTest, NobodyLosesToOneThatNeverWasOccluded) {
  const std::vector<PromptedMask> tracks = {StripeMask(0, 100),
                                            StripeMask(0, 100)};
  EXPECT_THAT(Losers(tracks, {5, kNeverOccluded}), ElementsAre(false, false));
  EXPECT_THAT(Losers(tracks, {kNeverOccluded, kNeverOccluded}),
              ElementsAre(false, false));
  EXPECT_THAT(Losers(tracks, {0, 5}), ElementsAre(false, true));
}

TEST(LoseToLongerVisibleTest, NobodyLosesAtEqualFrames) {
  EXPECT_THAT(Losers({StripeMask(0, 100), StripeMask(0, 100)}, {4, 4}),
              ElementsAre(false, false));
}

TEST(LoseToLongerVisibleTest, FromSevenTenthsOn) {
  EXPECT_THAT(Losers({StripeMask(0, 100), StripeMask(0, 70)}, {1, 2}),
              ElementsAre(false, true));
  EXPECT_THAT(Losers({StripeMask(0, 100), StripeMask(0, 69)}, {1, 2}),
              ElementsAre(false, false));
}

TEST(LoseToLongerVisibleTest, ALoserStillMakesOthersLose) {
  EXPECT_THAT(
      Losers({StripeMask(0, 100), StripeMask(10, 110), StripeMask(20, 120)},
             {1, 2, 3}),
      ElementsAre(false, true, true));
}

TEST(LoseToLongerVisibleTest, PromptsDoNotCompete) {
  EXPECT_THAT(Losers({StripeMask(0, 100, 1), StripeMask(0, 100, 2)}, {1, 2}),
              ElementsAre(false, false));
}

TEST(KeepTheirAreaTest, BelowThreeTenthsIsLost) {
  // The stronger takes 70 of the weaker's 100 pixels, then 71.
  EXPECT_THAT(Keepers({0, 0}, {Stripe(0, 70, 2), Stripe(0, 100, 1)}),
              ElementsAre(true, true));
  EXPECT_THAT(Keepers({0, 0}, {Stripe(0, 71, 2), Stripe(0, 100, 1)}),
              ElementsAre(true, false));
}

TEST(KeepTheirAreaTest, EqualLogitsGoToTheFirst) {
  EXPECT_THAT(Keepers({0, 0}, {Stripe(0, 100), Stripe(0, 100)}),
              ElementsAre(true, false));
}

TEST(KeepTheirAreaTest, EveryPixelGoesToTheStrongestOfAll) {
  EXPECT_THAT(Keepers({0, 0, 0}, {Stripe(0, 100, 1), Stripe(0, 60, 2),
                                  Stripe(40, 100, 3)}),
              ElementsAre(false, true, true));
}

TEST(KeepTheirAreaTest, AnEmptyMaskKeepsNothingUnlessAlone) {
  EXPECT_THAT(Keepers({0, 0}, {Stripe(0, 0), Stripe(0, 100)}),
              ElementsAre(false, true));
  EXPECT_THAT(Keepers({0}, {Stripe(0, 0)}), ElementsAre(true));
}

TEST(KeepTheirAreaTest, PromptsDoNotCompete) {
  EXPECT_THAT(Keepers({0, 1, 1}, {Stripe(0, 100, 9), Stripe(0, 100, 1),
                                  Stripe(200, 300, 1)}),
              ElementsAre(true, true, true));
}

}  // namespace
}  // namespace sam3
