#include "inference/tokenizer.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "inference/demo_model/embedded_model.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

std::unique_ptr<Tokenizer> DemoTokenizer() {
  const EmbeddedModel demo = GetEmbeddedDemoModel();
  auto tokenizer = Tokenizer::FromFiles(demo.vocab_json, demo.merges_txt);
  EXPECT_THAT(tokenizer, IsOk());
  return *std::move(tokenizer);
}

TEST(TokenizerTest, KnownWords) {
  const auto tokenizer = DemoTokenizer();
  EXPECT_EQ(*tokenizer->Encode("Red  CIRCLE"),
            (std::vector<int32_t>{736, 7117}));
  EXPECT_EQ(tokenizer->Words({736, 7117}),
            (std::vector<std::string>{"red ", "circle "}));
}

TEST(TokenizerTest, ShortTextsAreFramedAndPadded) {
  const TokenizedText text = *DemoTokenizer()->Tokenize("cat");
  EXPECT_EQ(text.length, 3);
  EXPECT_FALSE(text.truncated);
  EXPECT_EQ(text.ids[0], 49406);
  EXPECT_EQ(text.ids[1], 2368);
  for (int i = 2; i < kTextContextLength; ++i) EXPECT_EQ(text.ids[i], 49407);
}

TEST(TokenizerTest, ThirtyWordsFitAndThirtyOneAreCut) {
  const auto tokenizer = DemoTokenizer();
  std::string words;
  for (int i = 0; i < 30; ++i) absl::StrAppend(&words, "cat ");
  EXPECT_FALSE(tokenizer->Tokenize(words)->truncated);
  EXPECT_EQ(tokenizer->Tokenize(words)->length, 32);
  const TokenizedText cut = *tokenizer->Tokenize(words + "cat");
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(cut.length, 32);
  EXPECT_EQ(cut.ids[31], 49407);
}

TEST(TokenizerTest, BytesThatAreNoTextAreRefused) {
  EXPECT_THAT(DemoTokenizer()->Encode("caf\xe9"),
              StatusIs(absl::StatusCode::kInvalidArgument, "UTF-8"));
}

TEST(TokenizerTest, DamagedFilesAreNamed) {
  EXPECT_THAT(Tokenizer::FromFiles("[]", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "vocabulary"));
  EXPECT_THAT(Tokenizer::FromFiles(R"({"a": 1})", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "startoftext"));
  EXPECT_THAT(
      Tokenizer::FromFiles(
          R"({"<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2})", "a b\n"),
      StatusIs(absl::StatusCode::kInvalidArgument, "a b"));
  EXPECT_THAT(Tokenizer::FromFolder("/nonexistent"),
              StatusIs(absl::StatusCode::kNotFound, "/nonexistent"));
}

}  // namespace
}  // namespace sam3
