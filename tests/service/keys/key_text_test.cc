#include "service/keys/key_text.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

TEST(KeyTextTest, WhatIsMadeIsRead) {
  const auto key = MakeKey("cam-7");
  ASSERT_THAT(key, IsOk());
  EXPECT_TRUE(absl::StartsWith(key->text.Reveal(), "sk_cam-7_"));
  const auto parsed = ParseKeyText(key->text.Reveal());
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->id, "cam-7");
  // 160 bits in hexadecimal.
  EXPECT_EQ(parsed->secret.size(), 40u);
  EXPECT_TRUE(SameDigest(DigestOf(parsed->secret), key->digest));
}

TEST(KeyTextTest, NoTwoKeysHaveOneSecret) {
  std::set<SecretDigest> seen;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(seen.insert(MakeKey("a")->digest).second);
  }
}

TEST(KeyTextTest, EveryMistypedOrMissingLetterIsSeen) {
  const std::string text = MakeKey("cam-7")->text.Reveal();
  for (size_t i = 0; i < text.size(); ++i) {
    std::string mistyped = text;
    mistyped[i] = mistyped[i] == '7' ? '8' : '7';
    std::string shorter = text;
    shorter.erase(i, 1);
    for (const std::string& wrong :
         {mistyped, shorter, text.substr(0, i), text + text[i]}) {
      const auto parsed = ParseKeyText(wrong);
      EXPECT_THAT(parsed, StatusIs(absl::StatusCode::kInvalidArgument,
                                   "the key is not whole"));
      // What may be most of a key is not repeated.
      EXPECT_FALSE(
          absl::StrContains(std::string(parsed.status().message()), "cam-7"));
    }
  }
}

TEST(KeyTextTest, TextWithoutEndIsNotEvenHashed) {
  EXPECT_THAT(ParseKeyText(std::string(10'000, 'a')),
              StatusIs(absl::StatusCode::kInvalidArgument, "too long"));
}

TEST(KeyTextTest, IdsAreShortAndPlain) {
  for (const char* good : {"a", "cam-7", "0123456789abcdef0123456789abcdef"}) {
    EXPECT_TRUE(IsKeyId(good)) << good;
    EXPECT_THAT(MakeKey(good), IsOk());
  }
  for (const char* bad : {"", "A", "a_b", "a b", "ä", "a\n",
                          "0123456789abcdef0123456789abcdef0"}) {
    EXPECT_FALSE(IsKeyId(bad)) << bad;
    EXPECT_THAT(MakeKey(bad), StatusIs(absl::StatusCode::kInvalidArgument,
                                       "an id has 1 to 32"));
  }
}

TEST(KeyTextTest, DigestsAreSha256) {
  // Of "abc", from FIPS 180-2.
  const SecretDigest digest = DigestOf("abc");
  EXPECT_EQ(digest[0], 0xba);
  EXPECT_EQ(digest[31], 0xad);
  SecretDigest other = digest;
  EXPECT_TRUE(SameDigest(digest, other));
  for (unsigned char& byte : other) {
    byte ^= 1;
    EXPECT_FALSE(SameDigest(digest, other));
    byte ^= 1;
  }
}

}  // namespace
}  // namespace sam3
