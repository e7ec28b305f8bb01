// Bodies that no client means to send: thousands of them, each refused for what
// it is, none a fault of the server's.
#include <gmock/gmock.h>

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/e2e/http_fixture.h"

namespace sam3 {
namespace {

using Json = nlohmann::json;

constexpr int kCasesPerRoute = 1200;
constexpr const char* kRoutes[] = {"/sam3/concept_segment",
                                   "/sam3/visual_segment", "/sam3/embed_image"};

// Makes bodies out of a good one; the same ones every time.
class BodyMaker {
 public:
  explicit BodyMaker(Json good) : good_(std::move(good)) {}

  std::string Next() {
    Json body = good_;
    const int changes = 1 + Below(3);
    for (int i = 0; i < changes; ++i) Change(&body, 0);
    std::string text = body.dump();
    switch (Below(6)) {
      case 0:
        text.resize(static_cast<size_t>(Below(static_cast<int>(text.size()))));
        break;
      case 1:
        text[static_cast<size_t>(Below(static_cast<int>(text.size())))] =
            static_cast<char>(Below(256));
        break;
      case 2:
        text.insert(static_cast<size_t>(Below(static_cast<int>(text.size()))),
                    Splice());
        break;
      default:
        break;
    }
    return text;
  }

 private:
  int Below(int limit) {
    return limit <= 0 ? 0 : static_cast<int>(random_() % limit);
  }

  std::string Splice() {
    const std::string parts[] = {
        "NaN",  "Infinity", "1e400", "\\ud800", "\xff",
        "[[[[", "}}",       "\"",    ",",       std::string(5000, '['),
        "-",    "0x1"};
    return parts[Below(12)];
  }

  Json Odd() {
    switch (Below(14)) {
      case 0:
        return nullptr;
      case 1:
        return true;
      case 2:
        return -1;
      case 3:
        return 1e308;
      case 4:
        return std::string(static_cast<size_t>(Below(3000)), 'x');
      case 5:
        return Json::array();
      case 6:
        return Json::object();
      case 7:
        return Json::array({1, "x", nullptr});
      case 8:
        return "\u4eba\u0000\u202e";
      case 9:
        return int64_t{9'223'372'036'854'775'807};
      case 10:
        return 0.5;
      case 11:
        return "0.5";
      case 12: {
        Json many = Json::array();
        for (int i = 0; i < 100; ++i) many.push_back(good_["prompts"]);
        return many;
      }
      default:
        return Json{{"x", 1e30}, {"y", -1e30}, {"width", 0}, {"height", 1e-30}};
    }
  }

  // Replaces, drops or doubles something in `value`.
  void Change(Json* value, int depth) {
    if (!value->is_structured() || value->empty() ||
        (depth > 0 && Below(4) == 0)) {
      *value = Odd();
      return;
    }
    const auto chosen =
        std::next(value->begin(), Below(static_cast<int>(value->size())));
    switch (Below(5)) {
      case 0:
        value->erase(chosen);
        break;
      case 1:
        if (value->is_array()) {
          value->push_back(Json(*chosen));
        } else {
          (*value)[absl::StrCat("unknown", Below(9))] = Odd();
        }
        break;
      default:
        Change(&*chosen, depth + 1);
    }
  }

  const Json good_;
  std::mt19937 random_{20'240'601};
};

class HttpFuzzTest : public HttpFixture,
                     public testing::WithParamInterface<HttpCompat> {
 protected:
  static Json GoodBody() {
    Json body = ConceptsJson({"red", "blue"});
    body["image_id"] = "a";
    body["output_prob_thresh"] = 0.5;
    body["nms_iou_threshold"] = 0.9;
    body["format"] = "polygon";
    body["model_id"] = "sam3/sam3_final";
    body["multimask_output"] = true;
    body["save_logits_to_cache"] = true;
    body["load_logits_from_cache"] = true;
    body["prompts"][0]["boxes"] =
        Json::array({{{"x", 10}, {"y", 10}, {"width", 8}, {"height", 8}},
                     {{"x0", 1}, {"y0", 2}, {"x1", 30}, {"y1", 40}}});
    body["prompts"][0]["box_labels"] = {1, 0};
    body["prompts"][0]["output_prob_thresh"] = 0.4;
    body["prompts"][1]["points"] =
        Json::array({{{"x", 20}, {"y", 12}, {"positive", true}}});
    body["prompts"][1]["box"] = {
        {"x", 20}, {"y", 12}, {"width", 8}, {"height", 8}};
    return body;
  }
};

TEST_P(HttpFuzzTest, EveryBodyIsAnsweredForWhatItIs) {
  OpenDoor(GetParam());
  std::map<int, int> answered;
  for (const char* route : kRoutes) {
    BodyMaker bodies(GoodBody());
    for (int i = 0; i < kCasesPerRoute; ++i) {
      const std::string body = bodies.Next();
      const HttpReply reply = AskHttp(door_->port(), "POST", route, body);
      ++answered[reply.status];
      const Json told = In(reply);
      switch (reply.status) {
        case 200:
          break;
        case 422:
          ASSERT_FALSE(told["detail"].empty()) << route << " " << body;
          for (const Json& problem : told["detail"]) {
            ASSERT_EQ(problem["loc"][0], "body") << reply.body;
            ASSERT_TRUE(problem["msg"].is_string() &&
                        problem["type"].is_string());
          }
          break;
        case 400:
        case 404:
        case 501:
          ASSERT_TRUE(told["message"].is_string()) << reply.body;
          ASSERT_TRUE(told["reason"].is_string()) << reply.body;
          break;
        default:
          FAIL() << route << " " << reply.status << " " << reply.body << "\n"
                 << body.substr(0, 2000);
      }
    }
  }
  // The cases are good ones only if many get through and many do not.
  EXPECT_GT(answered[200], kCasesPerRoute / 10);
  EXPECT_GT(answered[422], kCasesPerRoute / 10);
  EXPECT_GT(answered[400], 10);
  EXPECT_EQ(Concepts(ConceptsJson({"red"})).status, 200);
}

INSTANTIATE_TEST_SUITE_P(Both, HttpFuzzTest,
                         testing::Values(HttpCompat::kFixed,
                                         HttpCompat::kExact));

}  // namespace
}  // namespace sam3
