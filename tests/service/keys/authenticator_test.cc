#include "service/keys/authenticator.h"

#include <gmock/gmock.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pipeline/error_reason.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::HasSubstr;
using testing::Not;

class AuthenticatorTest : public testing::Test {
 protected:
  // Adds a key, or replaces the one of that name but for its secret.
  void Put(KeyRecord key) {
    if (texts_.count(key.id) == 0) {
      const auto made = MakeKey(key.id);
      ASSERT_THAT(made, IsOk());
      texts_[key.id] = made->text.Reveal();
      digests_[key.id] = made->digest;
    }
    key.secret_digest = digests_[key.id];
    if (key.scopes.empty()) key.scopes = {Scope::kAll};
    records_[key.id] = std::move(key);
    Save();
  }
  void Save() {
    std::vector<KeyRecord> list;
    for (const auto& [id, record] : records_) list.push_back(record);
    WriteText(folder_ / "keys.json", FormatKeyFile(list));
    if (ring_ == nullptr) return;
    const int64_t before = metrics_.reloads.value();
    ASSERT_TRUE(Eventually([&] { return metrics_.reloads.value() > before; }));
  }

  Authenticator& gate() {
    if (gate_ == nullptr) {
      auto ring = KeyRing::Open({folder_ / "keys.json"}, metrics_, nullptr);
      EXPECT_THAT(ring, IsOk());
      ring_ = *std::move(ring);
      gate_ =
          std::make_unique<Authenticator>(*ring_, clock_, metrics_, &logger_);
    }
    return *gate_;
  }

  absl::StatusOr<std::shared_ptr<const CallPermit>> Admit(
      absl::string_view text, Scope scope = Scope::kSegment,
      const std::string& peer = "10.0.0.7") {
    return gate().Admit({{text}, peer}, scope);
  }

  const TempFolder folder_;
  const Logger logger_{LogLevel::kInfo, LogFormat::kKeyValue};
  FakeClock clock_;
  KeyMetrics metrics_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, SecretDigest> digests_;
  std::map<std::string, KeyRecord> records_;
  std::unique_ptr<KeyRing> ring_;
  std::unique_ptr<Authenticator> gate_;
};

std::string Why(const absl::StatusOr<std::shared_ptr<const CallPermit>>& got) {
  return got.ok() ? "" : ReasonOf(got.status());
}

TEST_F(AuthenticatorTest, TheRightKeyIsLetInUnderItsName) {
  Put({.id = "cam"});
  const auto permit = Admit(texts_["cam"]);
  ASSERT_THAT(permit, IsOk());
  EXPECT_EQ((*permit)->key_id(), "cam");
  EXPECT_THAT(gate().Recheck(**permit), IsOk());
  EXPECT_THAT(Admit(absl::StrCat(" ", texts_["cam"], "\t")), IsOk());
  EXPECT_EQ(CallPermit().key_id(), "");
  EXPECT_THAT(gate().Recheck(CallPermit()), IsOk());
}

