// What --object means.
#include "cli/object_flags.h"

#include <gmock/gmock.h>

#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

TEST(ObjectFlagsTest, ClicksAndABoxOfOneNumberAreOneObject) {
  const auto objects = MakeGivenObjects(
      {"4:320,200", "2:10,20,64,48", "4:300.5,90:neg", "2:12,22"});
  ASSERT_THAT(objects, IsOk());
  ASSERT_EQ(objects->size(), 2u);
  const v1::GivenObject& clicked = (*objects)[0];
  EXPECT_EQ(clicked.object_id(), 4);
  ASSERT_EQ(clicked.points_size(), 2);
  EXPECT_EQ(clicked.points(0).x(), 320);
  EXPECT_EQ(clicked.points(0).label(), v1::Point::LABEL_POSITIVE);
  EXPECT_EQ(clicked.points(1).x(), 300.5);
  EXPECT_EQ(clicked.points(1).label(), v1::Point::LABEL_NEGATIVE);
  EXPECT_FALSE(clicked.has_box());
  const v1::GivenObject& both = (*objects)[1];
  EXPECT_EQ(both.object_id(), 2);
  EXPECT_EQ(both.box().xywh().width(), 64);
  EXPECT_EQ(both.points(0).y(), 22);
}

TEST(ObjectFlagsTest, WhatCannotBeReadIsToldWithAnExample) {
  for (const char* text : {"", "4", "320,200", "x:1,2", "4:1", "4:1,2,3",
                           "4:1,two", "4:1,2,3,4:neg", "4:1,2,3,4,5", ":1,2"}) {
    EXPECT_THAT(
        MakeGivenObjects({text}),
        StatusIs(absl::StatusCode::kInvalidArgument, "--object 1:320,200"))
        << text;
  }
  EXPECT_THAT(MakeGivenObjects({"1:1,2,3,4", "1:5,6,7,8"}),
              StatusIs(absl::StatusCode::kInvalidArgument, "one box"));
}

}  // namespace
}  // namespace sam3
