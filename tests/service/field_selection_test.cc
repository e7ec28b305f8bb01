#include "service/field_selection.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include "sam3/v1/segmentation_service.pb.h"

namespace sam3 {
namespace {

using google::protobuf::FieldMask;
using v1::SegmentConceptsResponse;

FieldSelection Select(const std::vector<std::string>& paths) {
  FieldMask mask;
  for (const std::string& path : paths) mask.add_paths(path);
  return {mask, *SegmentConceptsResponse::descriptor()};
}

// What is left of a full response, in text format on one line.
std::string Trimmed(const std::vector<std::string>& paths) {
  SegmentConceptsResponse response;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(results {
           prompt_id: "a"
           instances { score: 1 mask { width_px: 4 } }
           instances { score: 0.5 mask { width_px: 4 } }
         }
         results { prompt_id: "b" }
         image_info { width_px: 8 height_px: 9 }
         warnings: "w")",
      &response));
  Select(paths).Trim(&response);
  return response.ShortDebugString();
}

TEST(FieldSelectionTest, NoPathAndAStarKeepEverything) {
  const std::string everything = Trimmed({});
  EXPECT_NE(everything.find("mask"), std::string::npos);
  EXPECT_EQ(Trimmed({"*"}), everything);
  EXPECT_EQ(Trimmed({"image_info", "*"}), everything);
  EXPECT_TRUE(Select({}).Wants("results.instances.mask"));
  EXPECT_TRUE(Select({"*"}).Wants("results.instances.mask"));
}

TEST(FieldSelectionTest, PathsLeadThroughRepeatedFields) {
  EXPECT_EQ(Trimmed({"results.instances.score"}),
            "results { instances { score: 1 } instances { score: 0.5 } } "
            "results { }");
  EXPECT_EQ(Trimmed({"image_info.width_px", "warnings"}),
            "image_info { width_px: 8 } warnings: \"w\"");
}

TEST(FieldSelectionTest, AnAncestorIncludesWhatIsBelowInAnyOrder) {
  const std::string whole = Trimmed({"image_info"});
  EXPECT_EQ(whole, "image_info { width_px: 8 height_px: 9 }");
  EXPECT_EQ(Trimmed({"image_info", "image_info.width_px"}), whole);
  EXPECT_EQ(Trimmed({"image_info.width_px", "image_info"}), whole);
  EXPECT_TRUE(Select({"results"}).Wants("results.instances.mask"));
  EXPECT_TRUE(
      Select({"results.instances.mask.rle"}).Wants("results.instances.mask"));
  EXPECT_FALSE(
      Select({"results.instances.box"}).Wants("results.instances.mask"));
}

TEST(FieldSelectionTest, PathsThatDoNotExistAreTold) {
  EXPECT_THAT(Select({"results", "resultz", "", "results.", "warnings.x",
                      "results.instances.score.y", "results.prompt_id"})
                  .unknown_paths(),
              testing::ElementsAre(1, 2, 3, 4, 5));
}

}  // namespace
}  // namespace sam3