TEST_F(AuthenticatorTest, WhateverIsWrongHasItsReason) {
  Put({.id = "cam"});
  Put({.id = "old", .expires = clock_.Now() + absl::Hours(1)});
  Put({.id = "gone", .revoked = true});
  Put({.id = "info", .scopes = {Scope::kInfo}});
  const std::string right = texts_["cam"];
  std::string mistyped = right;
  mistyped[10] = mistyped[10] == '0' ? '1' : '0';
  const std::string strange = MakeKey("strange")->text.Reveal();
  const std::string impostor = MakeKey("cam")->text.Reveal();
  EXPECT_THAT(Admit(texts_["old"]), IsOk());
  clock_.Advance(absl::Hours(1));
  const std::pair<std::string, absl::string_view> cases[] = {
      {"", reason::kKeyMissing},
      {" ", reason::kKeyMissing},
      {"nonsense", reason::kKeyInvalid},
      {std::string(10'000, 'k'), reason::kKeyInvalid},
      {right.substr(0, right.size() - 9), reason::kKeyInvalid},
      {mistyped, reason::kKeyInvalid},
      {strange, reason::kKeyInvalid},
      {impostor, reason::kKeyInvalid},
      {texts_["old"], reason::kKeyExpired},
      {texts_["gone"], reason::kKeyRevoked},
      {texts_["info"], reason::kKeyScope}};
  for (const auto& [text, why] : cases) {
    const auto got = Admit(text);
    EXPECT_EQ(Why(got), why) << text;
    EXPECT_EQ(got.status().code(), why == reason::kKeyScope
                                       ? absl::StatusCode::kPermissionDenied
                                       : absl::StatusCode::kUnauthenticated);
    if (text.size() > 1) {
      EXPECT_THAT(std::string(got.status().message()),
                  Not(HasSubstr(text.substr(0, 12))));
    }
  }
  EXPECT_EQ(Why(gate().Admit({{}, "p"}, Scope::kInfo)), reason::kKeyMissing);
  EXPECT_EQ(Why(gate().Admit({{right, right}, "p"}, Scope::kInfo)),
            reason::kKeyInvalid);
  EXPECT_THAT(gate().Admit({{"", right}, "p"}, Scope::kInfo), IsOk());
  EXPECT_THAT(Admit(texts_["info"], Scope::kInfo), IsOk());
  // In the order of kKeyReasons.
  const int64_t counts[] = {3, 7, 1, 1, 1, 0};
  for (size_t i = 0; i < std::size(counts); ++i) {
    EXPECT_EQ(metrics_.refused[i].value(), counts[i]) << kKeyReasons[i];
  }
}

// Both go the one way through look-up, hash and comparison, so that answers and
// their time tell nobody which ids exist.
TEST_F(AuthenticatorTest, AnUnknownIdLooksLikeAWrongSecret) {
  Put({.id = "cam"});
  Put({.id = "gone", .revoked = true});
  const auto wrong = Admit(MakeKey("cam")->text.Reveal());
  for (const char* id : {"nobody", "gone"}) {
    EXPECT_EQ(Admit(MakeKey(id)->text.Reveal()).status(), wrong.status());
  }
}

TEST_F(AuthenticatorTest, ScopesAndKeysOfAChangedFileCountAtOnce) {
  Put({.id = "cam"});
  Put({.id = "lab"});
  const auto permit = Admit(texts_["cam"], Scope::kStream);
  ASSERT_THAT(permit, IsOk());
  Put({.id = "cam", .scopes = {Scope::kSegment}});
  EXPECT_EQ(ReasonOf(gate().Recheck(**permit)), reason::kKeyScope);
  Put({.id = "cam", .revoked = true});
  EXPECT_EQ(Why(Admit(texts_["cam"])), reason::kKeyRevoked);
  EXPECT_EQ(ReasonOf(gate().Recheck(**permit)), reason::kKeyRevoked);
  Put({.id = "cam"});
  EXPECT_THAT(gate().Recheck(**permit), IsOk());
  records_.erase("cam");
  Save();
  EXPECT_EQ(Why(Admit(texts_["cam"])), reason::kKeyInvalid);
  EXPECT_EQ(ReasonOf(gate().Recheck(**permit)), reason::kKeyRevoked);
  EXPECT_THAT(Admit(texts_["lab"]), IsOk());
}

TEST_F(AuthenticatorTest, RequestsOverTheRateWaitAsLongAsTheyAreTold) {
  Put({.id = "cam", .limits = {.requests_per_second = 4, .burst = 2}});
  Put({.id = "lab"});
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
  EXPECT_THAT(Admit(texts_["cam"], Scope::kStream), IsOk());
  const auto refused = Admit(texts_["cam"]);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "requests_per_second is 4"));
  EXPECT_EQ(Why(refused), reason::kKeyLimit);
  EXPECT_EQ(RetryAfterOf(refused.status()), absl::Milliseconds(250));
  // Another key's rate is another key's.
  EXPECT_THAT(Admit(texts_["lab"]), IsOk());
  clock_.Advance(absl::Milliseconds(249));
  EXPECT_EQ(RetryAfterOf(Admit(texts_["cam"]).status()), absl::Milliseconds(1));
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
  EXPECT_EQ(Why(Admit(texts_["cam"])), reason::kKeyLimit);
  // A long pause gives the burst and no more.
  clock_.Advance(absl::Hours(1));
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
  EXPECT_EQ(Why(Admit(texts_["cam"])), reason::kKeyLimit);
  // A new rate counts, and what was used is not forgotten.
  Put({.id = "cam", .limits = {.requests_per_second = 1, .burst = 3}});
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
  EXPECT_EQ(Why(Admit(texts_["cam"])), reason::kKeyLimit);
}

TEST_F(AuthenticatorTest, WithoutABurstASecondsWorthComesAtOnce) {
  Put({.id = "slow", .limits = {.requests_per_second = 0.5}});
  Put({.id = "fast", .limits = {.requests_per_second = 3}});
  EXPECT_THAT(Admit(texts_["slow"]), IsOk());
  EXPECT_EQ(RetryAfterOf(Admit(texts_["slow"]).status()), absl::Seconds(2));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Admit(texts_["fast"]), IsOk());
  EXPECT_EQ(Why(Admit(texts_["fast"])), reason::kKeyLimit);
}

