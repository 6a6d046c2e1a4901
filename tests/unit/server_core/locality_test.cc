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
  EXPECT_TRUE(Locality().Pays("h1", CrossingOf(absl::Milliseconds(100), 256)));
}

TEST(Locality, LeavesToANeighbourWhatHeHasNearlyDone) {
  EXPECT_FALSE(Locality().Pays("h1", CrossingOf(absl::Milliseconds(100), 2)));
  EXPECT_FALSE(Locality().Pays("h1", CrossingOf(absl::Milliseconds(2), 10)));
  EXPECT_FALSE(Locality().Pays("h1", CrossingOf(absl::Milliseconds(2), 100)));
}

TEST(Locality, LearnsHowFastALinkIs) {
  Locality slow;
  EXPECT_TRUE(slow.Pays("h1", CrossingOf(absl::Milliseconds(5), 256)));
  slow.NoteStream("h1", kLeafBytes, absl::Seconds(10));
  EXPECT_FALSE(slow.Pays("h1", CrossingOf(absl::Milliseconds(5), 256)));
  for (int i = 0; i < 50; ++i) {
    slow.NoteStream("h1", kLeafBytes, absl::Milliseconds(10));
  }
  EXPECT_TRUE(slow.Pays("h1", CrossingOf(absl::Milliseconds(5), 256)));
}

TEST(Locality, LearnsNothingFromNothing) {
  Locality locality;
  const double before = locality.BytesPerSecond("h1");
  locality.NoteStream("h1", 0, absl::Seconds(1));
  locality.NoteStream("h1", 1, absl::ZeroDuration());
  EXPECT_EQ(locality.BytesPerSecond("h1"), before);
}

TEST(Locality, LetsOneTaskFindOutWhileNobodyKnows) {
  Locality locality;
  const auto crossing = CrossingOf(absl::Milliseconds(100), 256);
  locality.NoteCrossing("h1", TaskId{1});
  EXPECT_FALSE(locality.Pays("h1", crossing));
  EXPECT_FALSE(locality.Pays("h2", crossing));
  locality.NoteEnded(TaskId{1});  // it failed, and found out nothing
  EXPECT_TRUE(locality.Pays("h2", crossing));
}

TEST(Locality, ExpectsOfAnUnknownHostWhatTheOthersGet) {
  Locality locality;
  const auto crossing = CrossingOf(absl::Milliseconds(5), 256);
  EXPECT_TRUE(locality.Pays("h2", crossing));
  EXPECT_TRUE(locality.NoteStream("h1", kLeafBytes, absl::Seconds(10)));
  EXPECT_FALSE(locality.Pays("h2", crossing));
  EXPECT_FALSE(locality.MeasuredAt("h2").has_value());
  EXPECT_TRUE(locality.NoteStream("h2", kLeafBytes, absl::Milliseconds(10)));
  EXPECT_FALSE(locality.NoteStream("h2", kLeafBytes, absl::Milliseconds(10)));
  EXPECT_TRUE(locality.Pays("h2", crossing));
  EXPECT_FALSE(locality.Pays("h1", crossing));
}

TEST(Locality, LetsOneTaskAHostFindOutOnceOthersAreKnown) {
  Locality locality;
  const auto crossing = CrossingOf(absl::Milliseconds(100), 256);
  locality.NoteStream("h1", kLeafBytes, absl::Milliseconds(10));
  locality.NoteCrossing("h2", TaskId{7});
  EXPECT_FALSE(locality.Pays("h2", crossing));
  EXPECT_TRUE(locality.Pays("h3", crossing));
  EXPECT_TRUE(locality.Pays("h1", crossing));
}

}  // namespace
}  // namespace hearth::server
