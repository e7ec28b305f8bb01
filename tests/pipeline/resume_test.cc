// Streams that go on in another process: what one leaves when its server stops,
// and what the next one makes of it. On the fake engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <optional>
#include <thread>

#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "pipeline/followed_objects.h"
#include "pipeline/resume_state.h"
#include "pipeline/segmenter_factory.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"
#include "tests/support/waiting_listener.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// One process: a pipeline, and one stream on it.
class Process {
 public:
  Process() {
    SegmenterOptions options;
    options.drain_notice = absl::Hours(1);
    auto segmenter =
        CreateSegmenter(MakeFakeModel(script_), options, clock_, metrics_);
    EXPECT_THAT(segmenter, IsOk());
    segmenter_ = *std::move(segmenter);
  }
  ~Process() {
    if (session_ != nullptr) session_->Detach();
    if (drain_.joinable()) drain_.join();
  }

  ConceptPrompt Prompt(const std::string& text) const {
    ConceptPrompt prompt;
    prompt.prompt_id = text;
    prompt.text = text;
    prompt.tokens = *segmenter_->tokenizer().Tokenize(text);
    return prompt;
  }

  absl::Status Open(const std::vector<std::string>& texts,
                    TrackConfig track = {}) {
    StreamConfig config;
    config.track = track;
    for (const std::string& text : texts) {
      config.prompts.push_back(Prompt(text));
    }
    return Start(std::move(config));
  }

  absl::Status Resume(std::shared_ptr<const ResumeState> left,
                      TrackConfig track = {}) {
    StreamConfig config;
    config.track = track;
    config.prompts = left->prompts;
    config.resume = std::move(left);
    return Start(std::move(config));
  }

  std::optional<StreamEvent> Next() {
    std::optional<StreamEvent> event;
    listener_.Await([&] {
      event = session_->TakeOutput();
      return event.has_value() || session_->FinalStatus().has_value();
    });
    return event;
  }

  // Sends one frame; the objects that it shows, by prompt.
  std::multimap<std::string, int64_t> Show(
      const std::vector<ColouredArea>& areas) {
    EXPECT_THAT(
        session_->PushFrame({DrawAreasPng(128, 128, areas), std::nullopt}),
        IsOk());
    std::multimap<std::string, int64_t> shown;
    while (const auto event = Next()) {
      const auto* result = std::get_if<FrameResult>(&*event);
      if (result == nullptr) continue;
      for (const Instance& instance : result->result.instances) {
        shown.emplace(result->result.prompt_id, *instance.object_id);
      }
      for (const TrackEvent& change : result->object_events) {
        events_.emplace_back(change.id, change.phase);
      }
      if (result->last_in_frame) break;
    }
    return shown;
  }

  // The server stops and the client ends its input; what is left.
  std::shared_ptr<const ResumeState> Leave() {
    drain_ = std::thread([this] { segmenter_->Drain(absl::InfiniteFuture()); });
    const GoingAway told = std::get<GoingAway>(*Next());
    EXPECT_NE(told.resume, nullptr);
    session_->CloseInput();
    auto left = std::get<StreamSummary>(*Next()).resume;
    EXPECT_NE(left, nullptr);
    return left;
  }

  StreamSession& session() { return *session_; }
  const StreamStarted& started() const { return started_; }
  std::vector<std::pair<int64_t, TrackPhase>> TakeEvents() {
    return std::exchange(events_, {});
  }

 private:
  absl::Status Start(StreamConfig config) {
    auto session = segmenter_->OpenStream(
        std::move(config),
        std::make_shared<RequestContext>("id", "", absl::InfiniteFuture()),
        &listener_);
    if (!session.ok()) return session.status();
    session_ = *std::move(session);
    started_ = std::get<StreamStarted>(*Next());
    return absl::OkStatus();
  }

  RealClock clock_;
  PipelineMetrics metrics_;
  const std::shared_ptr<FakeEngineScript> script_ =
      std::make_shared<FakeEngineScript>();
  WaitingListener listener_;
  std::unique_ptr<Segmenter> segmenter_;
  std::shared_ptr<StreamSession> session_;
  StreamStarted started_;
  std::vector<std::pair<int64_t, TrackPhase>> events_;
  std::thread drain_;
};

ColouredArea Red(int x, int y = 16) { return {"red", x, y, 24, 24}; }
ColouredArea Blue(int x, int y = 80) { return {"blue", x, y, 24, 24}; }

std::shared_ptr<const ResumeState> Leftover(
    const std::vector<std::vector<ColouredArea>>& frames,
    const std::vector<std::string>& texts = {"red"}) {
  Process process;
  EXPECT_THAT(process.Open(texts), IsOk());
  for (const auto& areas : frames) process.Show(areas);
  return process.Leave();
}

