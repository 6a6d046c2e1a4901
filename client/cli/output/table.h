#pragma once

#include <string>
#include <vector>

#include "client/cli/output/display.h"

namespace hearth::client {

// What a terminal is taken to be wide, and what every table fits.
inline constexpr int kTableWidth = 80;

// Rows of text under headings, printed in aligned columns.
//
// Kind: value.
struct Table {
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
    // Never shortened: a number cut short is another number.
    bool whole = false;
  };

  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as columns
};

// One line for the headings and one a row, each ended by a newline and none
// wider than `width` (except where `whole` columns alone pass it): the widest
// columns are shortened, with "…" for what is left out. Control characters in
// cells become "?", so that a name can't draw on the terminal.
std::string FormatTable(const Table& table, int width = kTableWidth);

}  // namespace hearth::client
