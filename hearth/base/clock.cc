#include "hearth/base/clock.h"

#include <ctime>

#include "absl/time/clock.h"

namespace hearth {
namespace {

class RealClock final : public Clock {
 public:
  absl::Time Now() const override {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return absl::TimeFromTimespec(now);
  }
};

}  // namespace

const Clock& Clock::Real() {
  static const RealClock clock;
  return clock;
}

absl::Time WallTime() { return absl::Now(); }

}  // namespace hearth
