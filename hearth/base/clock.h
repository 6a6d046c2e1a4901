#pragma once

#include "absl/time/time.h"

namespace hearth {

// Time as a parameter: shells get one through their constructor, cores get
// `now` as an argument.
//
// Threads: Now() from any.
class Clock {
 public:
  virtual ~Clock() = default;
  // Never runs backwards; its origin is arbitrary (CLOCK_MONOTONIC).
  virtual absl::Time Now() const = 0;

  static const Clock& Real();
};

// What calendars say, for what is compared with dates: certificates. May jump.
absl::Time WallTime();

}  // namespace hearth
