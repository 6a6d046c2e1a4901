// 64-bit arithmetic that says when it overflows.
#pragma once

#include <cstdint>
#include <optional>

namespace hearth {

constexpr std::optional<std::int64_t> CheckedMultiply(std::int64_t a,
                                                      std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

constexpr std::optional<std::int64_t> CheckedAdd(std::int64_t a,
                                                 std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

}  // namespace hearth
