// Resume tokens: what goes in comes out, for its owner and in time, and nothing
// else is believed.
#include "service/resume_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "pipeline/error_reason.h"
#include "service/resume_secret.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr size_t kMaxBytes = 256 << 10;

ResumeState SomeState() {
  ResumeState state;
  ConceptPrompt text;
  text.prompt_id = "0";
  text.text = "forklift";
  text.score_threshold = 0.25f;
  ConceptPrompt example;
  example.prompt_id = "like this";
  example.exemplars = {{{1, 2, 30, 40}, false, ExemplarLabel::kPositive},
                       {{0.5f, 0, 1, 0.5f}, true, ExemplarLabel::kNegative}};
  state.prompts = {text, example};
  state.objects = {
      {3, 1, 0.75f, TrackPhase::kConfirmed, {1, 2, 3, 4}, "mask"},
      {8, 0, 0.5f, TrackPhase::kLost, {0, 0, 64, 64}, ""},
      {9, 0, 0.625f, TrackPhase::kTentative, {5, 5, 6, 6}, "other"}};
  state.next_object_id = 12;
  state.frames_before = 1'000'000'000'000;
  state.mask_size = 64;
  return state;
}

class ResumeTokensTest : public testing::Test {
 protected:
  static ResumeTokens::Options Fleet(const std::string& secret,
                                     const std::string& model = "model") {
    return {.secret = Secret(secret), .model_fingerprint = model};
  }

  static absl::StatusOr<ResumeState> Take(const ResumeTokens& tokens,
                                          const std::string& token,
                                          const std::string& key = "alice") {
    v1::StreamConfig config;
    config.set_resume_token(token);
    return tokens.TakeOver(key, &config);
  }

  static void ExpectRejected(const absl::StatusOr<ResumeState>& taken,
                             absl::StatusCode code) {
    EXPECT_EQ(taken.status().code(), code) << taken.status();
    EXPECT_EQ(ReasonOf(taken.status()), reason::kResumeRejected);
    EXPECT_EQ(FieldOf(taken.status()), "config.resume_token");
  }

  const std::string kSecret = std::string(32, 's');
  FakeClock clock_;
  const ResumeTokens tokens_{Fleet(kSecret), clock_};
  const ResumeTokens other_server_{Fleet(kSecret), clock_};
};

TEST_F(ResumeTokensTest, WhatGoesInComesOutOnAnotherServer) {
  const std::string token = tokens_.Issue(SomeState(), "alice");
  v1::StreamConfig config;
  config.set_resume_token(token);
  const auto taken = other_server_.TakeOver("alice", &config);
  ASSERT_THAT(taken, IsOk());
  EXPECT_EQ(config.task(), v1::StreamConfig::TASK_TRACK);
  ASSERT_THAT(config.prompts(), SizeIs(2));
  EXPECT_EQ(config.prompts(0).prompt_id(), "0");
  EXPECT_EQ(config.prompts(0).text(), "forklift");
  EXPECT_EQ(config.prompts(0).score_threshold(), 0.25f);
  EXPECT_FALSE(config.prompts(1).has_score_threshold());
  ASSERT_THAT(config.prompts(1).exemplars(), SizeIs(2));
  EXPECT_EQ(config.prompts(1).exemplars(0).box().xyxy().y1(), 40);
  EXPECT_FALSE(config.prompts(1).exemplars(0).box().normalized());
  EXPECT_EQ(config.prompts(1).exemplars(0).label(),
            v1::Exemplar::LABEL_POSITIVE);
  EXPECT_TRUE(config.prompts(1).exemplars(1).box().normalized());
  EXPECT_EQ(config.prompts(1).exemplars(1).label(),
            v1::Exemplar::LABEL_NEGATIVE);
  const ResumeState state = SomeState();
  EXPECT_EQ(taken->next_object_id, state.next_object_id);
  EXPECT_EQ(taken->frames_before, state.frames_before);
  EXPECT_EQ(taken->mask_size, state.mask_size);
  ASSERT_THAT(taken->objects, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) {
    const ResumeObject& out = taken->objects[i];
    const ResumeObject& in = state.objects[i];
    EXPECT_EQ(out.id, in.id);
    EXPECT_EQ(out.prompt, in.prompt);
    EXPECT_EQ(out.score, in.score);
    EXPECT_EQ(out.phase, in.phase);
    EXPECT_EQ(out.box.x0, in.box.x0);
    EXPECT_EQ(out.box.y0, in.box.y0);
    EXPECT_EQ(out.box.x1, in.box.x1);
    EXPECT_EQ(out.box.y1, in.box.y1);
    EXPECT_EQ(out.mask_counts, in.mask_counts);
  }
}

TEST_F(ResumeTokensTest, EveryByteIsProtected) {
  const std::string token = tokens_.Issue(SomeState(), "alice");
  for (size_t i = 0; i < token.size(); ++i) {
    for (const int flip : {1, 128}) {
      std::string changed = token;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      ExpectRejected(Take(tokens_, changed),
                     absl::StatusCode::kInvalidArgument);
    }
  }
  for (size_t size = 1; size < token.size(); ++size) {
    ExpectRejected(Take(tokens_, token.substr(0, size)),
                   absl::StatusCode::kInvalidArgument);
  }
  ExpectRejected(Take(tokens_, token + "x"),
                 absl::StatusCode::kInvalidArgument);
}

TEST_F(ResumeTokensTest, RandomBytesAreNoTokens) {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(1 + random() % 400, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (i % 2 == 0) bytes[0] = 1;
    ExpectRejected(Take(tokens_, bytes), absl::StatusCode::kInvalidArgument);
  }
  ExpectRejected(Take(tokens_, std::string(kMaxBytes + 1, '\1')),
                 absl::StatusCode::kInvalidArgument);
}

