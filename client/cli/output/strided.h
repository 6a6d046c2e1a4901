#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "client/cli/output/array_view.h"

namespace hearth::client {

// Where each element of `array` lies: bytes from one index of an axis to the
// next, whichever order it is stored in.
inline std::vector<std::int64_t> StridesOf(const ArrayView& array) {
  std::vector<std::int64_t> strides(array.shape.size());
  std::int64_t stride = BytesOf(array.type);
  for (std::size_t i = 0; i < strides.size(); ++i) {
    const std::size_t axis =
        array.order == Order::kFortran ? i : strides.size() - 1 - i;
    strides[axis] = stride;
    stride *= array.shape[axis];
  }
  return strides;
}

}  // namespace hearth::client
