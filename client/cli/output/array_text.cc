#include "client/cli/output/array_text.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/output/number_text.h"
#include "client/cli/output/strided.h"
#include "client/cli/output/table.h"

namespace hearth::client {
namespace {

constexpr std::int64_t kShownWhole = 1000;  // elements; NumPy's threshold
constexpr std::int64_t kEdge = 3;           // NumPy's edgeitems
constexpr std::int64_t kTableEdge = 10;     // rows of a long table's ends
constexpr int kDigits = 8;                  // NumPy's precision
constexpr int kTableDigits = 4;
constexpr std::size_t kLine = 80;

std::int64_t ElementCount(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t length : shape) count *= length;
  return count;
}

class Printer {
 public:
  explicit Printer(const ArrayView& array)
      : array_(array),
        strides_(StridesOf(array)),
        edge_(ElementCount(array.shape) > kShownWhole ? kEdge : 0) {}

  std::string Print() {
    if (ElementCount(array_.shape) == 0) {
      return absl::StrCat("[] of shape ", ToString(array_.shape));
    }
    // Twice: the first pass only learns how wide the widest element is.
    Append(0, array_.bytes.data());
    text_.clear();
    printing_ = true;
    Append(0, array_.bytes.data());
    return std::move(text_);
  }

 private:
  void Append(std::size_t axis, const std::byte* first) {
    if (axis == strides_.size()) return AppendElement(first);
    const std::int64_t length = array_.shape[axis];
    const bool innermost = axis + 1 == strides_.size();
    const bool cut = edge_ > 0 && length > 2 * edge_;
    text_ += '[';
    for (std::int64_t i = 0; i < length; ++i) {
      if (cut && i == edge_) {
        Separate(axis, innermost, 3);
        text_ += "...";
        i = length - edge_;
      }
      if (i > 0) Separate(axis, innermost, width_);
      Append(axis + 1, first + i * strides_[axis]);
    }
    text_ += ']';
  }

  // Before the next item: a space, or a new line indented to the open bracket.
  void Separate(std::size_t axis, bool innermost, std::size_t width) {
    const std::size_t line =
        text_.size() - (text_.find_last_of('\n') + 1);  // npos + 1 is 0
    const std::size_t closing = strides_.size();
    if (innermost && line + 1 + width + closing <= kLine) {
      text_ += ' ';
      return;
    }
    // As NumPy: a blank line more for each axis between.
    const std::size_t lines = innermost ? 1 : strides_.size() - axis - 1;
    text_.append(lines, '\n');
    text_.append(axis + 1, ' ');
  }

  void AppendElement(const std::byte* element) {
    std::string digits;
    AppendTextElement(array_.type, element, kDigits, digits);
    if (!printing_) {
      width_ = std::max(width_, digits.size());
      return;
    }
    text_.append(width_ - digits.size(), ' ');
    text_ += digits;
  }

  const ArrayView& array_;
  const std::vector<std::int64_t> strides_;
  const std::int64_t edge_;
  std::size_t width_ = 0;
  bool printing_ = false;
  std::string text_;
};

bool FitTable(std::span<const ArrayView> arrays) {
  return std::all_of(arrays.begin(), arrays.end(), [&](const ArrayView& array) {
    return array.shape.size() == 1 && array.shape == arrays[0].shape;
  });
}

Table TableOf(std::span<const ArrayView> arrays) {
  Table table;
  table.columns.push_back({"", Table::Align::kRight, true});
  for (const ArrayView& array : arrays) {
    table.columns.push_back({array.name, Table::Align::kRight, true});
  }
  const std::int64_t length = arrays[0].shape[0];
  const bool cut = length > 3 * kTableEdge;
  for (std::int64_t i = 0; i < length; ++i) {
    if (cut && i == kTableEdge) {
      i = length - kTableEdge;
      table.rows.emplace_back(table.columns.size(), "...");
    }
    std::vector<std::string>& row = table.rows.emplace_back();
    row.push_back(absl::StrCat(i));
    for (const ArrayView& array : arrays) {
      AppendTextElement(array.type,
                        array.bytes.data() + i * BytesOf(array.type),
                        kTableDigits, row.emplace_back());
    }
  }
  return table;
}

bool FitsWidth(const std::string& text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    if (end - begin > kTableWidth) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

std::string ArrayText(const ArrayView& array) {
  if (array.shape.empty()) {
    std::string text;
    AppendTextElement(array.type, array.bytes.data(), 0, text);
    return text;
  }
  return Printer(array).Print();
}

std::string ResultText(std::span<const ArrayView> arrays) {
  if (arrays.size() == 1 && arrays[0].name.empty()) {
    return ArrayText(arrays[0]) + "\n";
  }
  if (FitTable(arrays)) {
    std::string table = FormatTable(TableOf(arrays));
    if (FitsWidth(table)) return table;
  }
  std::string text;
  for (const ArrayView& array : arrays) {
    absl::StrAppend(&text, array.name, ":\n", ArrayText(array), "\n");
  }
  return text;
}

}  // namespace hearth::client
