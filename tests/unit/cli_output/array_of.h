// Arrays from literals, for the tests of this folder.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/output/array_view.h"

namespace hearth::client {

template <class T>
ArrayView ViewOf(ElementType type, Shape shape, const std::vector<T>& elements,
                 Order order = Order::kC, std::string name = "") {
  return {.name = std::move(name),
          .type = type,
          .shape = std::move(shape),
          .order = order,
          .bytes = std::as_bytes(std::span(elements))};
}

}  // namespace hearth::client
