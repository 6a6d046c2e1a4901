#include "client/cli/output/table.h"

#include <algorithm>
#include <cstddef>

namespace hearth::client {
namespace {

constexpr int kGap = 2;        // spaces between columns
constexpr int kNarrowest = 4;  // what a shortened column keeps

int Sum(const std::vector<int>& widths) {
  int sum = 0;
  for (const int width : widths) sum += width + kGap;
  return sum - kGap;
}

// Takes from the widest column that may be shortened, until all of them fit.
void Fit(const Table& table, int width, std::vector<int>& widths) {
  while (Sum(widths) > width) {
    int* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (table.columns[i].whole || widths[i] <= kNarrowest) continue;
      if (widest == nullptr || widths[i] > *widest) widest = &widths[i];
    }
    if (widest == nullptr) return;
    --*widest;
  }
}

void AppendCell(absl::string_view text, int width, Table::Align align,
                bool last, std::string& line) {
  const std::string shown = Shortened(text, width);
  const auto padding =
      static_cast<std::size_t>(std::max(0, width - DisplayWidth(shown)));
  if (align == Table::Align::kRight) line.append(padding, ' ');
  line += shown;
  if (last) return;
  if (align == Table::Align::kLeft) line.append(padding, ' ');
  line.append(kGap, ' ');
}

}  // namespace

std::string FormatTable(const Table& table, int width) {
  std::vector<int> widths;
  for (const Table::Column& column : table.columns) {
    widths.push_back(DisplayWidth(column.heading));
  }
  std::vector<std::vector<std::string>> rows = table.rows;
  for (auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      row[i] = Printable(row[i]);
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  Fit(table, width, widths);

  std::string text;
  const auto append_line = [&](auto&& cell_of) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      AppendCell(cell_of(i), widths[i], table.columns[i].align,
                 i + 1 == widths.size(), text);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  };
  append_line([&](std::size_t i) { return table.columns[i].heading; });
  for (const auto& row : rows) {
    append_line([&](std::size_t i) { return row[i]; });
  }
  return text;
}

}  // namespace hearth::client
