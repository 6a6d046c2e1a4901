#pragma once

#include <functional>
#include <memory>

#include "hearth/compute/reduction/reducer.h"

namespace hearth {

// `count` numbers from memory at any alignment to memory at any alignment.
using Transform = std::function<void(const std::byte* from, std::byte* to,
                                     std::int64_t count)>;

// Of one number that goes in, and that comes out.
struct TransformBytes {
  std::int64_t from;
  std::int64_t to;
};

// Transforms numbers, one to one, then leaves them to another reducer: a piece
// at a time, which is still in cache when it is reduced.
std::unique_ptr<const Reducer> TransformFirst(
    Transform transform, TransformBytes bytes,
    std::unique_ptr<const Reducer> inner);

// Converts numbers first, as NumPy's astype; `inner` itself where the types are
// the same.
std::unique_ptr<const Reducer> ConvertFirst(
    ElementType from, ElementType to, std::unique_ptr<const Reducer> inner);

// Pairs of numbers that are complex elements: where one part is NaN, both are.
// `number` is float32 or float64.
std::unique_ptr<const Reducer> SpreadNanFirst(
    ElementType number, std::unique_ptr<const Reducer> inner);

// NaN becomes `value` first: for an `inner` that converts to integers, which
// have none. `number` is a float type.
std::unique_ptr<const Reducer> ReplaceNanFirst(
    ElementType number, double value, std::unique_ptr<const Reducer> inner);

}  // namespace hearth
