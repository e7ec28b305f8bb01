#include "pipeline/fair_turns.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace sam3 {
namespace {

using testing::ElementsAre;

class FairTurnsTest : public testing::Test {
 protected:
  static LaneKey Lane(const std::string& tenant, uint64_t stream) {
    return {LaneKey::Kind::kStream, tenant, stream};
  }
  void Add(const std::string& tenant, uint64_t stream) {
    turns_.Add(Lane(tenant, stream));
  }
  // Whose the next turns are.
  std::vector<std::string> Next(int count) {
    std::vector<std::string> lanes;
    for (int i = 0; i < count; ++i) {
      lanes.push_back(turns_.front().tenant +
                      std::to_string(turns_.front().stream_id));
      turns_.Advance();
    }
    return lanes;
  }

  FairTurns turns_;
};

TEST_F(FairTurnsTest, TenantsTakeTurnsAndSoDoTheLanesOfEach) {
  for (const uint64_t stream : {1, 2, 3}) Add("busy", stream);
  Add("quiet", 4);
  EXPECT_THAT(Next(7), ElementsAre("busy1", "quiet4", "busy2", "quiet4",
                                   "busy3", "quiet4", "busy1"));
}

TEST_F(FairTurnsTest, StreamsAndPicturesOfATenantAlternate) {
  for (const uint64_t stream : {1, 2}) Add("busy", stream);
  turns_.Add({LaneKey::Kind::kStill, "busy"});
  turns_.Add({LaneKey::Kind::kStill, "quiet"});
  EXPECT_THAT(Next(8), ElementsAre("busy1", "quiet0", "busy0", "quiet0",
                                   "busy2", "quiet0", "busy0", "quiet0"));
  turns_.Erase({LaneKey::Kind::kStill, "busy"});
  EXPECT_THAT(Next(3), ElementsAre("busy1", "quiet0", "busy2"));
}

TEST_F(FairTurnsTest, WhoComesTakesPartInTheRound) {
  Add("a", 1);
  Add("b", 2);
  EXPECT_THAT(Next(1), ElementsAre("a1"));
  Add("c", 3);
  Add("b", 4);
  EXPECT_THAT(Next(6), ElementsAre("b2", "c3", "a1", "b4", "c3", "a1"));
}

TEST_F(FairTurnsTest, WhoAlwaysHasWorkIsBehindEachNewcomer) {
  Add("busy", 1);
  EXPECT_THAT(Next(3), ElementsAre("busy1", "busy1", "busy1"));
  for (const uint64_t newcomer : {2, 3}) {
    Add("new", newcomer);
    EXPECT_THAT(Next(1), ElementsAre("new" + std::to_string(newcomer)));
    turns_.Erase(Lane("new", newcomer));
    EXPECT_THAT(Next(2), ElementsAre("busy1", "busy1"));
  }
}

TEST_F(FairTurnsTest, WhoComesGoesBeforeWhoStayed) {
  Add("a", 1);
  Add("b", 2);
  Add("c", 3);
  EXPECT_THAT(Next(4), ElementsAre("a1", "b2", "c3", "a1"));
  EXPECT_TRUE(turns_.front_stayed());
  // In the round that is under way, and in the next one.
  Add("new", 4);
  EXPECT_FALSE(turns_.front_stayed());
  EXPECT_THAT(Next(1), ElementsAre("new4"));
  turns_.Erase(Lane("new", 4));
  EXPECT_FALSE(turns_.HasWork("new"));
  Add("new", 4);
  EXPECT_TRUE(turns_.HasWork("new"));
  EXPECT_THAT(Next(6), ElementsAre("b2", "c3", "new4", "a1", "b2", "c3"));
}

TEST_F(FairTurnsTest, WhoWasOutForAMomentHasStayed) {
  Add("a", 1);
  EXPECT_THAT(Next(1), ElementsAre("a1"));
  turns_.Erase(Lane("a", 1));
  turns_.Add(Lane("a", 1), /*stayed=*/true);
  EXPECT_TRUE(turns_.front_stayed());
  Add("b", 2);
  EXPECT_THAT(Next(3), ElementsAre("b2", "a1", "b2"));
  turns_.Erase(Lane("a", 1));
  turns_.Erase(Lane("b", 2));
  EXPECT_TRUE(turns_.empty());
}

TEST_F(FairTurnsTest, LeavingGainsNoTurn) {
  Add("a", 1);
  Add("b", 2);
  EXPECT_THAT(Next(1), ElementsAre("a1"));
  turns_.Erase(Lane("a", 1));
  Add("a", 1);
  Add("c", 3);
  EXPECT_THAT(Next(4), ElementsAre("b2", "c3", "a1", "b2"));
}

TEST_F(FairTurnsTest, WhoHasNoWorkLosesNobodysTurn) {
  Add("a", 1);
  Add("a", 2);
  Add("b", 3);
  turns_.Erase(Lane("a", 1));
  EXPECT_THAT(Next(3), ElementsAre("a2", "b3", "a2"));
  turns_.Erase(Lane("a", 2));
  EXPECT_THAT(Next(2), ElementsAre("b3", "b3"));
  turns_.Erase(Lane("b", 3));
  EXPECT_TRUE(turns_.empty());
  Add("a", 1);
  EXPECT_THAT(Next(1), ElementsAre("a1"));
}

}  // namespace
}  // namespace sam3
