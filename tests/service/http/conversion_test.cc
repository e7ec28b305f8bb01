// Bodies as v1 requests, v1 answers as bodies.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "pipeline/error_reason.h"
#include "service/http/concept_json.h"
#include "service/http/embed_json.h"
#include "service/http/image_json.h"
#include "service/http/object_json.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

const Json kImage = {{"type", "base64"}, {"value", "Ynl0ZXM="}};

// Reads `body` by `read` and leaves the problems' paths in `paths`.
template <typename Read>
auto ReadBy(Read read, const Json& body, HttpCompat compat,
            std::vector<std::string>* paths = nullptr) {
  RequestProblems problems;
  const JsonBody parsed(body.dump(), &problems);
  auto call = read(*parsed.fields(), compat);
  for (const RequestProblem& problem : problems.all()) {
    if (paths != nullptr) paths->push_back(problem.field);
  }
  return call;
}

class ConceptReadTest : public testing::TestWithParam<HttpCompat> {
 protected:
  absl::StatusOr<ConceptCall> Read(const Json& body) {
    return ReadBy(&ReadConceptCall, body, GetParam(), &paths_);
  }
  std::vector<std::string> paths_;
};
INSTANTIATE_TEST_SUITE_P(Both, ConceptReadTest,
                         testing::Values(HttpCompat::kFixed,
                                         HttpCompat::kExact));

TEST_P(ConceptReadTest, EveryFieldArrives) {
  const auto call =
      Read({{"image", kImage},
            {"prompts",
             {{{"type", "visual"},
               {"text", "cat"},
               {"output_prob_thresh", 0.25},
               {"boxes",
                {{{"x", 1}, {"y", 2}, {"width", 3}, {"height", 4}},
                 {{"x0", 5}, {"y0", 6}, {"x1", 7}, {"y1", 8}}}},
               {"box_labels", {true, 0}}}}},
            {"output_prob_thresh", 0.75},
            {"nms_iou_threshold", 0.9},
            {"format", "rle"},
            {"model_id", "sam3/sam3_final"},
            {"id", "request 7"},
            {"usage_billable", false},
            {"unknown", {1, 2}}});
  ASSERT_THAT(call, IsOk());
  EXPECT_THAT(paths_, testing::IsEmpty());
  const v1::SegmentConceptsRequest& request = call->request;
  EXPECT_EQ(request.image().content(), "bytes");
  ASSERT_EQ(request.prompts_size(), 1);
  const v1::ConceptPrompt& prompt = request.prompts(0);
  EXPECT_EQ(prompt.text(), "cat");
  EXPECT_EQ(prompt.score_threshold(), 0.25f);
  EXPECT_TRUE(prompt.allow_truncation());
  ASSERT_EQ(prompt.exemplars_size(), 2);
  EXPECT_EQ(prompt.exemplars(0).box().xywh().width(), 3);
  EXPECT_EQ(prompt.exemplars(0).label(), v1::Exemplar::LABEL_POSITIVE);
  EXPECT_EQ(prompt.exemplars(1).box().xyxy().y1(), 8);
  EXPECT_EQ(prompt.exemplars(1).label(), v1::Exemplar::LABEL_NEGATIVE);
  EXPECT_EQ(request.score_threshold(), 0.75f);
  EXPECT_EQ(request.nms().iou_threshold(), 0.9f);
  EXPECT_EQ(request.mask_options().format(), v1::MaskOptions::FORMAT_RLE);
  EXPECT_EQ(request.model_id(), "");
  EXPECT_EQ(request.request_id(), "request 7");
}

TEST_P(ConceptReadTest, EverythingThatIsWrongIsToldAtOnce) {
  Read({{"image", {{"value", "x"}}},
        {"prompts",
         {{{"type", 5}, {"text", {1}}},
          {{"type", "visual"}},
          {{"boxes", {{{"x", 1}, {"y", "far"}, {"width", 3}}}},
           {"box_labels", {1, 0}}},
          7}},
        {"output_prob_thresh", "high"}})
      .status()
      .IgnoreError();
  EXPECT_THAT(paths_,
              ElementsAre("image.type", "output_prob_thresh", "prompts[0].type",
                          "prompts[0].text", "prompts[1].boxes",
                          "prompts[2].boxes[0].y", "prompts[2].boxes[0].height",
                          "prompts[2].box_labels", "prompts[3]"));
  paths_.clear();
  Read(Json::object()).status().IgnoreError();
  EXPECT_THAT(paths_, ElementsAre("image", "prompts"));
  paths_.clear();
  Read({{"image", kImage}, {"prompts", Json::array()}}).status().IgnoreError();
  EXPECT_THAT(paths_, ElementsAre("prompts"));
}

