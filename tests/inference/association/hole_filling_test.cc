#include "inference/association/hole_filling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace sam3 {
namespace {

// One character a pixel: '#' inside, anything else outside.
using Picture = std::vector<std::string>;

std::vector<float> ToLogits(const Picture& rows) {
  std::vector<float> logits;
  for (const std::string& row : rows) {
    for (const char pixel : row) logits.push_back(pixel == '#' ? 5.0f : -5.0f);
  }
  return logits;
}

// '#' and '.' are untouched, 'f' was filled, 'w' was wiped.
Picture Filled(const Picture& rows, int max_area) {
  std::vector<float> logits = ToLogits(rows);
  const int width = static_cast<int>(rows[0].size());
  FillHoles(width, static_cast<int>(rows.size()), max_area,
            absl::MakeSpan(logits));
  Picture result = rows;
  size_t i = 0;
  for (std::string& row : result) {
    for (char& pixel : row) {
      const float value = logits[i++];
      pixel = value == 5.0f    ? '#'
              : value == -5.0f ? '.'
              : value == 0.1f  ? 'f'
              : value == -0.1f ? 'w'
                               : '?';
    }
  }
  return result;
}

TEST(FillHolesTest, FillsUpToTheAreaAndNoFurther) {
  const Picture hole = {"######", "#....#", "######"};
  EXPECT_EQ(Filled(hole, 4), (Picture{"######", "#ffff#", "######"}));
  EXPECT_EQ(Filled(hole, 3), hole);
  EXPECT_EQ(Filled(hole, 0), hole);
  EXPECT_EQ(Filled(hole, -1), hole);
}

TEST(FillHolesTest, CornersConnectTheBackground) {
  const Picture holes = {"#####", "#.###", "##.##", "#####"};
  EXPECT_EQ(Filled(holes, 1), holes);
  EXPECT_EQ(Filled(holes, 2), (Picture{"#####", "#f###", "##f##", "#####"}));
  const Picture other_way = {"#####", "###.#", "##.##", "#####"};
  EXPECT_EQ(Filled(other_way, 1), other_way);
}

TEST(FillHolesTest, CornersConnectTheForeground) {
  const Picture diagonal = {"#....", ".#...", "..#..", ".....", "....."};
  EXPECT_EQ(Filled(diagonal, 2), diagonal);
}

TEST(FillHolesTest, TheBorderEnclosesToo) {
  EXPECT_EQ(Filled({".####", "#####", "##...", "##..."}, 2),
            (Picture{"f####", "#####", "##...", "##..."}));
}

TEST(FillHolesTest, BranchesThatMeetLateAreOneComponent) {
  const Picture fork = {"#.#.#.#", "#.#.#.#", "#.....#", "#######"};
  EXPECT_EQ(Filled(fork, 10),
            (Picture{"#.w.w.#", "#.w.w.#", "#.....#", "#######"}));
  EXPECT_EQ(Filled(fork, 11),
            (Picture{"#f#f#f#", "#f#f#f#", "#fffff#", "#######"}));
}

TEST(FillHolesTest, WipesSpecksOfAtMostHalfTheMask) {
  // Of eight pixels, both fours are at most half; of nine, only the four is.
  EXPECT_EQ(Filled({"####.....####"}, 4), (Picture{"wwww.....wwww"}));
  EXPECT_EQ(Filled({"####.....#####"}, 4), (Picture{"wwww.....#####"}));
  EXPECT_EQ(Filled({"####.....#####"}, 3), (Picture{"####.....#####"}));
  // A lone object is more than half of itself.
  EXPECT_EQ(Filled({".....##......"}, 4), (Picture{".....##......"}));
  EXPECT_EQ(Filled({".....#......."}, 4), (Picture{".....#......."}));
}

TEST(FillHolesTest, ForegroundIsJudgedAfterTheHolesAreFilled) {
  // The ring has eight pixels, with its hole nine.
  const Picture ring = {"###.....########", "#.#.....########",
                        "###.....########"};
  EXPECT_EQ(Filled(ring, 8), (Picture{"###.....########", "#f#.....########",
                                      "###.....########"}));
}

TEST(FillHolesTest, AnEmptyAndAFullMaskStay) {
  EXPECT_EQ(Filled({".....", ".....", "....."}, 14),
            (Picture{".....", ".....", "....."}));
  EXPECT_EQ(Filled({"#####", "#####", "#####"}, 16),
            (Picture{"#####", "#####", "#####"}));
  // All of a tiny mask's background is one hole; then nothing is a speck.
  EXPECT_EQ(Filled({"..", ".."}, 16), (Picture{"ff", "ff"}));
}

TEST(FillHolesTest, NanIsNeitherInsideNorOutside) {
  std::vector<float> logits = {5, NAN, 5, -5, 5, 5, 5, 5, 5};
  FillHoles(9, 1, 1, absl::MakeSpan(logits));
  EXPECT_TRUE(std::isnan(logits[1]));
  EXPECT_EQ(logits[0], -0.1f);
  EXPECT_EQ(logits[3], 0.1f);
}

}  // namespace
}  // namespace sam3
