#include "hearth/base/awake_clock.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

class SetClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::UnixEpoch();
};

TEST(AwakeClock, LeavesOutWhatItsOwnerStoodStill) {
  SetClock clock;
  const AwakeClock awake(clock, absl::Seconds(1));
  const absl::Time begin = awake.Now();
  clock.now += absl::Milliseconds(900);
  EXPECT_EQ(awake.Now() - begin, absl::Milliseconds(900));
  clock.now += absl::Seconds(7);
  EXPECT_EQ(awake.Now() - begin, absl::Milliseconds(1900));
  clock.now += absl::Milliseconds(50);
  EXPECT_EQ(awake.Now() - begin, absl::Milliseconds(1950));
}

}  // namespace
}  // namespace hearth
