#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/matrix/element_type.h"

namespace hearth {

// Lengths of the axes, axis 0 first. Empty for a 0-d array.
using Shape = std::vector<std::int64_t>;

enum class Order : std::uint8_t { kC = 0, kFortran = 1 };

// What an array is, without its bytes: enough to find any element in its
// storage.
//
// Kind:  value. `Make` is the only way to one whose sizes are known to fit 63
// bits.
struct MatrixLayout {
  ElementType type = ElementType::kFloat64;
  ByteOrder byte_order = ByteOrder::kNative;
  Order order = Order::kC;
  Shape shape = {};

  // BAD_FILE naming the axis when a length is negative, the product or its
  // bytes overflow 63 bits, or there are more than limits::kAxisCountMax axes.
  static absl::StatusOr<MatrixLayout> Make(ElementType type,
                                           ByteOrder byte_order, Order order,
                                           Shape shape);

  std::int64_t element_count() const;  // 1 for 0-d
  std::int64_t bytes() const { return element_count() * BytesOf(type); }
  int axis_count() const { return static_cast<int>(shape.size()); }
  std::int64_t row_count() const { return shape.empty() ? 1 : shape[0]; }

  // The shape with the slowest-varying storage axis first: `shape` itself for C
  // order, reversed for Fortran order. Storage index = row-major index in this
  // shape.
  Shape StorageShape() const;

  friend bool operator==(const MatrixLayout&, const MatrixLayout&) = default;
};

// "(500000, 1024)", "(3,)", "()", as NumPy prints it.
std::string ToString(const Shape& shape);

// Why no matrix can have this shape, for the middle of a sentence: "has a
// negative length -3 at axis 1". Empty when one can.
std::string FaultOf(const Shape& shape, ElementType type);

// "500000,1024", "3" or "3,", "" (0-d), with spaces and a pair of parentheses
// if one likes: what users type. BAD_USAGE for anything else, for a negative
// length and for more than limits::kAxisCountMax of them.
absl::StatusOr<Shape> ParseShape(absl::string_view text);

}  // namespace hearth