TEST_F(ResumeTokensTest, AnotherFleetsAreRefused) {
  const ResumeTokens foreign(Fleet(std::string(32, 't')), clock_);
  const auto taken = Take(foreign, tokens_.Issue(SomeState(), "alice"));
  ExpectRejected(taken, absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(taken.status().message()),
              HasSubstr("--resume-secret-file"));
}

TEST_F(ResumeTokensTest, TheyAreGoodForAMinute) {
  const std::string token = tokens_.Issue(SomeState(), "alice");
  clock_.Advance(absl::Seconds(60));
  EXPECT_THAT(Take(tokens_, token), IsOk());
  clock_.Advance(absl::Milliseconds(1));
  ExpectRejected(Take(tokens_, token), absl::StatusCode::kFailedPrecondition);
  // A server whose clock is behind.
  const std::string late = tokens_.Issue(SomeState(), "alice");
  clock_.Advance(-absl::Seconds(60));
  EXPECT_THAT(Take(tokens_, late), IsOk());
  clock_.Advance(-absl::Milliseconds(1));
  ExpectRejected(Take(tokens_, late), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ResumeTokensTest, TheyAreOneKeys) {
  const std::string token = tokens_.Issue(SomeState(), "alice");
  for (const std::string key : {"bob", "", "alic", "alice2"}) {
    ExpectRejected(Take(tokens_, token, key),
                   absl::StatusCode::kPermissionDenied);
  }
  EXPECT_THAT(Take(tokens_, tokens_.Issue(SomeState(), ""), ""), IsOk());
  // Whatever else is wrong with it, that is not theirs to know.
  const ResumeTokens other(Fleet(kSecret, "another"), clock_);
  clock_.Advance(absl::Hours(1));
  const auto taken = Take(other, token, "bob");
  ExpectRejected(taken, absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(taken.status().message(),
            "config.resume_token: is of a stream of another API key");
}

TEST_F(ResumeTokensTest, TheyAreOneModels) {
  const ResumeTokens other(Fleet(kSecret, "another"), clock_);
  ExpectRejected(Take(other, tokens_.Issue(SomeState(), "alice")),
                 absl::StatusCode::kFailedPrecondition);
}

TEST_F(ResumeTokensTest, PromptsObjectsAndDetectionDoNotGoWithThem) {
  v1::StreamConfig config;
  config.set_resume_token(tokens_.Issue(SomeState(), "alice"));
  config.add_prompts()->set_text("cat");
  config.add_objects();
  config.set_task(v1::StreamConfig::TASK_DETECT);
  const absl::Status status = tokens_.TakeOver("alice", &config).status();
  EXPECT_EQ(ReasonOf(status), reason::kInvalidRequest);
  EXPECT_THAT(std::string(status.message()), HasSubstr("config.prompts"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("config.objects"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("config.task"));
}

TEST_F(ResumeTokensTest, LargeMasksBecomeBoxes) {
  ResumeState state = SomeState();
  state.objects.clear();
  for (int i = 0; i < 256; ++i) {
    const auto side = static_cast<float>(1 + i % 64);
    state.objects.push_back({i,
                             0,
                             0.9f,
                             TrackPhase::kConfirmed,
                             {0, 0, side, side},
                             std::string(3000, 'm')});
  }
  const std::string token = tokens_.Issue(state, "alice");
  EXPECT_LE(token.size(), kMaxBytes);
  EXPECT_GT(token.size(), kMaxBytes * 9 / 10);
  const auto taken = Take(tokens_, token);
  ASSERT_THAT(taken, IsOk());
  ASSERT_THAT(taken->objects, SizeIs(256));
  size_t masks = 0;
  for (const ResumeObject& object : taken->objects) {
    masks += object.mask_counts.empty() ? 0 : 1;
    // The largest keep theirs.
    if (object.box.x1 == 64) {
      EXPECT_EQ(object.mask_counts.size(), 3000u);
    }
    if (object.box.x1 < 32) {
      EXPECT_EQ(object.mask_counts, "");
    }
  }
  EXPECT_GT(masks, 70u);
}

TEST_F(ResumeTokensTest, ThereIsNoneWherePromptsAloneAreTooMuch) {
  ResumeState state = SomeState();
  state.prompts.resize(300);
  for (ConceptPrompt& prompt : state.prompts) prompt.text.assign(1000, 'x');
  EXPECT_EQ(tokens_.Issue(state, "alice"), "");
}

TEST(ResumeSecretTest, FilesNeedThirtyTwoBytes) {
  const TempFolder folder;
  const std::string path = folder.path() / "secret";
  WriteText(path, std::string(32, 'k') + "\n");
  const auto secret = ReadResumeSecret(path);
  ASSERT_THAT(secret, IsOk());
  EXPECT_EQ(secret->Reveal(), std::string(32, 'k'));
  WriteText(path, std::string(31, 'k') + "\n\n");
  EXPECT_THAT(std::string(ReadResumeSecret(path).status().message()),
              HasSubstr("has 31 bytes"));
  EXPECT_EQ(ReadResumeSecret(path + ".none").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ResumeSecretTest, RandomOnesDiffer) {
  const auto a = RandomResumeSecret();
  const auto b = RandomResumeSecret();
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  EXPECT_GE(a->Reveal().size(), 32u);
  EXPECT_NE(a->Reveal(), b->Reveal());
}

}  // namespace
}  // namespace sam3
