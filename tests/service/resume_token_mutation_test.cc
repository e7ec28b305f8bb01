// Resume tokens that no server has made: whatever is damaged is refused, and of
// what the fleet's secret signs only a state that makes sense is gone on with.
#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <string>

#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "sam3/resume/v1/resume_token.pb.h"
#include "service/resume_tokens.h"
#include "service/validate.h"
#include "tests/service/message_breaker.h"
#include "tests/support/byte_mutator.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using resume::v1::ResumePayload;

constexpr int kMaskSize = 16;

ResumePayload GoodPayload(absl::Time now) {
  ResumePayload payload;
  payload.set_issued_at_ms(absl::ToUnixMillis(now));
  payload.set_key_id("alice");
  payload.set_model_fingerprint("model");
  payload.set_mask_size_px(kMaskSize);
  payload.set_frames_before_count(100);
  payload.set_next_object_id(9);
  for (const char* id : {"0", "1"}) {
    auto* prompt = payload.add_prompts();
    prompt->set_prompt_id(id);
    prompt->set_text("red");
  }
  for (const int id : {3, 5, 8}) {
    auto* object = payload.add_objects();
    object->set_object_id(id);
    object->set_prompt_index(id % 2);
    object->set_score(0.75f);
    object->set_state(v1::OBJECT_STATE_CONFIRMED);
    for (const int edge : {2, 3, 10, 12}) object->add_box(edge);
    // 40 pixels outside, 16 inside, and the other 200.
    if (id > 3) object->set_mask_counts("X1`0X6");
  }
  return payload;
}

class ResumeTokenMutationTest : public testing::Test {
 protected:
  std::string Signed(const std::string& payload) const {
    const std::string text = "\1" + payload;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         digest.data(), &size);
    return "\1" + std::string(digest.begin(), digest.begin() + size) + payload;
  }

  // Nothing of the token's is in the configuration.
  static void ExpectUntouched(const v1::StreamConfig& config) {
    EXPECT_TRUE(config.prompts().empty());
    EXPECT_EQ(config.task(), v1::StreamConfig::TASK_UNSPECIFIED);
  }

  // What a stream does with a token; its seeds, when it goes on.
  absl::StatusOr<TrackSeeds> GoOn(const std::string& token) {
    v1::StreamConfig config;
    config.mutable_pushed_frames();
    config.set_resume_token(token);
    auto state = tokens_.TakeOver("alice", &config);
    if (!state.ok()) {
      EXPECT_EQ(ReasonOf(state.status()), reason::kResumeRejected);
      ExpectUntouched(config);
      return state.status();
    }
    auto stream = validator_.ValidateStream(config);
    if (!stream.ok()) return stream.status();
    state->prompts = stream->prompts;
    prompts_ = static_cast<int>(stream->prompts.size());
    auto seeds = MakeTrackSeeds(*state, kMaskSize);
    if (!seeds.ok()) {
      EXPECT_EQ(ReasonOf(seeds.status()), reason::kResumeRejected);
    }
    return seeds;
  }

  void ExpectSound(const TrackSeeds& seeds) const {
    int64_t least_id = 0;
    for (const TrackSeed& seed : seeds.objects) {
      EXPECT_GE(seed.id, least_id);
      EXPECT_LT(seed.id, seeds.next_id);
      least_id = seed.id + 1;
      EXPECT_GE(seed.prompt, 0);
      EXPECT_LT(seed.prompt, prompts_);
      EXPECT_TRUE(seed.score >= 0 && seed.score <= 1) << seed.score;
      EXPECT_TRUE(seed.phase == TrackPhase::kTentative ||
                  seed.phase == TrackPhase::kConfirmed ||
                  seed.phase == TrackPhase::kLost);
      EXPECT_EQ(seed.mask.width, kMaskSize);
      EXPECT_EQ(seed.mask.height, kMaskSize);
      EXPECT_EQ(seed.mask.values.size(), size_t{kMaskSize} * kMaskSize);
      for (const float value : seed.mask.values) {
        ASSERT_EQ(std::abs(value), 10.0f);
      }
    }
  }

  const std::string secret_ = std::string(32, 's');
  FakeClock clock_;
  const ResumeTokens tokens_{
      {.secret = Secret(secret_), .model_fingerprint = "model"}, clock_};
  const LoadedModel model_ = MakeFakeModel(nullptr);
  const RequestValidator validator_{
      {}, *model_.tokenizer, model_.engine->info(), ""};
  int prompts_ = 0;
};

TEST_F(ResumeTokenMutationTest, DamagedTokensAreRefused) {
  const std::string good =
      Signed(GoodPayload(clock_.Now()).SerializeAsString());
  ASSERT_THAT(GoOn(good), IsOk());
  ByteMutator mutator(5, {"\1", good.substr(0, 33), "alice", "model"});
  for (int i = 0; i < 20'000; ++i) {
    const std::string token = mutator.Mutate(good);
    if (token == good || token.empty()) continue;
    const absl::Status status = GoOn(token).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument)
        << testing::PrintToString(token);
  }
}

TEST_F(ResumeTokenMutationTest, OfWhatIsSignedOnlySenseIsTaken) {
  const ResumePayload good = GoodPayload(clock_.Now());
  MessageBreaker breaker(6);
  ByteMutator mutator(7, {"\x42\x04\x08\x07\x10\x01", "alice", "X1`0X6"});
  int gone_on = 0;
  int senseless = 0;
  for (int i = 0; i < 6000; ++i) {
    const std::string payload = i % 2 == 0
                                    ? breaker.Break(good)
                                    : mutator.Mutate(good.SerializeAsString());
    SCOPED_TRACE(testing::PrintToString(payload));
    const auto seeds = GoOn(Signed(payload));
    if (seeds.ok()) {
      ++gone_on;
      ExpectSound(*seeds);
    } else {
      ++senseless;
      ASSERT_THAT(seeds.status().code(),
                  testing::AnyOf(absl::StatusCode::kInvalidArgument,
                                 absl::StatusCode::kFailedPrecondition,
                                 absl::StatusCode::kPermissionDenied));
    }
    ASSERT_FALSE(HasFailure());
  }
  // The cases are good ones only if many get through and many do not.
  EXPECT_GT(gone_on, 200);
  EXPECT_GT(senseless, 1000);
}

}  // namespace
}  // namespace sam3