TEST_F(AuthenticatorTest, PlacesComeBackWithTheirPermits) {
  Put({.id = "cam", .limits = {.concurrent = 1, .streams = 2}});
  auto call = Admit(texts_["cam"]);
  auto first = Admit(texts_["cam"], Scope::kStream);
  auto second = Admit(texts_["cam"], Scope::kStream);
  ASSERT_THAT(call, IsOk());
  ASSERT_THAT(second, IsOk());
  const auto no_call = Admit(texts_["cam"], Scope::kEmbed);
  EXPECT_THAT(no_call, StatusIs(absl::StatusCode::kResourceExhausted,
                                "concurrent is 1"));
  EXPECT_TRUE(RetryAfterOf(no_call.status()).has_value());
  const auto no_stream = Admit(texts_["cam"], Scope::kStream);
  EXPECT_THAT(no_stream,
              StatusIs(absl::StatusCode::kResourceExhausted, "streams is 2"));
  EXPECT_TRUE(RetryAfterOf(no_stream.status()).has_value());
  call->reset();
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
  first->reset();
  EXPECT_THAT(Admit(texts_["cam"], Scope::kStream), IsOk());
  EXPECT_EQ(metrics_.refused.back().value(), 2);
}

TEST_F(AuthenticatorTest, AKeyMayHaveNoStreamsAtAll) {
  Put({.id = "cam", .limits = {.streams = 0}});
  EXPECT_EQ(Why(Admit(texts_["cam"], Scope::kStream)), reason::kKeyLimit);
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
}

TEST_F(AuthenticatorTest, PixelsArePaidBeforeTheNextCall) {
  Put({.id = "cam", .limits = {.megapixels_per_second = 2}});
  const auto permit = Admit(texts_["cam"]);
  ASSERT_THAT(permit, IsOk());
  (*permit)->ChargePixels(2'000'000);
  EXPECT_EQ((*permit)->PixelDebt(), absl::ZeroDuration());
  (*permit)->ChargePixels(3'000'000);
  EXPECT_EQ((*permit)->PixelDebt(), absl::Milliseconds(1500));
  const auto refused = Admit(texts_["cam"]);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "megapixels_per_second is 2"));
  EXPECT_EQ(RetryAfterOf(refused.status()), absl::Milliseconds(1500));
  clock_.Advance(absl::Milliseconds(1500));
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
  CallPermit().ChargePixels(1 << 30);
  EXPECT_EQ(CallPermit().PixelDebt(), absl::ZeroDuration());
}

TEST_F(AuthenticatorTest, AClockThatIsSetBackGivesNothingAway) {
  Put({.id = "cam", .limits = {.requests_per_second = 1}});
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
  clock_.Advance(-absl::Hours(1));
  EXPECT_EQ(RetryAfterOf(Admit(texts_["cam"]).status()), absl::Seconds(1));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(Admit(texts_["cam"]), IsOk());
}

TEST_F(AuthenticatorTest, OnePeerCannotFillTheLog) {
  Put({.id = "cam"});
  Put({.id = "gone", .revoked = true});
  gate();
  testing::internal::CaptureStderr();
  const std::string impostor = MakeKey("cam")->text.Reveal();
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(Admit(impostor).ok());
  EXPECT_FALSE(Admit(texts_["gone"], Scope::kInfo, "10.0.0.8").ok());
  clock_.Advance(RefusalLog::kInterval);
  EXPECT_FALSE(Admit(texts_["gone"]).ok());
  const std::vector<std::string> lines = absl::StrSplit(
      testing::internal::GetCapturedStderr(), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0], HasSubstr("warning key_refused peer=10.0.0.7 "
                                  "reason=KEY_INVALID key=\"\" left_out=0"));
  EXPECT_THAT(lines[1], HasSubstr("peer=10.0.0.8 reason=KEY_REVOKED key=gone"));
  EXPECT_THAT(lines[2], HasSubstr("peer=10.0.0.7 reason=KEY_REVOKED key=gone "
                                  "left_out=999"));
}

TEST_F(AuthenticatorTest, ManyPeersShareOneLine) {
  Put({.id = "cam"});
  gate();
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3000; ++i) {
    EXPECT_FALSE(
        Admit("nonsense", Scope::kInfo, absl::StrCat("peer-", i)).ok());
  }
  clock_.Advance(RefusalLog::kInterval);
  EXPECT_FALSE(Admit("nonsense", Scope::kInfo, "peer-7").ok());
  const std::vector<std::string> lines = absl::StrSplit(
      testing::internal::GetCapturedStderr(), '\n', absl::SkipEmpty());
  // One of the others' and one a minute later.
  EXPECT_EQ(lines.size(), RefusalLog::kMaxPeers + 2);
}

}  // namespace
}  // namespace sam3
