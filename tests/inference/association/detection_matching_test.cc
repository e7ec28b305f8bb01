#include "inference/association/detection_matching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/inference/association/stripes.h"

namespace sam3 {
namespace {

using test::StripeMask;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Masks = std::vector<PromptedMask>;
using Scores = std::vector<float>;

std::vector<int> Select(const Masks& masks, const Scores& scores,
                        const AssociationOptions& options = {}) {
  return SelectDetections(masks, scores, options);
}

Matches Match(const Masks& detections, const Scores& scores,
              const Masks& tracks) {
  return MatchDetections(detections, scores, tracks, AssociationOptions());
}

TEST(SelectDetectionsTest, TheScoreMustBeGreater) {
  const Masks masks = {StripeMask(0, 10), StripeMask(20, 30),
                       StripeMask(40, 50)};
  EXPECT_THAT(Select(masks, {0.5f, 0.50001f, NAN}), ElementsAre(1));
}

TEST(SelectDetectionsTest, SuppressesStrictlyGreaterOverlap) {
  // 10 of 100 pixels, and 11 of 100.
  EXPECT_THAT(Select({StripeMask(0, 100), StripeMask(0, 10)}, {0.9f, 0.8f}),
              ElementsAre(0, 1));
  EXPECT_THAT(Select({StripeMask(0, 100), StripeMask(0, 11)}, {0.9f, 0.8f}),
              ElementsAre(0));
}

TEST(SelectDetectionsTest, EqualScoresGoByIndex) {
  const Masks masks = {StripeMask(0, 50), StripeMask(0, 50), StripeMask(0, 50)};
  EXPECT_THAT(Select(masks, {0.6f, 0.9f, 0.9f}), ElementsAre(1));
  EXPECT_THAT(Select(masks, {0.9f, 0.9f, 0.9f}), ElementsAre(0));
}

TEST(SelectDetectionsTest, TheSuppressedSuppressNobody) {
  EXPECT_THAT(
      Select({StripeMask(60, 140), StripeMask(0, 80), StripeMask(120, 200)},
             {0.8f, 0.9f, 0.7f}),
      ElementsAre(1, 2));
}

TEST(SelectDetectionsTest, PromptsDoNotSuppressEachOther) {
  EXPECT_THAT(
      Select({StripeMask(0, 50, 1), StripeMask(0, 50, 2)}, {0.9f, 0.8f}),
      ElementsAre(0, 1));
}

TEST(SelectDetectionsTest, CanBeTurnedOff) {
  AssociationOptions options;
  options.detection_overlap = 0;
  EXPECT_THAT(
      Select({StripeMask(0, 50), StripeMask(0, 50)}, {0.8f, 0.9f}, options),
      ElementsAre(0, 1));
}

TEST(MatchDetectionsTest, WithoutTracksEveryDetectionIsNew) {
  const Matches matches =
      Match({StripeMask(0, 10), StripeMask(0, 0)}, {0.51f, 0.9f}, {});
  EXPECT_THAT(matches.births, ElementsAre(0, 1));
  EXPECT_THAT(matches.tracks_of, ElementsAre(IsEmpty(), IsEmpty()));
}

TEST(MatchDetectionsTest, WithoutDetectionsVisibleTracksAreUnmatched) {
  const Matches matches =
      Match({}, {}, {StripeMask(0, 10), StripeMask(0, 0), StripeMask(20, 30)});
  EXPECT_THAT(matches.unmatched_tracks, ElementsAre(0, 2));
  EXPECT_THAT(matches.empty_tracks, ElementsAre(1));
}

TEST(MatchDetectionsTest, NewWhereNoTrackOverlapsByATenth) {
  const Masks track = {StripeMask(0, 100)};
  EXPECT_THAT(Match({StripeMask(0, 10)}, {0.9f}, track).births, IsEmpty());
  EXPECT_THAT(Match({StripeMask(0, 10)}, {0.9f}, track).tracks_of,
              ElementsAre(ElementsAre(0)));
  EXPECT_THAT(Match({StripeMask(0, 9)}, {0.9f}, track).births, ElementsAre(0));
  EXPECT_THAT(Match({StripeMask(0, 9)}, {0.9f}, track).tracks_of,
              ElementsAre(IsEmpty()));
}

TEST(MatchDetectionsTest, NewFromTheBirthScoreOn) {
  const Masks track = {StripeMask(0, 100)};
  EXPECT_THAT(Match({StripeMask(200, 300)}, {0.7f}, track).births,
              ElementsAre(0));
  EXPECT_THAT(Match({StripeMask(200, 300)}, {0.6999f}, track).births,
              IsEmpty());
}

TEST(MatchDetectionsTest, ATrackNeedsHalfToBeMatched) {
  const Masks track = {StripeMask(0, 100)};
  EXPECT_THAT(Match({StripeMask(0, 50)}, {0.9f}, track).unmatched_tracks,
              IsEmpty());
  const Matches less = Match({StripeMask(0, 49)}, {0.9f}, track);
  EXPECT_THAT(less.unmatched_tracks, ElementsAre(0));
  EXPECT_THAT(less.tracks_of, ElementsAre(ElementsAre(0)));
}

TEST(MatchDetectionsTest, ConfirmsFromEightTenthsOn) {
  const Masks track = {StripeMask(0, 100)};
  const auto confirming = [&](int end, float score) {
    return Match({StripeMask(0, end)}, {score}, track).confirming_detection[0];
  };
  EXPECT_EQ(confirming(80, 0.8f), 0);
  EXPECT_EQ(confirming(79, 0.8f), -1);
  EXPECT_EQ(confirming(80, 0.7999f), -1);
}

TEST(MatchDetectionsTest, TheLastConfirmingDetectionCounts) {
  const Masks track = {StripeMask(0, 100)};
  EXPECT_THAT(
      Match({StripeMask(0, 100), StripeMask(0, 90)}, {0.9f, 0.9f}, track)
          .confirming_detection,
      ElementsAre(1));
}

TEST(MatchDetectionsTest, ADetectionConfirmsTheFirstOfEquallyGoodTracks) {
  EXPECT_THAT(Match({StripeMask(0, 100)}, {0.9f},
                    {StripeMask(0, 90), StripeMask(0, 95), StripeMask(5, 100)})
                  .confirming_detection,
              ElementsAre(-1, 0, -1));
}

TEST(MatchDetectionsTest, ManyToMany) {
  const Matches matches =
      Match({StripeMask(0, 100), StripeMask(50, 150)}, {0.6f, 0.6f},
            {StripeMask(0, 60), StripeMask(60, 150), StripeMask(300, 310)});
  EXPECT_THAT(matches.tracks_of,
              ElementsAre(ElementsAre(0, 1), ElementsAre(1)));
  EXPECT_THAT(matches.unmatched_tracks, ElementsAre(2));
}

TEST(MatchDetectionsTest, PromptsDoNotMatch) {
  const Matches matches =
      Match({StripeMask(0, 100, 1)}, {0.9f}, {StripeMask(0, 100, 2)});
  EXPECT_THAT(matches.births, ElementsAre(0));
  EXPECT_THAT(matches.unmatched_tracks, ElementsAre(0));
  EXPECT_THAT(matches.confirming_detection, ElementsAre(-1));
}

TEST(CapBirthsTest, TheBestBeyondTheCapBestFirst) {
  const Scores scores = {0.9f, 0.7f, 0.8f, 0.9f, 0.6f};
  EXPECT_THAT(CapBirths({0, 1, 2}, scores, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(CapBirths({1, 2, 3}, scores, 2), ElementsAre(3, 2));
  EXPECT_THAT(CapBirths({3, 0}, scores, 1), ElementsAre(3));
  EXPECT_THAT(CapBirths({0, 3}, scores, 1), ElementsAre(0));
  EXPECT_THAT(CapBirths({0, 3}, scores, 0), IsEmpty());
  EXPECT_THAT(CapBirths({0, 3}, scores, -1), IsEmpty());
}

}  // namespace
}  // namespace sam3
