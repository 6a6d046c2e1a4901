#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "hearth/matrix/element_type.h"
#include "hearth/matrix/layout.h"

namespace hearth::client {

// One array of a result, where its elements can be read.
//
// Kind: value. A view: whoever made it keeps the bytes alive.
struct ArrayView {
  std::string name =
      {};  // "" when it is the only one; else the field: "counts"
  ElementType type = ElementType::kFloat64;
  Shape shape = {};
  Order order = Order::kC;
  std::span<const std::byte> bytes = {};  // native byte order, ANY alignment
};

}  // namespace hearth::client
