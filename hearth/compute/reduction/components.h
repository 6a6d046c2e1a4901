// Reading single accumulators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace hearth {

template <class T>
T ComponentAt(const std::byte* component, std::int64_t index) {
  T value;
  std::memcpy(&value, component + index * static_cast<std::int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

template <class T>
void SetComponent(std::byte* component, std::int64_t index, T value) {
  std::memcpy(component + index * static_cast<std::int64_t>(sizeof(T)), &value,
              sizeof(T));
}

}  // namespace hearth
