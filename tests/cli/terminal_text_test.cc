// Text in columns of a terminal.
#include "cli/terminal_text.h"

#include <gtest/gtest.h>

#include <string>

namespace sam3 {
namespace {

TEST(TerminalTextTest, WhatFitsStays) {
  EXPECT_EQ(FitColumns("", 0), "");
  EXPECT_EQ(FitColumns("truck", 5), "truck");
  EXPECT_EQ(PadColumns("truck", 7), "truck  ");
}

TEST(TerminalTextTest, WhatIsCutOffLeavesAMark) {
  EXPECT_EQ(FitColumns("truck", 4), "tru\u2026");
  EXPECT_EQ(PadColumns("truck", 4), "tru\u2026");
  EXPECT_EQ(FitColumns("truck", 1), "\u2026");
  EXPECT_EQ(FitColumns("truck", 0), "");
  EXPECT_EQ(FitColumns("truck", -3), "");
}

TEST(TerminalTextTest, CharactersAreCountedByTheirColumns) {
  const std::string pack = "\u30d0\u30c3\u30af";  // three of two columns
  EXPECT_EQ(FitColumns(pack, 6), pack);
  EXPECT_EQ(PadColumns(pack, 8), pack + "  ");
  EXPECT_EQ(FitColumns(pack, 5), "\u30d0\u30c3\u2026");
  EXPECT_EQ(FitColumns(pack, 4), "\u30d0\u2026");
  EXPECT_EQ(PadColumns(pack, 4), "\u30d0\u2026 ");
  EXPECT_EQ(FitColumns("stra\u00dfe", 6), "stra\u00dfe");
  // An accent that is put on its letter.
  EXPECT_EQ(FitColumns("e\u0301a", 2), "e\u0301a");
  EXPECT_EQ(PadColumns("e\u0301", 3), "e\u0301  ");
}

TEST(TerminalTextTest, NothingIsObeyedOrBroken) {
  EXPECT_EQ(FitColumns("a\033[2Jb\nc\r\x7f", 80), "a?[2Jb?c??");
  EXPECT_EQ(FitColumns("\u202eabc", 80), "?abc");
  EXPECT_EQ(FitColumns("\u009b1m", 80), "?1m");
  // No UTF-8: a lone tail, a cut head, an overlong form, beyond Unicode.
  EXPECT_EQ(FitColumns("a\x80z", 80), "a?z");
  EXPECT_EQ(FitColumns("a\xe3\x83", 80), "a??");
  EXPECT_EQ(FitColumns("\xc0\xaf", 80), "?");
  EXPECT_EQ(FitColumns("\xf7\xbf\xbf\xbf", 80), "?");
  EXPECT_EQ(FitColumns("\xff", 80), "?");
}

}  // namespace
}  // namespace sam3
