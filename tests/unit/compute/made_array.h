// Arrays for tests: values in C order, stored in any type, order of axes,
// order of bytes and alignment.
#pragma once

#include <complex>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hearth/compute/elements.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/layout.h"
#include "tests/support/run_serially.h"

namespace hearth::testing {

// The C-order index of each element in storage order.
inline std::vector<std::int64_t> StorageToC(const MatrixLayout& layout) {
  std::vector<std::int64_t> index(
      static_cast<std::size_t>(layout.element_count()));
  for (std::size_t at = 0; at < index.size(); ++at) {
    auto rest = static_cast<std::int64_t>(at);
    if (layout.order == Order::kC) {
      index[at] = rest;
      continue;
    }
    std::int64_t stride = layout.element_count();
    for (const std::int64_t length : layout.shape) {
      stride /= length;
      index[at] += rest % length * stride;
      rest /= length;
    }
  }
  return index;
}

struct MadeArray {
  MatrixLayout layout;
  Bytes bytes;  // native byte order, from `misaligned` on
  std::int64_t misaligned = 0;

  const std::byte* data() const { return bytes.data() + misaligned; }
  // As a parameter of type "matrix" is given.
  Bytes Stored() const { return AsStored(layout, data()); }
};

// An array whose element with C-order index i is value(i).
inline MadeArray Make(
    ElementType type, Order order, Shape shape,
    const std::function<std::complex<double>(std::int64_t)>& value,
    std::int64_t misaligned = 0) {
  MadeArray made;
  made.layout.type = type;
  made.layout.order = order;
  made.layout.shape = std::move(shape);
  made.misaligned = misaligned;
  made.bytes.resize(static_cast<std::size_t>(misaligned + made.layout.bytes()));
  std::byte* to = made.bytes.data() + misaligned;
  for (const std::int64_t i : StorageToC(made.layout)) {
    const std::complex<double> element = value(i);
    const double real = element.real();
    if (IsComplex(type)) {
      WriteElements(type, &element, 1, to);
    } else if (IsFloat(type)) {
      if (type == ElementType::kBfloat16) {
        float narrow = static_cast<float>(real);
        std::memcpy(to, reinterpret_cast<const std::byte*>(&narrow) + 2, 2);
      } else {
        WriteElements(type, &real, 1, to);
      }
    } else {
      const auto integer =
          static_cast<std::uint64_t>(static_cast<std::int64_t>(real));
      WriteElements(type, &integer, 1, to);
    }
    to += BytesOf(type);
  }
  return made;
}

// What was stored, in C order.
inline std::vector<std::complex<double>> ValuesOf(const MatrixLayout& layout,
                                                  const std::byte* data) {
  std::vector<std::complex<double>> stored(
      static_cast<std::size_t>(layout.element_count()));
  ReadElements({layout.type, ByteOrder::kNative}, data, layout.element_count(),
               stored.data());
  std::vector<std::complex<double>> values(stored.size());
  const auto index = StorageToC(layout);
  for (std::size_t i = 0; i < index.size(); ++i) {
    values[static_cast<std::size_t>(index[i])] = stored[i];
  }
  return values;
}

inline std::vector<std::complex<double>> ValuesOf(const MadeArray& made) {
  return ValuesOf(made.layout, made.data());
}

inline std::vector<std::complex<double>> ValuesOf(const ResultArray& result) {
  MatrixLayout layout;
  layout.type = result.type;
  layout.shape = result.shape;
  layout.order = result.order;
  return ValuesOf(layout, result.bytes.data());
}

}  // namespace hearth::testing
