#include "server/core/locality.h"

#include <gtest/gtest.h>

namespace hearth::server {
namespace {

constexpr std::int64_t kLeafBytes = 16 << 20;

Locality::Crossing CrossingOf(absl::Duration leaf_time, std::int64_t left) {
  return {.bytes = kLeafBytes,
          .leaf_time = leaf_time,
          .task_leaves = 1,
          .leaves_left = left,
          .home_threads = 2};
}

TEST(Locality, CrossesHostsForWhatComputesLong) {
  // 16 MiB are there in 17 ms; a leaf of gram takes 100.
  EXPECT_TRUE(Locality().Pays(CrossingOf(absl::Milliseconds(100), 256)));
}

TEST(Locality, LeavesToANeighbourWhatHeHasNearlyDone) {
  EXPECT_FALSE(Locality().Pays(CrossingOf(absl::Milliseconds(100), 2)));
  EXPECT_FALSE(Locality().Pays(CrossingOf(absl::Milliseconds(2), 10)));
  EXPECT_FALSE(Locality().Pays(CrossingOf(absl::Milliseconds(2), 100)));
}

TEST(Locality, LearnsHowFastALinkIs) {
  Locality slow;
  EXPECT_TRUE(slow.Pays(CrossingOf(absl::Milliseconds(5), 256)));
  slow.NoteStream(kLeafBytes, absl::Seconds(10));
  EXPECT_FALSE(slow.Pays(CrossingOf(absl::Milliseconds(5), 256)));
  for (int i = 0; i < 50; ++i) {
    slow.NoteStream(kLeafBytes, absl::Milliseconds(10));
  }
  EXPECT_TRUE(slow.Pays(CrossingOf(absl::Milliseconds(5), 256)));
}

TEST(Locality, LearnsNothingFromNothing) {
  Locality locality;
  const double before = locality.bytes_per_second();
  locality.NoteStream(0, absl::Seconds(1));
  locality.NoteStream(1, absl::ZeroDuration());
  EXPECT_EQ(locality.bytes_per_second(), before);
}

}  // namespace
}  // namespace hearth::server