TEST(ResumeTest, ObjectsKeepTheirNumbersInAnotherProcess) {
  const auto left = Leftover({{Red(16), Blue(16), Red(90)},
                              {Red(18), Blue(20)},
                              {Red(20), Blue(24), Red(90, 90)}},
                             {"red", "blue"});
  // 0 and 1 are red, one of them hidden by now, 2 is blue, 3 red and new.
  EXPECT_THAT(left->objects, SizeIs(4));
  EXPECT_EQ(left->next_object_id, 4);
  EXPECT_EQ(left->frames_before, 3);
  EXPECT_EQ(left->mask_size, 64);

  Process next;
  ASSERT_THAT(next.Resume(left), IsOk());
  EXPECT_EQ(next.started().resumed->objects, 4);
  EXPECT_EQ(next.started().resumed->frames_before, 3);
  EXPECT_THAT(
      next.Show({Red(22), Blue(28), Red(92, 90)}),
      UnorderedElementsAre(Pair("red", 0), Pair("red", 3), Pair("blue", 2)));
  // Nothing has happened to anybody.
  EXPECT_THAT(next.TakeEvents(), IsEmpty());
  // The hidden one is still known, and the next new one is a new number.
  EXPECT_THAT(
      next.Show(
          {Red(24), Blue(32), Red(94, 90), Red(90), {"red", 60, 100, 10, 10}}),
      UnorderedElementsAre(Pair("red", 0), Pair("red", 3), Pair("red", 1),
                           Pair("red", 4), Pair("blue", 2)));
  EXPECT_THAT(next.TakeEvents(),
              UnorderedElementsAre(Pair(1, TrackPhase::kRecovered),
                                   Pair(4, TrackPhase::kConfirmed)));
}

TEST(ResumeTest, TheChainGoesOn) {
  auto left = Leftover({{Red(16)}, {Red(18)}});
  for (int i = 0; i < 3; ++i) {
    Process next;
    ASSERT_THAT(next.Resume(left), IsOk());
    EXPECT_EQ(next.started().resumed->frames_before, 2 + i);
    EXPECT_THAT(next.Show({Red(20 + 4 * i)}), ElementsAre(Pair("red", 0)));
    left = next.Leave();
  }
  // Also through a process that never saw a frame.
  Process idle;
  ASSERT_THAT(idle.Resume(left), IsOk());
  left = idle.Leave();
  EXPECT_EQ(left->frames_before, 5);
  Process last;
  ASSERT_THAT(last.Resume(left), IsOk());
  EXPECT_THAT(last.Show({Red(30)}), ElementsAre(Pair("red", 0)));
}

TEST(ResumeTest, PromptsThatCameAndWentAreTakenAlong) {
  Process first;
  ASSERT_THAT(first.Open({"red"}), IsOk());
  first.Show({Red(16), Blue(16)});
  first.session().UpdatePrompts({{first.Prompt("blue")}, {}});
  first.Show({Red(16), Blue(16)});
  first.session().UpdatePrompts({{}, {"red"}});
  first.Show({Red(16), Blue(16)});
  const auto left = first.Leave();
  ASSERT_THAT(left->prompts, SizeIs(1));
  EXPECT_EQ(left->prompts[0].prompt_id, "blue");
  ASSERT_THAT(left->objects, SizeIs(1));
  EXPECT_EQ(left->objects[0].prompt, 0);
  Process next;
  ASSERT_THAT(next.Resume(left), IsOk());
  EXPECT_THAT(next.Show({Red(16), Blue(18)}), ElementsAre(Pair("blue", 1)));
  // The prompt that left comes back as a new one, with new numbers.
  next.session().UpdatePrompts({{next.Prompt("red")}, {}});
  EXPECT_THAT(next.Show({Red(16), Blue(18)}),
              UnorderedElementsAre(Pair("blue", 1), Pair("red", 2)));
}

TEST(ResumeTest, ABoxInPlaceOfAMaskIsEnough) {
  ResumeState state = *Leftover({{Red(16), Red(80)}});
  KeepLargestMasks(0, &state.objects);
  Process next;
  ASSERT_THAT(next.Resume(std::make_shared<ResumeState>(state)), IsOk());
  EXPECT_THAT(next.Show({Red(20), Red(84)}),
              UnorderedElementsAre(Pair("red", 0), Pair("red", 1)));
}

TEST(ResumeTest, OnlyStreamsThatFollowAndAreToldToGoLeaveSomething) {
  Process process;
  ASSERT_THAT(process.Open({"red"}), IsOk());
  process.Show({Red(16)});
  process.session().CloseInput();
  EXPECT_EQ(std::get<StreamSummary>(*process.Next()).resume, nullptr);
}

TEST(ResumeTest, ATentativeObjectIsOnTrialAnew) {
  Process first;
  ASSERT_THAT(first.Open({"red"}, {.confirmation_delay_frames = 2}), IsOk());
  first.Show({Red(16)});
  const auto left = first.Leave();
  EXPECT_EQ(left->objects[0].phase, TrackPhase::kTentative);
  Process next;
  ASSERT_THAT(next.Resume(left, {.confirmation_delay_frames = 2}), IsOk());
  next.Show({Red(16)});
  next.Show({Red(16)});
  EXPECT_THAT(next.TakeEvents(), IsEmpty());
  next.Show({Red(16)});
  EXPECT_THAT(next.TakeEvents(), ElementsAre(Pair(0, TrackPhase::kConfirmed)));
}

