// What the published API says and does otherwise: twenty known traps, and what
// this server makes of each in both modes. The README has the same table.
#include <gmock/gmock.h>

#include <tuple>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "service/http/concept_json.h"
#include "tests/e2e/http_fixture.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

using Json = nlohmann::json;

class HttpTraps : public HttpFixture {
 public:
  void Prepare(HttpCompat compat) {
    exact_ = compat == HttpCompat::kExact;
    OpenDoor(compat);
  }

  void ResponseOfClicks() {
    const Json answer = In(Objects(ClickJson()));
    ASSERT_EQ(answer["predictions"].size(), 1u) << answer.dump();
    ASSERT_EQ(answer["prompt_results"].size(), 1u);
    EXPECT_EQ(answer["prompt_results"][0]["prompt_index"], 0);
    EXPECT_EQ(answer["prompt_results"][0]["predictions"][0],
              answer["predictions"][0]);
  }

  void BoxesByCornerAndByCentre() {
    const Json box = {{"x", 10}, {"y", 42}, {"width", 10}, {"height", 8}};
    Json body = ConceptsJson({});
    body["prompts"] = Json::array(
        {{{"boxes", Json::array({box})}, {"box_labels", Json::array({1})}}});
    EXPECT_EQ(Found(body).size(), 1u);  // blue: centre (15, 46)
    Json click = {{"image", ImageJson()},
                  {"prompts", Json::array({{{"box", box}}})}};
    const Json mask = In(Objects(click))["predictions"][0]["masks"];
    EXPECT_EQ(mask[0][0], Json({8, 40})) << mask.dump();
    // As a top-left corner it would have its centre beside the area.
    click["prompts"][0]["box"] = {
        {"x", 23}, {"y", 55}, {"width", 4}, {"height", 4}};
    EXPECT_EQ(In(Objects(click))["predictions"][0]["masks"][0][0],
              Json({8, 40}));
  }

  void MissingBoxLabels() {
    Json body = ConceptsJson({});
    body["prompts"] = Json::array(
        {{{"boxes",
           Json::array(
               {{{"x", 10}, {"y", 42}, {"width", 8}, {"height", 8}}})}}});
    const HttpReply reply = Concepts(body);
    if (exact_) {
      EXPECT_EQ(reply.status, 422);
      EXPECT_EQ(In(reply)["detail"][0]["loc"],
                Json({"body", "prompts", 0, "box_labels"}));
    } else {
      EXPECT_EQ(Found(body).size(), 1u);
    }
  }

  void AThresholdThatLeaks() {
    // Scores are 0.99 and 0.98.
    Json body = TwoRedsJson();
    body["output_prob_thresh"] = 0.985;
    body["prompts"].push_back({{"text", "red"}, {"output_prob_thresh", 0.1}});
    const Json results = In(Concepts(body))["prompt_results"];
    EXPECT_EQ(results[0]["predictions"].size(), exact_ ? 2u : 1u);
    EXPECT_EQ(results[1]["predictions"].size(), 2u);
    // With suppression nothing leaks.
    body["nms_iou_threshold"] = 1;
    EXPECT_EQ(In(Concepts(body))["prompt_results"][0]["predictions"].size(),
              1u);
  }

