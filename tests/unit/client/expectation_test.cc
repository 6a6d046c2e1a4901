#include "client/expectation.h"

#include <gtest/gtest.h>

namespace hearth::client {
namespace {

using Part = Expectation::Part;

constexpr std::int64_t kMiB = 1 << 20;
constexpr WorkMeans kWork = {.bytes = 1024 * kMiB,
                             .block_bytes = kMiB,
                             .needs_whole = false,
                             .thread_bytes_per_second = 100.0 * kMiB};
const HostMeans kHome = {
    .host = "h1", .workers = 1, .threads = 2, .has_bytes = true};

HostMeans Away(std::optional<double> stream) {
  return {.host = "h2",
          .workers = 1,
          .threads = 2,
          .has_bytes = false,
          .stream_bytes_per_second = stream};
}

TEST(Expect, SharesOutWhatIsMappedByThreads) {
  HostMeans larger = kHome;
  larger.threads = 6;
  const auto expected = Expect({kHome, larger}, kWork);
  EXPECT_EQ(expected[0].bytes_mapped, 256 * kMiB);
  EXPECT_EQ(expected[1].bytes_mapped, 768 * kMiB);
  EXPECT_DOUBLE_EQ(expected[0].seconds, 1.28);
  EXPECT_DOUBLE_EQ(expected[1].seconds, 1.28);
}

TEST(Expect, StreamsToAHostThatIsMeasuredAndHelps) {
  const auto expected = Expect({kHome, Away(100.0 * kMiB)}, kWork);
  EXPECT_EQ(expected[1].part, Part::kStreams);
  EXPECT_EQ(expected[0].bytes_mapped, 512 * kMiB);
  EXPECT_EQ(expected[1].bytes_streamed, 512 * kMiB);
  EXPECT_EQ(expected[1].bytes_mapped, 0);
  EXPECT_DOUBLE_EQ(expected[0].seconds, expected[1].seconds);
}

// They used to be left out: a vector of gigabytes came for nothing.
TEST(Expect, AddsWhatIsMissingOfParametersWhereAHostTakesPart) {
  HostMeans home = kHome;
  home.stream_bytes_per_second = 50.0 * kMiB;
  home.missing_bytes = 100 * kMiB;
  HostMeans idle = Away(std::nullopt);
  idle.missing_bytes = 100 * kMiB;
  const auto expected = Expect({home, idle}, kWork);
  EXPECT_EQ(expected[0].bytes_mapped, 1024 * kMiB);
  EXPECT_EQ(expected[0].bytes_streamed, 100 * kMiB);
  EXPECT_DOUBLE_EQ(expected[0].seconds, 5.12 + 2);
  EXPECT_EQ(expected[1].bytes_streamed, 0);
}

TEST(Expect, MapsWhatLandedByAnEarlierJob) {
  HostMeans away = Away(100.0 * kMiB);
  away.landed_bytes = 200 * kMiB;
  const auto expected = Expect({kHome, away}, kWork);
  EXPECT_EQ(expected[1].part, Part::kMaps);
  EXPECT_EQ(expected[1].bytes_mapped, 200 * kMiB);
  EXPECT_EQ(expected[1].bytes_streamed, 0);
  EXPECT_EQ(expected[0].bytes_mapped, 824 * kMiB);

  // A part is of no use to what needs the whole.
  WorkMeans work = kWork;
  work.needs_whole = true;
  EXPECT_EQ(Expect({kHome, away}, work)[1].bytes_mapped, 0);
  away.landed_bytes = work.bytes;
  EXPECT_EQ(Expect({kHome, away}, work)[1].bytes_mapped, 512 * kMiB);
  EXPECT_EQ(Expect({kHome, away}, work)[1].bytes_streamed, 0);
}

TEST(Expect, LeavesOutAHostThatATaskWouldTakeTooLongAt) {
  const auto expected = Expect({kHome, Away(0.25 * kMiB)}, kWork);
  EXPECT_EQ(expected[1].part, Part::kNone);
  EXPECT_EQ(expected[0].bytes_mapped, 1024 * kMiB);
}

TEST(Expect, DoesNotGuessWhatAnUnmeasuredHostWouldDo) {
  const auto expected = Expect({kHome, Away(std::nullopt)}, kWork);
  EXPECT_EQ(expected[1].part, Part::kUnknown);
  EXPECT_EQ(expected[0].bytes_mapped, 1024 * kMiB);
}

TEST(Expect, BringsTheWholeMatrixWhereThatIsNeeded) {
  WorkMeans work = kWork;
  work.needs_whole = true;
  EXPECT_EQ(Expect({kHome, Away(100.0 * kMiB)}, work)[1].part, Part::kNone);
  const auto expected = Expect({kHome, Away(1000.0 * kMiB)}, work);
  EXPECT_EQ(expected[1].part, Part::kStreams);
  EXPECT_EQ(expected[1].bytes_streamed, 1024 * kMiB);
}

TEST(Expect, StreamsAllWhereNoHostThatTakesPartHasTheBytes) {
  const auto expected = Expect({Away(1.0 * kMiB)}, kWork);
  EXPECT_EQ(expected[0].bytes_streamed, 1024 * kMiB);
  EXPECT_DOUBLE_EQ(expected[0].seconds, 512);
}

TEST(Expect, HasNothingToSayOfNoHosts) {
  EXPECT_TRUE(Expect({}, kWork).empty());
}

}  // namespace
}  // namespace hearth::client
