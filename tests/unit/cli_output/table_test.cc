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

TEST(Shortened, CutsBetweenCodePoints) {
  EXPECT_EQ(Shortened("héarth", 6), "héarth");
  EXPECT_EQ(Shortened("héarth", 4), "héa…");
  EXPECT_EQ(Shortened("abc", 1), "…");
}

}  // namespace
}  // namespace hearth::client
