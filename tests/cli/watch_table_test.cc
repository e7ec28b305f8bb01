// The table of followed objects, as messages come in.
#include "cli/watch_table.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

namespace sam3 {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr int kWidth = 100;
constexpr int kHeight = 24;

class WatchTableTest : public testing::Test {
 protected:
  struct Object {
    int64_t id = 0;
    v1::ObjectState state = v1::OBJECT_STATE_CONFIRMED;
  };

  // Frame `index` of ten a second, with these objects of one prompt.
  void Frame(int64_t index, const std::vector<Object>& objects,
             const std::vector<Object>& events = {}, int prompt = 0) {
    v1::SegmentStreamResponse message;
    v1::FrameResult* result = message.mutable_result();
    result->set_frame_index(index);
    result->mutable_start_offset()->set_seconds(index / 10);
    result->mutable_start_offset()->set_nanos(
        static_cast<int32_t>(index % 10 * 100'000'000));
    result->set_width_px(640);
    result->set_height_px(480);
    result->set_last_in_frame(true);
    result->mutable_result()->set_prompt_index(prompt);
    for (const Object& object : objects) {
      v1::Instance* instance = result->mutable_result()->add_instances();
      instance->set_object_id(object.id);
      instance->set_state(object.state);
      instance->set_score(0.875);
      v1::Box::Xyxy* box = instance->mutable_box()->mutable_xyxy();
      box->set_x0(10);
      box->set_y0(20);
      box->set_x1(110);
      box->set_y1(70);
    }
    for (const Object& event : events) {
      v1::ObjectEvent* out = result->add_object_events();
      out->set_object_id(event.id);
      out->set_state(event.state);
    }
    Take(message);
  }

  void Source(
      v1::SourceEvent::Kind kind, const std::string& text, int attempt = 0,
      v1::SourceEvent::Failure failure = v1::SourceEvent::FAILURE_UNSPECIFIED) {
    v1::SegmentStreamResponse message;
    v1::SourceEvent* event = message.mutable_source_event();
    event->set_kind(kind);
    event->set_message(text);
    event->set_attempt(attempt);
    event->set_failure(failure);
    Take(message);
  }

  // Messages come every 100 ms.
  void Take(const v1::SegmentStreamResponse& message) {
    now_ += absl::Milliseconds(100);
    table_.Take(message, now_);
  }

