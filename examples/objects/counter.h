// A counter, and beside it what of it may be called from elsewhere.
#pragma once

#include <cstdint>

#include "hearth/object/declare.h"

class Counter {
 public:
  explicit Counter(std::int64_t start = 0) : sum_(start) {}
  std::int64_t Add(std::int64_t amount) { return sum_ += amount; }
  std::int64_t Increment() { return ++sum_; }
  std::int64_t sum() const { return sum_; }

 private:
  std::int64_t sum_;
};

inline hearth::Class Describe(hearth::As<Counter>) {
  return hearth::Declare<Counter>("Counter", {.doc = "Counts."})
      .Constructor<std::int64_t>({"start"})
      .Method("add", &Counter::Add,
              {.parameters = {"amount"}, .doc = "Adds, and tells the sum."})
      .Method("increment", &Counter::Increment, {.exactly_once = true})
      .Attribute("sum", &Counter::sum);
}