  void ThresholdsOfZeroAndNothing() {
    // Nothing scores below 0.9 here, so what is asked for is what counts.
    const auto asked = [this](const Json& threshold) {
      RequestProblems problems;
      Json body = ConceptsJson({"red"});
      body["output_prob_thresh"] = threshold;
      const JsonBody parsed(body.dump(), &problems);
      return ReadConceptCall(*parsed.fields(),
                             exact_ ? HttpCompat::kExact : HttpCompat::kFixed)
          ->request.score_threshold();
    };
    EXPECT_EQ(asked(0), exact_ ? 0.5f : 0.0f);
    EXPECT_EQ(asked(nullptr), 0.5f);
    // Not checked by the public server; read as the nearest that can be.
    EXPECT_EQ(asked(7), 1.0f);
    EXPECT_EQ(asked(-3), 0.0f);
    Json body = ConceptsJson({"red"});
    body["output_prob_thresh"] = 7;
    const HttpReply reply = Concepts(body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(In(reply).contains("warnings"), !exact_);
    if (!exact_) {
      EXPECT_EQ(In(reply)["warnings"].size(), 1u);
    }
  }

  void ALowerThresholdOfOnePrompt() {
    Json body = TwoRedsJson();
    body["output_prob_thresh"] = 0.999;
    body["prompts"][0]["output_prob_thresh"] = 0.5;
    EXPECT_EQ(Found(body).size(), 2u);
  }

  void UnknownFormats() {
    Json body = ConceptsJson({"red"});
    body["format"] = "svg";
    const HttpReply reply = Concepts(body);
    EXPECT_EQ(reply.status, exact_ ? 200 : 422);
    if (exact_) {
      EXPECT_EQ(In(reply)["prompt_results"][0]["predictions"], Json::array());
    } else {
      EXPECT_EQ(In(reply)["detail"][0]["loc"], Json({"body", "format"}));
    }
    Json click = ClickJson();
    click["format"] = "svg";
    EXPECT_EQ(Objects(click).status, 422);
  }

  void BinaryMasks() {
    Json body = ConceptsJson({"red", "blue"});
    body["format"] = "binary";
    Json click = ClickJson();
    click["format"] = "binary";
    for (const HttpReply& reply : {Concepts(body), Objects(click)}) {
      EXPECT_EQ(reply.status, 200) << reply.body;
      EXPECT_EQ(reply.Header("content-type"), "application/octet-stream");
      EXPECT_EQ(reply.body.substr(0, 4), "PK\x03\x04");
      EXPECT_NE(reply.body.find("low_res_masks.npy"), std::string::npos);
    }
  }

  void ThePicturesNameWithConcepts() {
    Json body = ConceptsJson({"red"});
    body["image_id"] = "a";
    Concepts(body);
    const HttpReply named = Post("/sam3/embed_image", {{"image_id", "a"}});
    EXPECT_EQ(named.status, exact_ ? 404 : 200);
  }

  void AnotherPictureUnderAnOldName() {
    Json click = ClickJson();
    click["image_id"] = "webcam";
    EXPECT_EQ(Objects(click).status, 200);
    // Red is elsewhere now; the click is on blue.
    click["image"]["value"] =
        absl::Base64Escape(DrawAreasPng(128, 64, {{"blue", 4, 4, 60, 30}}));
    const Json answer = In(Objects(click));
    const Json corner = answer["predictions"][0]["masks"][0][0];
    EXPECT_EQ(corner, exact_ ? Json({8, 8}) : Json({4, 4})) << answer.dump();
    if (!exact_) {
      EXPECT_EQ(answer["warnings"].size(), 1u);
    }
  }

  void WhatWasUsedLastStays() {
    SegmenterOptions options;
    options.image_cache_bytes = 3 * PictureBytes();
    door_.reset();
    StartServer(options, {});
    Prepare(exact_ ? HttpCompat::kExact : HttpCompat::kFixed);
    const auto embed = [this](int n, bool with_picture) {
      Json body = {{"image_id", absl::StrCat(n)}};
      if (with_picture) {
        body["image"] = {{"type", "base64"},
                         {"value", absl::Base64Escape(DrawAreasPng(
                                       64, 64, {{"red", n, n, 8, 8}}))}};
      }
      return Post("/sam3/embed_image", body).status;
    };
    for (int n = 0; n < 3; ++n) ASSERT_EQ(embed(n, true), 200);
    ASSERT_EQ(embed(0, false), 200);
    for (int n = 3; n < 5; ++n) ASSERT_EQ(embed(n, true), 200);
    EXPECT_EQ(embed(0, false), 200);
    EXPECT_EQ(embed(1, false), 404);
  }

  void HolesAndTinyPolygons() {
    Json body = ConceptsJson({"red"});
    body["polygon_holes"] = true;
    const Json found = Found(body)[0];
    EXPECT_EQ(found.contains("parents"), !exact_);
    EXPECT_EQ(found["masks"].size(), 1u);
    // One pixel: see conversion_test for the other shapes.
    Json click = ClickJson();
    click["prompts"][0]["points"][0] = {
        {"x", 100}, {"y", 60}, {"positive", true}};
    EXPECT_EQ(In(Objects(click))["predictions"][0]["masks"],
              exact_ ? Json::parse("[[]]") : Json::array());
  }

  void AllCandidates() {
    Json click = ClickJson();
    click["return_all_candidates"] = true;
    const Json answer = In(Objects(click));
    ASSERT_EQ(answer["predictions"].size(), 1u);
    const Json& best = answer["predictions"][0];
    EXPECT_EQ(best.contains("candidates"), !exact_);
    if (!exact_) {
      ASSERT_EQ(best["candidates"].size(), 3u);
      EXPECT_EQ(best["candidates"][0]["masks"], best["masks"]);
    }
  }

  void WhatConfidenceMeans() {
    const Json concept_found = Found(ConceptsJson({"red"}))[0];
    const Json mask = In(Objects(ClickJson()))["predictions"][0];
    EXPECT_FLOAT_EQ(concept_found["confidence"].get<float>(), 0.99f);
    EXPECT_FLOAT_EQ(mask["confidence"].get<float>(), 0.9f);
    EXPECT_EQ(concept_found.contains("presence_score"), !exact_);
    EXPECT_EQ(mask.contains("predicted_iou"), !exact_);
    EXPECT_FALSE(mask.contains("score"));
  }

  void BestFirst() {
    const Json found = Found(TwoRedsJson());
    ASSERT_EQ(found.size(), 2u);
    EXPECT_GT(found[0]["confidence"], found[1]["confidence"]);
  }

  void OrientationIsTold() {
    const Json answer = In(Concepts(ConceptsJson({"red"})));
    EXPECT_EQ(answer.contains("image"), !exact_);
    if (!exact_) {
      EXPECT_EQ(answer["image"]["exif_orientation"], 1);
    }
  }

  void TimeIsTakenApart() {
    const Json answer = In(Concepts(ConceptsJson({"red"})));
    EXPECT_TRUE(answer["time"].is_number_float());
    EXPECT_EQ(answer.contains("timings"), !exact_);
    if (!exact_) {
      const Json& stages = answer["timings"];
      EXPECT_NEAR(
          answer["time"].get<double>(),
          stages["decode"].get<double>() + stages["encode"].get<double>() +
              stages["ground"].get<double>() + stages["post"].get<double>(),
          1e-9);
    }
  }

  void BoxesAndAreas() {
    const Json found = Found(ConceptsJson({"red"}))[0];
    EXPECT_EQ(found.contains("box"), !exact_);
    EXPECT_EQ(found.contains("detector_box"), !exact_);
    EXPECT_EQ(found.contains("area"), !exact_);
  }

  void NothingIsDropped() {
    Json body = TwoRedsJson();
    body["prompts"].push_back({{"text", "red"}});
    body["format"] = "rle";
    body["nms_iou_threshold"] = 0.5;
    body["model_id"] = "sam3/sam3_final";
    const Json results = In(Concepts(body))["prompt_results"];
    size_t found = 0;
    for (const Json& result : results) {
      for (const Json& prediction : result["predictions"]) {
        ++found;
        EXPECT_TRUE(prediction["masks"].is_object());
      }
    }
    EXPECT_EQ(found, 2u);
    body["model_id"] = "mine/1";
    EXPECT_EQ(Concepts(body).status, 501);
  }

  void OneRuleForTheBorder() {
    // Areas of the fake engine end between pixels of the picture: what is
    // inside is one question, answered alike for every format.
    Json body = ConceptsJson({"red"});
    const Json polygon = Found(body)[0];
    EXPECT_EQ(polygon["masks"], Json::parse("[[[8,8],[8,23],[39,23],[39,8]]]"));
  }

 private:
  static Json ClickJson() {
    return {
        {"image", ImageJson()},
        {"prompts",
         Json::array(
             {{{"points",
                Json::array({{{"x", 20}, {"y", 12}, {"positive", true}}})}}})}};
  }
  // Two red areas; scores 0.99 and 0.98.
  static Json TwoRedsJson() {
    Json body = ConceptsJson({"red"});
    body["image"]["value"] = absl::Base64Escape(
        DrawAreasPng(128, 64, {{"red", 8, 8, 32, 16}, {"red", 64, 8, 16, 16}}));
    return body;
  }
  Json Found(const Json& body) {
    return In(Concepts(body))["prompt_results"][0]["predictions"];
  }
  // What the cache is charged for one picture of the fake engine's.
  size_t PictureBytes() {
    Post("/sam3/embed_image", {{"image", ImageJson()}, {"image_id", "x"}});
    return static_cast<size_t>(metrics_.image_cache_bytes.value());
  }

  bool exact_ = false;
};

struct Trap {
  const char* name;
  void (HttpTraps::*check)();
};
constexpr Trap kTraps[] = {
    {"T1_ResponseOfClicks", &HttpTraps::ResponseOfClicks},
    {"T2_BoxesByCornerAndByCentre", &HttpTraps::BoxesByCornerAndByCentre},
    {"T3_MissingBoxLabels", &HttpTraps::MissingBoxLabels},
    {"T4_AThresholdThatLeaks", &HttpTraps::AThresholdThatLeaks},
    {"T5_ThresholdsOfZeroAndNothing", &HttpTraps::ThresholdsOfZeroAndNothing},
    {"T6_ALowerThresholdOfOnePrompt", &HttpTraps::ALowerThresholdOfOnePrompt},
    {"T7_UnknownFormats", &HttpTraps::UnknownFormats},
    {"T8_BinaryMasks", &HttpTraps::BinaryMasks},
    {"T9_ThePicturesNameWithConcepts", &HttpTraps::ThePicturesNameWithConcepts},
    {"T10_AnotherPictureUnderAnOldName",
     &HttpTraps::AnotherPictureUnderAnOldName},
    {"T11_WhatWasUsedLastStays", &HttpTraps::WhatWasUsedLastStays},
    {"T12_HolesAndTinyPolygons", &HttpTraps::HolesAndTinyPolygons},
    {"T13_AllCandidates", &HttpTraps::AllCandidates},
    {"T14_WhatConfidenceMeans", &HttpTraps::WhatConfidenceMeans},
    {"T15_BestFirst", &HttpTraps::BestFirst},
    {"T16_OrientationIsTold", &HttpTraps::OrientationIsTold},
    {"T17_TimeIsTakenApart", &HttpTraps::TimeIsTakenApart},
    {"T18_BoxesAndAreas", &HttpTraps::BoxesAndAreas},
    {"T19_NothingIsDropped", &HttpTraps::NothingIsDropped},
    {"T20_OneRuleForTheBorder", &HttpTraps::OneRuleForTheBorder}};

class HttpTrapsTest
    : public HttpTraps,
      public testing::WithParamInterface<std::tuple<Trap, HttpCompat>> {};

TEST_P(HttpTrapsTest, IsSteppedOver) {
  const auto& [trap, compat] = GetParam();
  Prepare(compat);
  (this->*trap.check)();
}

INSTANTIATE_TEST_SUITE_P(
    Traps, HttpTrapsTest,
    testing::Combine(testing::ValuesIn(kTraps),
                     testing::Values(HttpCompat::kFixed, HttpCompat::kExact)),
    [](const auto& info) {
      return absl::StrCat(
          std::get<0>(info.param).name,
          std::get<1>(info.param) == HttpCompat::kFixed ? "_Fixed" : "_Exact");
    });

}  // namespace
}  // namespace sam3
