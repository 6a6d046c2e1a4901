#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "hearth/matrix/layout.h"

namespace hearth {

// The index that argmin gives an element: along one axis, or, for axis=none, in
// C order whatever the storage order.
//
// Kind: value, immutable. Requires an array that has elements.
class ElementIndex {
 public:
  // `axis`: nullopt for all of them, flattened.
  ElementIndex(const MatrixLayout& layout, std::optional<int> axis);

  // Of the element at `storage`, counted in storage order.
  std::int64_t Of(std::int64_t storage) const;

  // Whether elements that are reduced together ascend in storage as their
  // indexes do.
  bool ascends() const { return !transposes_; }
  // Where they don't: for how many elements from the one at `storage` on
  // indexes ascend with storage, at least.
  std::int64_t AscendsFor(std::int64_t storage) const {
    return storage_shape_.back() - storage % storage_shape_.back();
  }

 private:
  Shape storage_shape_;
  std::int64_t below_ = 1;  // elements in one index of the axis
  std::int64_t length_ = 1;
  bool transposes_ = false;
};

}  // namespace hearth
