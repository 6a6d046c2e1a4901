#include "client/cli/output/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace hearth::client {
namespace {

using Align = Table::Align;

TEST(Table, AlignsItsColumns) {
  const Table table{.columns = {{"name"}, {"bytes", Align::kRight}},
                    .rows = {{"m", "12"}, {"weights", "1,234"}}};
  EXPECT_EQ(FormatTable(table),
            "name     bytes\n"
            "m           12\n"
            "weights  1,234\n");
}

TEST(Table, HasNoSpacesAtTheEndsOfLines) {
  const Table table{.columns = {{"a"}, {"b"}}, .rows = {{"x", ""}}};
  EXPECT_EQ(FormatTable(table), "a  b\nx\n");
}

TEST(Table, ShortensTheWidestColumnUntilItFits) {
  const Table table{
      .columns = {{"name"}, {"source"}, {"bytes", Align::kRight, true}},
      .rows = {{"short", std::string(200, 'p'), "123,456,789,012"}}};
  std::istringstream lines(FormatTable(table));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(DisplayWidth(line), 80) << line;
  }
  const std::string text = FormatTable(table);
  EXPECT_NE(text.find("short"), std::string::npos);
  EXPECT_NE(text.find("p…"), std::string::npos);
  EXPECT_NE(text.find("123,456,789,012"), std::string::npos);
}

TEST(Table, LetsNoCellDrawOnTheTerminal) {
  const Table table{.columns = {{"name"}}, .rows = {{"a\x1b[2J\nb"}}};
  EXPECT_EQ(FormatTable(table), "name\na?[2J?b\n");
}

TEST(Table, CountsColumnsOfATerminal) {
  const Table table{.columns = {{"name"}, {"x"}},
                    .rows = {{"数据", "1"}, {"e\u0301", "2"}, {"ab", "3"}}};
  EXPECT_EQ(FormatTable(table),
            "name  x\n"
            "数据  1\n"
            "e\u0301     2\n"
            "ab    3\n");
}

TEST(DisplayWidth, IsThatOfATerminal) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("é"), 1);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
  EXPECT_EQ(DisplayWidth("漢字"), 4);
  EXPECT_EQ(DisplayWidth("👍"), 2);
  EXPECT_EQ(DisplayWidth("a\u200Bb"), 2);
  EXPECT_EQ(DisplayWidth("\xff\xe6\xbc"), 3);  // a mark for each byte
}

TEST(Escaped, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(Escaped("a\x1b[2J\n\u009b\xff\u00e9"),
            "a\\x1b[2J\\n\\xc2\\x9b\\xff\u00e9");
  EXPECT_EQ(Escaped("a\tb\nc\r", "\n\t"), "a\tb\nc\\r");
}

TEST(Shortened, CutsBetweenCodePoints) {
  EXPECT_EQ(Shortened("漢字漢字", 6), "漢字…");
  EXPECT_EQ(Shortened("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  EXPECT_EQ(Shortened("héarth", 6), "héarth");
  EXPECT_EQ(Shortened("héarth", 4), "héa…");
  EXPECT_EQ(Shortened("abc", 1), "…");
}

}  // namespace
}  // namespace hearth::client
