// Reading and writing JSON: pydantic's leniency, limits, numbers, escapes.
#include <gmock/gmock.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "service/http/json_reader.h"
#include "service/http/json_writer.h"

namespace sam3 {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class JsonReaderTest : public testing::Test {
 protected:
  const JsonFields& Read(std::string text) {
    problems_ = RequestProblems();
    body_ = std::make_unique<JsonBody>(std::move(text), &problems_);
    EXPECT_TRUE(body_->fields().has_value());
    return *body_->fields();
  }
  // The type of the problem that keeps a text from having fields.
  std::string Refusal(std::string text) {
    RequestProblems problems;
    const JsonBody body(std::move(text), &problems);
    if (body.fields().has_value() || problems.all().size() != 1) return "";
    return problems.all()[0].type;
  }

  RequestProblems problems_;
  std::unique_ptr<JsonBody> body_;
};

TEST_F(JsonReaderTest, ReadsAsPydanticDoes) {
  const JsonFields& fields = Read(
      R"({"number": "0.5", "whole": 3, "flag": "yes", "one": 1,
          "truth": true, "text": "a\u0062c", "nothing": null,
          "twice": 1, "twice": 2, "deep": {"list": [1, "x"]}})");
  EXPECT_EQ(fields.Number("number"), 0.5);
  EXPECT_EQ(fields.Number("whole"), 3.0);
  EXPECT_EQ(fields.Number("truth"), 1.0);
  EXPECT_EQ(fields.Flag("flag"), true);
  EXPECT_EQ(fields.Flag("one"), true);
  EXPECT_EQ(fields.Text("text"), "abc");
  EXPECT_EQ(fields.Number("twice"), 2.0);
  EXPECT_FALSE(fields.Find("nothing").has_value());
  EXPECT_FALSE(fields.Number("unknown").has_value());
  EXPECT_THAT(*fields.Object("deep")->List("list"), SizeIs(2));
  EXPECT_TRUE(problems_.empty());
}

TEST_F(JsonReaderTest, EveryWrongTypeIsToldWithItsPath) {
  const JsonFields& fields = Read(
      R"({"number": "x", "flag": 2, "text": 5, "list": {}, "object": []})");
  EXPECT_FALSE(fields.Number("number").has_value());
  EXPECT_FALSE(fields.Flag("flag").has_value());
  EXPECT_FALSE(fields.Text("text").has_value());
  EXPECT_FALSE(fields.List("list").has_value());
  EXPECT_FALSE(fields.Object("object").has_value());
  EXPECT_FALSE(fields.Require("missing").has_value());
  std::vector<std::string> told;
  for (const RequestProblem& problem : problems_.all()) {
    told.push_back(absl::StrCat(problem.field, " ", problem.type));
  }
  EXPECT_THAT(told, testing::ElementsAre("number float_type", "flag bool_type",
                                         "text string_type", "list list_type",
                                         "object model_attributes_type",
                                         "missing missing"));
}

TEST_F(JsonReaderTest, WhatIsNoRequestIsRefused) {
  EXPECT_EQ(Refusal(""), "missing");
  EXPECT_EQ(Refusal("[1]"), "model_attributes_type");
  EXPECT_EQ(Refusal("\"text\""), "model_attributes_type");
  EXPECT_EQ(Refusal("null"), "model_attributes_type");
  for (const char* text :
       {"{", "{\"a\":}", "{\"a\": NaN}", "{\"a\": Infinity}", "{\"a\": 1e999}",
        "{\"a\": 123456789012345678901234567890}", "{'a': 1}", "{} {}",
        "{\"a\": \"\xff\"}", "{\"a\": \"\xed\xa0\x80\"}", "\xef\xbb\xbf",
        "{\"a\": \"\n\"}", "not json"}) {
    EXPECT_EQ(Refusal(text), "json_invalid") << text;
  }
}

TEST_F(JsonReaderTest, BombsAreRefused) {
  const std::string deep = absl::StrCat("{\"a\":", std::string(100'000, '['),
                                        std::string(100'000, ']'), "}");
  EXPECT_EQ(Refusal(deep), "json_invalid");
  std::string shallow = "{\"a\":";
  for (int i = 0; i < 40; ++i) shallow += "[";
  for (int i = 0; i < 40; ++i) shallow += "]";
  EXPECT_EQ(Refusal(shallow + "}"), "json_invalid");
  std::string wide = "{\"a\":[0";
  for (int i = 0; i < 300'000; ++i) wide += ",0";
  EXPECT_EQ(Refusal(wide + "]}"), "json_invalid");
}

TEST_F(JsonReaderTest, ALongStringIsTakenWhole) {
  std::string picture;
  std::string escaped;
  for (int i = 0; i < 1 << 20; ++i) {
    picture += i % 1000 == 0 ? "\"\\" : "A,";
    escaped += i % 1000 == 0 ? "\\\"\\\\" : "A,";
  }
  EXPECT_EQ(Read(absl::StrCat("{\"value\":\"", escaped, "\"}")).Text("value"),
            picture);
}

TEST_F(JsonReaderTest, AFloodOfProblemsIsCut) {
  for (int i = 0; i < 1000; ++i) problems_.Add("a", "b", "c");
  EXPECT_THAT(problems_.all(), SizeIs(100));
}

TEST(JsonWriterTest, WritesWhatReadsBackTheSame) {
  JsonWriter out;
  out.BeginObject().Key("a").Integer(1).Key("b").BeginArray();
  out.Number(0.1f).Number(1.0f).Number(1e-30).Bool(true).Null();
  out.BeginObject().EndObject().EndArray();
  out.Key("c").Text("\"\n\u00e9").Key("d").Raw("[1]").EndObject();
  EXPECT_EQ(out.Take(),
            "{\"a\":1,\"b\":[0.1,1.0,1e-30,true,null,{}],"
            "\"c\":\"\\\"\\n\u00e9\",\"d\":[1]}");
}

TEST(JsonWriterTest, NeverWritesWhatIsNoJson) {
  JsonWriter out;
  out.BeginArray().Number(std::numeric_limits<float>::quiet_NaN());
  out.Number(-std::numeric_limits<double>::infinity()).Text("a\xff").EndArray();
  EXPECT_EQ(out.Take(), "[null,null,\"a\xEF\xBF\xBD\"]");
}

}  // namespace
}  // namespace sam3
