// The table of words that stand for English ones.
#include "service/concept_aliases.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "inference/fake_engine.h"
#include "inference/fake_tokenizer.h"
#include "service/validate.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConceptAliasesTest : public testing::Test {
 protected:
  ~ConceptAliasesTest() override { std::filesystem::remove(file_); }

  void Write(const std::string& text) { std::ofstream(file_) << text; }
  std::unique_ptr<ConceptAliases> Load() {
    auto aliases = ConceptAliases::Load(file_);
    EXPECT_THAT(aliases, IsOk());
    return *std::move(aliases);
  }

  const std::string file_ = testing::TempDir() + "/aliases.tsv";
};

TEST_F(ConceptAliasesTest, ThePublishedSamplesAreUnderstood) {
  const auto aliases = *ConceptAliases::Load("");
  EXPECT_EQ(aliases->Find("人"), "person");
  EXPECT_EQ(aliases->Find("バックパック"), "backpack");
}

TEST_F(ConceptAliasesTest, WritingDoesNotMatter) {
  const auto aliases = *ConceptAliases::Load("");
  for (const char* text : {"ﾊﾞｯｸﾊﾟｯｸ", " バックパック ", "rucksack", "RUCKSACK",
                           "sac  à dos", "sac a\u0300 dos", "\u3000リュック"}) {
    EXPECT_EQ(aliases->Find(text), "backpack") << text;
  }
  EXPECT_EQ(aliases->Find("fussgänger"), "pedestrian");
  EXPECT_EQ(aliases->Find("Fußgänger"), "pedestrian");
}

TEST_F(ConceptAliasesTest, EnglishStaysAsItIs) {
  const auto aliases = *ConceptAliases::Load("");
  for (const char* text :
       {"person", "cat", "boot", "hose", "hut", "mantel", "baskets", "bananas",
        "", "red", "yellow school bus"}) {
    EXPECT_EQ(aliases->Find(text), std::nullopt) << text;
  }
  EXPECT_EQ(aliases->Find("\xff"), std::nullopt);
}

// The 80 names of COCO, each at least in Japanese, Chinese and Korean.
TEST_F(ConceptAliasesTest, EveryLineIsWhole) {
  const auto aliases = *ConceptAliases::Load("");
  EXPECT_GT(aliases->size(), 1500u);
  for (const char* text : {"자전거", "信号機", "红绿灯", "紅綠燈", "Ampel",
                           "feu tricolore", "semáforo", "歯ブラシ", "칫솔"}) {
    EXPECT_TRUE(aliases->Find(text).has_value()) << text;
  }
}

TEST_F(ConceptAliasesTest, AFileLiesOverTheTable) {
  Write("# ours\n\nsafety helmet\tヘルメット, Bauhelm\nforklift\t ニチユ \n");
  const auto aliases = Load();
  EXPECT_EQ(aliases->Find("ヘルメット"), "safety helmet");
  EXPECT_EQ(aliases->Find("bauhelm"), "safety helmet");
  EXPECT_EQ(aliases->Find("ニチユ"), "forklift");
  EXPECT_EQ(aliases->Find("人"), "person");
}

TEST_F(ConceptAliasesTest, MistakesAreToldByLine) {
  Write("person\tA\nnonsense\n");
  EXPECT_THAT(
      ConceptAliases::Load(file_),
      StatusIs(absl::StatusCode::kInvalidArgument, ":2: needs English"));
  Write("person\t\xff\n");
  EXPECT_THAT(ConceptAliases::Load(file_),
              StatusIs(absl::StatusCode::kInvalidArgument, ":1: is not UTF-8"));
  EXPECT_THAT(ConceptAliases::Load("/nonexistent"),
              StatusIs(absl::StatusCode::kNotFound, "/nonexistent"));
}

TEST_F(ConceptAliasesTest, AChangedFileIsReadAgain) {
  Write("one\tword\n");
  const auto aliases = Load();
  EXPECT_FALSE(*aliases->Reload());
  Write("another\tword, more\n");
  EXPECT_TRUE(*aliases->Reload());
  EXPECT_EQ(aliases->Find("word"), "another");
  Write("broken");
  EXPECT_THAT(aliases->Reload(),
              StatusIs(absl::StatusCode::kInvalidArgument, "needs English"));
  EXPECT_EQ(aliases->Find("word"), "another");
  std::filesystem::remove(file_);
  EXPECT_THAT(aliases->Reload(), StatusIs(absl::StatusCode::kNotFound, file_));
  EXPECT_EQ(aliases->Find("word"), "another");
}

TEST_F(ConceptAliasesTest, ValidationTokenizesTheEnglish) {
  const auto aliases = *ConceptAliases::Load("");
  const LoadedModel model = MakeFakeModel(nullptr);
  const RequestValidator validator({}, *model.tokenizer, model.engine->info(),
                                   "", aliases.get());
  v1::SegmentConceptsRequest request;
  request.mutable_image()->set_content("bytes");
  request.add_prompts()->set_text("人");
  request.add_prompts()->set_text("person");
  std::vector<std::string> warnings;
  const auto valid = validator.ValidateConcepts(request, &warnings);
  ASSERT_THAT(valid, IsOk());
  EXPECT_EQ(valid->prompts[0].tokens, valid->prompts[1].tokens);
  EXPECT_EQ(valid->prompts[0].text, "人");
  EXPECT_THAT(warnings, ElementsAre("prompts[0].text: was read as \"person\""));
}

}  // namespace
}  // namespace sam3
