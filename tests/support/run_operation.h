// An operation on values, for tests: the small language that they are written
// in. Tests only.
#pragma once

#include <cstddef>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hearth/compute/registry.h"
#include "tests/support/run_serially.h"

namespace hearth::testing {

using Text = std::map<std::string, std::string>;

// Values in storage order, `offset` bytes behind a multiple of 64.
template <class T>
class Placed {
 public:
  Placed(const std::vector<T>& values, std::size_t offset)
      : memory_(values.size() * sizeof(T) + offset + 64) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    data_ = memory_.data() + (64 - address % 64) % 64 + offset;
    if (!values.empty())
      std::memcpy(data_, values.data(), values.size() * sizeof(T));
  }
  const std::byte* data() const { return data_; }

 private:
  std::vector<std::byte> memory_;
  std::byte* data_;
};

template <class T>
absl::StatusOr<ResultArray> RunOperation(const std::string& name,
                                         const MatrixLayout& layout,
                                         const std::vector<T>& values,
                                         Text text = {},
                                         std::size_t offset = 0) {
  HEARTH_ASSIGN_OR_RETURN(const Operation* operation, FindOperation(name));
  const Placed<T> placed(values, offset);
  HEARTH_ASSIGN_OR_RETURN(
      std::vector<ResultArray> results,
      RunSerially(*operation, layout, placed.data(),
                  {.text = std::move(text), .matrices = {}}));
  return std::move(results.front());
}

template <class T>
std::vector<T> ValuesOf(const absl::StatusOr<ResultArray>& array) {
  if (!array.ok()) return {};
  std::vector<T> values(array->bytes.size() / sizeof(T));
  if (!values.empty())
    std::memcpy(values.data(), array->bytes.data(), array->bytes.size());
  return values;
}

inline MatrixLayout LayoutOf(ElementType type, Shape shape,
                             Order order = Order::kC) {
  return {type, ByteOrder::kNative, order, std::move(shape)};
}

}  // namespace hearth::testing
