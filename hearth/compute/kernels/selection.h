// Kernels that find elements by their place in the order. Only types and
// declarations here: this header is compiled for three processors at once (see
// variant.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "hearth/compute/kernels/kernel.h"

namespace hearth::kernels {

// Elements are compared by their *keys*: signed integers in the order of the
// elements. The key of a float is its float64's bits, with all but the sign
// flipped where it is negative, so -0.0 stands just before 0.0; every NaN has
// kNanKey, the greatest. The key of a uint64 is itself with its top bit
// flipped, that of a smaller integer or a bool is itself.
inline constexpr std::int64_t kNanKey = INT64_MAX;

// Elements whose keys are looked for at once.
inline constexpr std::int64_t kKeysAtOnce = 1024;

// The elements of an interval: lo, and `width` more keys.
struct SelectionKernels {
  // As many elements of a real type, native byte order, any alignment.
  void (*make_keys)(Scalar scalar, const std::byte* from, std::int64_t count,
                    std::int64_t* keys);

  // Element i belongs to lane i, which has its own interval. Writes the indexes
  // of those in their lanes' intervals to `hits`, ascending, and returns how
  // many; adds 1 to below[i] for those under it unless `below` is null.
  // Requires count <= kKeysAtOnce.
  std::int64_t (*find_across)(const std::int64_t* keys, const std::int64_t* lo,
                              const std::uint64_t* width, std::int64_t count,
                              std::uint32_t* below, std::uint32_t* hits);
  // All elements belong to one lane.
  std::int64_t (*find_along)(const std::int64_t* keys, std::int64_t lo,
                             std::uint64_t width, std::int64_t count,
                             std::int64_t* below, std::uint32_t* hits);

  // An index before which none of `count` elements equals *value, and not more
  // than 64 bytes before the first that does. bool and 2-byte floats: 0.
  std::int64_t (*skip_unequal)(Scalar scalar, const std::byte* from,
                               std::int64_t count, const std::byte* value);

  // The least and greatest key of each lane, or of the one, so far.
  void (*extremes_across)(const std::int64_t* keys, std::int64_t count,
                          std::int64_t* least, std::int64_t* greatest);
  void (*extremes_along)(const std::int64_t* keys, std::int64_t count,
                         std::int64_t* least, std::int64_t* greatest);
};

const SelectionKernels& FindSelectionKernels();

}  // namespace hearth::kernels
