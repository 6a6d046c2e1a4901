#include "hearth/matrix/layout.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "hearth/base/checked.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"

namespace hearth {

absl::StatusOr<MatrixLayout> MatrixLayout::Make(ElementType type,
                                                ByteOrder byte_order,
                                                Order order, Shape shape) {
  if (const std::string fault = FaultOf(shape, type); !fault.empty()) {
    return Error(Reason::kBadFile,
                 absl::StrCat("lay out a matrix of ", NameOf(type),
                              ": its shape ", fault,
                              "; give lengths whose product, in bytes, stays "
                              "below 2^63"));
  }
  return MatrixLayout{type, byte_order, order, std::move(shape)};
}

std::int64_t MatrixLayout::element_count() const {
  std::int64_t count = 1;
  // An axis of length zero ends it early: the others may be of any length.
  for (const std::int64_t length : shape) {
    if (length == 0) return 0;
  }
  for (const std::int64_t length : shape) count *= length;
  return count;
}

Shape MatrixLayout::StorageShape() const {
  Shape storage = shape;
  if (order == Order::kFortran) std::reverse(storage.begin(), storage.end());
  return storage;
}

std::string ToString(const Shape& shape) {
  if (shape.size() == 1) return absl::StrCat("(", shape[0], ",)");
  return absl::StrCat("(", absl::StrJoin(shape, ", "), ")");
}

std::string FaultOf(const Shape& shape, ElementType type) {
  if (shape.size() > static_cast<std::size_t>(limits::kAxisCountMax)) {
    return absl::StrCat("has ", shape.size(), " axes, more than ",
                        limits::kAxisCountMax);
  }
  // Zero lengths are left out of the product, as NumPy does it: so any partial
  // product of a good shape fits too, in whatever order it is taken.
  std::int64_t bytes = BytesOf(type);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const std::int64_t length = shape[axis];
    if (length < 0) {
      return absl::StrCat("has a negative length ", length, " at axis ", axis);
    }
    if (length == 0) continue;
    const std::optional<std::int64_t> product = CheckedMultiply(bytes, length);
    if (!product.has_value()) {
      return absl::StrCat("asks for more than 2^63 bytes at axis ", axis,
                          " (length ", length, ")");
    }
    bytes = *product;
  }
  return "";
}

absl::StatusOr<Shape> ParseShape(absl::string_view text) {
  const auto refuse = [text](absl::string_view finding) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read the shape ", Quoted(text), ": ", finding,
                              "; give the length of each axis, separated by "
                              "commas, as in 500000,1024"));
  };

  absl::string_view list = absl::StripAsciiWhitespace(text);
  if (absl::ConsumePrefix(&list, "(") && !absl::ConsumeSuffix(&list, ")")) {
    return refuse("its parenthesis is never closed");
  }
  list = absl::StripAsciiWhitespace(list);
  Shape shape;
  if (list.empty()) return shape;
  absl::ConsumeSuffix(&list, ",");

  for (absl::string_view item : absl::StrSplit(list, ',')) {
    item = absl::StripAsciiWhitespace(item);
    std::int64_t length = 0;
    if (!absl::SimpleAtoi(item, &length)) {
      return refuse(
          absl::StrCat(Quoted(item), " is not a whole number below 2^63"));
    }
    if (length < 0) return refuse(absl::StrCat(length, " is negative"));
    if (shape.size() == static_cast<std::size_t>(limits::kAxisCountMax)) {
      return refuse(
          absl::StrCat("it has more than ", limits::kAxisCountMax, " axes"));
    }
    shape.push_back(length);
  }
  return shape;
}

}  // namespace hearth