  std::vector<std::string> Lines(int width = kWidth,
                                 int height = kHeight) const {
    return table_.Lines(width, height, now_);
  }

  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  WatchTable table_{"rtsp://cam-7/live", {"person", "forklift"}};
};

TEST_F(WatchTableTest, ObjectsHaveARowEach) {
  EXPECT_FALSE(table_.started());
  Frame(0, {{7}});
  Frame(12, {{7}, {3, v1::OBJECT_STATE_TENTATIVE}}, {}, /*prompt=*/1);
  Frame(20, {{7}});
  EXPECT_TRUE(table_.started());
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_EQ(lines[0], "rtsp://cam-7/live  640 x 480");
  EXPECT_THAT(lines[1], HasSubstr("playing  frame 21  2.0 s"));
  EXPECT_THAT(lines[1], HasSubstr("2 objects"));
  EXPECT_THAT(lines[2], HasSubstr("prompt"));
  EXPECT_THAT(lines[3], HasSubstr("#3  forklift"));
  EXPECT_THAT(
      lines[3],
      HasSubstr("tentative   0.88     0.8 s  0.8 s ago   10,20,100,50"));
  EXPECT_THAT(lines[4], HasSubstr("#7  person"));
  EXPECT_THAT(lines[4], HasSubstr("confirmed"));
  EXPECT_THAT(lines[4], HasSubstr("2.0 s  now         10,20,100,50"));
}

TEST_F(WatchTableTest, EventsChangeRowsAndAreTold) {
  Frame(0, {{1, v1::OBJECT_STATE_TENTATIVE}, {2}},
        {{1, v1::OBJECT_STATE_TENTATIVE}, {2, v1::OBJECT_STATE_CONFIRMED}});
  EXPECT_THAT(table_.TakeNews(), ElementsAre(HasSubstr("#1 person tentative"),
                                             HasSubstr("#2 person confirmed")));
  EXPECT_THAT(table_.TakeNews(), IsEmpty());
  Frame(5, {}, {{1, v1::OBJECT_STATE_RETRACTED}, {2, v1::OBJECT_STATE_LOST}});
  EXPECT_THAT(Lines(), Not(Contains(HasSubstr("#1  person"))));
  EXPECT_THAT(Lines(), Contains(HasSubstr("#2  person")));
  EXPECT_THAT(Lines()[3], HasSubstr("lost"));
  Frame(6, {}, {{2, v1::OBJECT_STATE_RECOVERED}});
  EXPECT_THAT(Lines()[3], HasSubstr("confirmed"));
  Frame(7, {}, {{2, v1::OBJECT_STATE_ENDED}, {9, v1::OBJECT_STATE_ENDED}});
  EXPECT_THAT(Lines()[1], HasSubstr("0 objects"));
  EXPECT_THAT(table_.TakeNews(), Contains(HasSubstr("0.7 s  #2 person ended")));
  EXPECT_THAT(table_.Summary(now_),
              HasSubstr("4 frames answered, 13.3/s, 0 dropped, 0 refused; 2 "
                        "objects in 0.7 s"));
}

TEST_F(WatchTableTest, TheSourcesStateIsShown) {
  const auto state = [this] { return Lines()[1]; };
  EXPECT_THAT(state(), HasSubstr("opening"));
  Source(v1::SourceEvent::KIND_OPENED, "opened");
  EXPECT_THAT(state(), HasSubstr("playing"));
  Source(v1::SourceEvent::KIND_STALLED, "stalled: nothing has come for 2s");
  EXPECT_THAT(state(), HasSubstr("stalled"));
  Source(v1::SourceEvent::KIND_RECONNECTING, "the source hung up", 2,
         v1::SourceEvent::FAILURE_CONNECTION);
  EXPECT_THAT(state(), HasSubstr("reconnecting, attempt 2 (connection)"));
  EXPECT_THAT(Lines(), Contains(HasSubstr("the source hung up")));
  Source(v1::SourceEvent::KIND_BACK, "back after 12s");
  EXPECT_THAT(state(), HasSubstr("playing"));
  Source(v1::SourceEvent::KIND_ENDED, "the source has ended");
  EXPECT_THAT(state(), HasSubstr("ended"));
}

TEST_F(WatchTableTest, FramesAreCounted) {
  v1::SegmentStreamResponse dropped;
  dropped.mutable_dropped()->set_first_frame_index(3);
  dropped.mutable_dropped()->set_last_frame_index(7);
  Take(dropped);
  v1::SegmentStreamResponse refused;
  refused.mutable_refused()->set_frame_index(8);
  Take(refused);
  for (int i = 0; i < 100; ++i) Frame(i, {});
  // Of the last five seconds.
  EXPECT_THAT(Lines()[1], HasSubstr("10.0/s  5 dropped"));
  EXPECT_THAT(table_.Summary(now_), HasSubstr("5 dropped, 1 refused"));
  now_ += absl::Seconds(2.5);
  EXPECT_THAT(Lines()[1], HasSubstr("5.0/s"));
}

TEST_F(WatchTableTest, WhatDoesNotFitIsSummedUpOrCut) {
  std::vector<Object> objects;
  std::vector<Object> events;
  for (int64_t id = 0; id < 20; ++id) {
    objects.push_back({id});
    events.push_back({id, v1::OBJECT_STATE_CONFIRMED});
  }
  Frame(0, objects, events);
  // No more events than the last five, below an empty line.
  const auto all = Lines(kWidth, 100);
  ASSERT_THAT(all, SizeIs(3 + 20 + 1 + 5));
  EXPECT_EQ(all[23], "");
  EXPECT_THAT(all[24], HasSubstr("#15 person confirmed"));
  // Events give way to objects.
  EXPECT_THAT(Lines(kWidth, 26), SizeIs(26));
  EXPECT_THAT(Lines(kWidth, 26).back(), HasSubstr("#19 person confirmed"));
  const auto few = Lines(kWidth, 12);
  ASSERT_THAT(few, SizeIs(12));
  EXPECT_THAT(few[10], HasSubstr("#7  person"));
  EXPECT_EQ(few[11], "  and 12 more");
  for (int height = 0; height < 30; ++height) {
    EXPECT_LE(Lines(kWidth, height).size(), static_cast<size_t>(height));
  }
  for (const std::string& line : Lines(30, 12)) {
    // The mark of a cut is three bytes of one column.
    EXPECT_LE(line.size(), 32u) << line;
  }
}

TEST_F(WatchTableTest, HostileTextIsShownHarmlessly) {
  WatchTable table("clip\033[2J.mp4", {"a\nb"});
  v1::SegmentStreamResponse message;
  message.mutable_source_event()->set_kind(v1::SourceEvent::KIND_DAMAGED);
  message.mutable_source_event()->set_message("bad\033]0;title\a");
  table.Take(message, now_);
  for (const std::string& line : table.Lines(kWidth, kHeight, now_)) {
    EXPECT_EQ(line.find_first_of("\033\n\a"), std::string::npos) << line;
  }
}

TEST_F(WatchTableTest, NothingGrowsWithTheStream) {
  for (int64_t i = 0; i < 5000; ++i) {
    Frame(i, {{i}},
          {{i, v1::OBJECT_STATE_CONFIRMED}, {i, v1::OBJECT_STATE_ENDED}});
  }
  EXPECT_THAT(Lines(kWidth, 100), SizeIs(3 + 1 + 5));
  EXPECT_THAT(table_.TakeNews(), SizeIs(1000));
  EXPECT_THAT(table_.Summary(now_), HasSubstr("5000 objects"));
}

}  // namespace
}  // namespace sam3