TEST_P(ConceptReadTest, OthersModelsAreNotOffered) {
  EXPECT_THAT(Read({{"image", kImage},
                    {"prompts", {{{"text", "a"}}}},
                    {"model_id", "my-project/3"}}),
              StatusIs(absl::StatusCode::kUnimplemented, "my-project/3"));
  const auto own = Read({{"image", kImage},
                         {"prompts", {{{"text", "a"}}}},
                         {"model_id", "fingerprint"}});
  ASSERT_THAT(own, IsOk());
  EXPECT_EQ(own->request.model_id(), "fingerprint");
}

absl::StatusOr<v1::Image> ReadImageJson(const Json& image) {
  v1::Image out;
  const absl::Status status =
      ReadBy([&out](const JsonFields& fields,
                    HttpCompat) { return ReadImage(fields, &out); },
             image, HttpCompat::kFixed);
  if (!status.ok()) return status;
  return out;
}

TEST(ImageReadTest, TakesBase64InAllItsDresses) {
  for (const char* value :
       {"Ynl0ZXM=", "Ynl0ZXM", "data:image/png;base64,Ynl0ZXM=",
        "DATA:image/jpeg;base64,Ynl0ZXM=", " Ynl0\nZXM= "}) {
    const auto image = ReadImageJson({{"type", "BASE64"}, {"value", value}});
    ASSERT_THAT(image, IsOk()) << value;
    EXPECT_EQ(image->content(), "bytes") << value;
  }
  const auto other = ReadImageJson({{"type", "base64"}, {"value", "_-8="}});
  ASSERT_THAT(other, IsOk());
  EXPECT_EQ(other->content(), "\xff\xef");
  const auto url = ReadImageJson({{"type", "url"}, {"value", "https://a/b"}});
  ASSERT_THAT(url, IsOk());
  EXPECT_EQ(url->url(), "https://a/b");
}

TEST(ImageReadTest, SaysWhatItDoesNotTake) {
  const auto refusal = [](const Json& image) {
    const absl::Status status = ReadImageJson(image).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(status), reason::kMediaUndecodable);
    return std::string(status.message());
  };
  EXPECT_THAT(refusal({{"type", "base64"}, {"value", ""}}), HasSubstr("Empty"));
  EXPECT_THAT(refusal({{"type", "base64"}}), HasSubstr("Empty"));
  EXPECT_THAT(
      refusal({{"type", "base64"}, {"value", "data:image/png;base64,"}}),
      HasSubstr("Empty"));
  EXPECT_THAT(refusal({{"type", "base64"}, {"value", "!!"}}),
              HasSubstr("Malformed"));
  EXPECT_THAT(refusal({{"type", "base64"}, {"value", 7}}),
              HasSubstr("must be a string"));
  EXPECT_THAT(refusal({{"type", "numpy"}, {"value", "gASV"}}),
              HasSubstr("numpy"));
  EXPECT_THAT(refusal({{"type", "pil"}, {"value", ""}}), HasSubstr("pil"));
  EXPECT_THAT(refusal({{"type", "multipart"}}), HasSubstr("multipart"));
  EXPECT_THAT(refusal({{"type", "tiff"}, {"value", ""}}),
              HasSubstr("base64, url or file"));
}

TEST(ImageReadTest, AnyTextNamesAPicture) {
  EXPECT_EQ(V1ImageId("frame 1"), "frame 1");
  const std::string japanese = V1ImageId("\u5199\u771f");
  EXPECT_THAT(japanese, testing::StartsWith("text:"));
  EXPECT_EQ(japanese, V1ImageId("\u5199\u771f"));
  EXPECT_NE(japanese, V1ImageId("\u5199"));
  EXPECT_LE(V1ImageId(std::string(500, 'x')).size(), 128u);
}

TEST(ObjectReadTest, PromptsComeInAllTheirShapes) {
  const Json prompt = {
      {"points", {{{"x", 3}, {"y", 4}, {"positive", false}}}},
      {"box", {{"x", 5}, {"y", 6}, {"width", 2}, {"height", 4}}}};
  for (const Json& prompts :
       {Json{{"prompts", {prompt}}}, Json::array({prompt}), prompt}) {
    const auto call =
        ReadBy(&ReadObjectCall, {{"image", kImage}, {"prompts", prompts}},
               HttpCompat::kFixed);
    ASSERT_THAT(call, IsOk());
    ASSERT_EQ(call->request.prompts_size(), 1) << prompts.dump();
    const v1::ObjectPrompt& read = call->request.prompts(0);
    ASSERT_EQ(read.points_size(), 1);
    EXPECT_EQ(read.points(0).x(), 3);
    EXPECT_EQ(read.points(0).label(), v1::Point::LABEL_NEGATIVE);
    EXPECT_EQ(read.box().cxcywh().cx(), 5);
    EXPECT_EQ(read.box().cxcywh().height(), 4);
    EXPECT_TRUE(call->request.multimask_output());
  }
  for (const Json& prompts :
       {Json(), Json::array(), Json::object(), Json{{"prompts", nullptr}}}) {
    const auto call =
        ReadBy(&ReadObjectCall, {{"image", kImage}, {"prompts", prompts}},
               HttpCompat::kFixed);
    ASSERT_THAT(call, IsOk());
    ASSERT_EQ(call->request.prompts_size(), 1) << prompts.dump();
    EXPECT_TRUE(call->request.prompts(0).box().normalized());
    EXPECT_EQ(call->warnings.size(), 1u);
  }
}