TEST(ResumeTest, AStateThatMakesNoSenseIsRefused) {
  const ResumeState good = *Leftover({{Red(16)}});
  const auto refused = [&good](auto spoil) {
    ResumeState bad = good;
    spoil(&bad);
    Process process;
    const absl::Status status =
        process.Resume(std::make_shared<ResumeState>(bad));
    EXPECT_EQ(ReasonOf(status), reason::kResumeRejected) << status;
    return status.code();
  };
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(refused([](auto* s) { s->mask_size = 65; }), kInvalid);
  EXPECT_EQ(refused([](auto* s) { s->objects[0].prompt = 1; }), kInvalid);
  EXPECT_EQ(refused([](auto* s) { s->objects[0].prompt = -1; }), kInvalid);
  EXPECT_EQ(refused([](auto* s) { s->objects[0].id = -1; }), kInvalid);
  EXPECT_EQ(refused([](auto* s) { s->next_object_id = 0; }), kInvalid);
  EXPECT_EQ(refused([](auto* s) { s->objects.push_back(s->objects[0]); }),
            kInvalid);
  EXPECT_EQ(refused([](auto* s) { s->objects[0].box.x1 = 65; }), kInvalid);
  EXPECT_EQ(refused([](auto* s) { s->objects[0].box.y0 = -1; }), kInvalid);
  EXPECT_EQ(refused([](auto* s) { s->objects[0].box.y1 = NAN; }), kInvalid);
  EXPECT_EQ(refused([](auto* s) { s->objects[0].mask_counts = "no mask"; }),
            kInvalid);
}

TEST(KeepLargestMasksTest, TheSmallestGoFirst) {
  std::vector<ResumeObject> objects(3);
  objects[0].box = {0, 0, 10, 10};
  objects[1].box = {0, 0, 2, 2};
  objects[2].box = {0, 0, 5, 5};
  for (ResumeObject& object : objects) object.mask_counts = "0123456789";
  KeepLargestMasks(30, &objects);
  EXPECT_EQ(objects[1].mask_counts.size(), 10u);
  KeepLargestMasks(29, &objects);
  EXPECT_EQ(objects[1].mask_counts, "");
  EXPECT_EQ(objects[2].mask_counts.size(), 10u);
  KeepLargestMasks(19, &objects);
  EXPECT_EQ(objects[2].mask_counts, "");
  EXPECT_EQ(objects[0].mask_counts.size(), 10u);
}

// A frame on which one object of prompt 0 fills `columns` of a 4 x 4 mask.
ObjectSightings Sighting(int64_t id, int columns) {
  std::vector<ConceptPrompt> prompts(1);
  TrackedFrame tracked;
  TrackedInstance object{id, TrackPhase::kConfirmed, 0.5f, 0.5f, {}};
  object.mask = {4, 4, std::vector<float>(16, -1.0f), 0.0f};
  for (int i = 0; i < 16; ++i) {
    if (i % 4 < columns) object.mask.values[static_cast<size_t>(i)] = 1;
  }
  tracked.objects = {{object}};
  return ReadSightings(prompts, tracked);
}

TEST(FollowedObjectsTest, FramesCountInTheirOrderWheneverTheyEnd) {
  FollowedObjects followed;
  followed.Begin(0);
  followed.Begin(2);
  followed.End(2, {{}, {{7, 0, TrackPhase::kEnded}}});
  const std::vector<ConceptPrompt> prompts(1);
  ResumeState state;
  followed.Describe(prompts, &state);
  EXPECT_EQ(state.next_object_id, 0);
  ObjectSightings first = Sighting(7, 2);
  ObjectSightings other = Sighting(3, 1);
  first.seen.push_back(other.seen[0]);
  followed.End(0, std::move(first));
  state = {};
  followed.Describe(prompts, &state);
  // 7 was seen before it ended.
  ASSERT_THAT(state.objects, SizeIs(1));
  EXPECT_EQ(state.objects[0].id, 3);
  EXPECT_EQ(state.objects[0].box.x1, 1);
  EXPECT_EQ(state.objects[0].box.y1, 4);
  EXPECT_EQ(state.next_object_id, 8);
}

TEST(FollowedObjectsTest, MasksComeBackAsTheyWere) {
  FollowedObjects followed;
  followed.Begin(0);
  followed.End(0, Sighting(5, 3));
  ResumeState state;
  followed.Describe(std::vector<ConceptPrompt>(1), &state);
  state.mask_size = 4;
  const auto seeds = MakeTrackSeeds(state, 4);
  ASSERT_THAT(seeds, IsOk());
  EXPECT_EQ(seeds->next_id, 6);
  ASSERT_THAT(seeds->objects, SizeIs(1));
  const std::vector<float>& values = seeds->objects[0].mask.values;
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(values[i] > 0, i % 4 < 3) << i;
  }
}

}  // namespace
}  // namespace sam3