TEST(ObjectReadTest, WrongPromptsAreToldWhereTheyAre) {
  std::vector<std::string> paths;
  ReadBy(
      &ReadObjectCall,
      {{"image", kImage},
       {"prompts",
        {{"prompts",
          {{{"points", {{{"x", 1}}}}}, {{"box", {{"x", 1}, {"y", 1}}}}, 5}}}}},
      HttpCompat::kFixed, &paths)
      .status()
      .IgnoreError();
  EXPECT_THAT(paths, ElementsAre("prompts.prompts[0].points[0].y",
                                 "prompts.prompts[1].box.width",
                                 "prompts.prompts[1].box.height",
                                 "prompts.prompts[2]"));
}

v1::Mask PolygonMaskOf(const std::vector<std::vector<int>>& rings) {
  v1::Mask mask;
  mask.mutable_polygon();
  for (const auto& ring : rings) {
    auto* added = mask.mutable_polygon()->add_rings();
    added->mutable_xy()->Add(ring.begin(), ring.end());
    added->set_parent_index(-1);
  }
  return mask;
}

std::string MasksJson(const v1::Mask& mask, HttpCompat compat) {
  JsonWriter out;
  out.BeginObject();
  WriteMaskFields(mask, MaskForm::kPolygon, false, compat, &out);
  out.EndObject();
  return Json::parse(out.Take())["masks"].dump();
}

TEST(MaskWriteTest, StraightRunsHaveTheirEndsAlone) {
  // A rectangle, every pixel of its border, as OpenCV walks.
  EXPECT_EQ(MasksJson(PolygonMaskOf({{2, 2, 2, 3, 2, 4, 2, 5, 3, 5,
                                      4, 5, 4, 4, 4, 3, 4, 2, 3, 2}}),
                      HttpCompat::kExact),
            "[[[2,2],[2,5],[4,5],[4,2]]]");
  // A diagonal edge is straight too.
  EXPECT_EQ(MasksJson(PolygonMaskOf({{0, 0, 1, 1, 2, 2, 1, 2, 0, 2, 0, 1}}),
                      HttpCompat::kExact),
            "[[[0,0],[2,2],[0,2]]]");
}

TEST(MaskWriteTest, TinyMasksKeepTheirPixels) {
  const v1::Mask dot = PolygonMaskOf({{7, 8}});
  const v1::Mask line = PolygonMaskOf({{1, 1, 2, 1, 3, 1, 2, 1}});
  EXPECT_EQ(MasksJson(dot, HttpCompat::kExact), "[[[7,8]]]");
  EXPECT_EQ(MasksJson(line, HttpCompat::kExact), "[[[1,1],[3,1]]]");
  EXPECT_EQ(MasksJson(PolygonMaskOf({}), HttpCompat::kExact), "[[]]");
  EXPECT_EQ(MasksJson(dot, HttpCompat::kFixed), "[[[7,8],[7,8],[7,8]]]");
  EXPECT_EQ(MasksJson(line, HttpCompat::kFixed), "[[[1,1],[3,1],[3,1]]]");
  EXPECT_EQ(MasksJson(PolygonMaskOf({}), HttpCompat::kFixed), "[]");
}

TEST(EmbedReadTest, ThePictureOrItsNameOrNeither) {
  for (const Json& body :
       {Json{{"image", kImage}}, Json{{"image_id", "a"}}, Json::object()}) {
    EXPECT_THAT(ReadBy(&ReadEmbedCall, body, HttpCompat::kFixed), IsOk());
  }
  const auto exact =
      ReadBy(&ReadEmbedCall, {{"image", kImage}, {"image_id", "a"}},
             HttpCompat::kExact);
  ASSERT_THAT(exact, IsOk());
  EXPECT_EQ(exact->request.image().content(), "");
  EXPECT_EQ(exact->request.image().image_id(), "a");
  EXPECT_EQ(exact->held.content(), "bytes");
  EXPECT_EQ(exact->held.image_id(), "a");
}

}  // namespace
}  // namespace sam3
