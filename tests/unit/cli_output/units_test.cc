#include "client/cli/output/units.h"

#include <gtest/gtest.h>

#include <limits>

#include "client/cli/output/progress.h"
#include "client/cli/output/table.h"

namespace hearth::client {
namespace {

TEST(HumanBytes, TakesTheUnitThatReadsBest) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes((std::int64_t{1} << 30) - 1), "1.0 GiB");
  EXPECT_EQ(HumanBytes(std::int64_t{4} << 30), "4.0 GiB");
  EXPECT_EQ(HumanBytes(std::numeric_limits<std::int64_t>::max()), "8.0 EiB");
}

TEST(HumanCount, GroupsByThousands) {
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(999), "999");
  EXPECT_EQ(HumanCount(1000), "1,000");
  EXPECT_EQ(HumanCount(-1234567), "-1,234,567");
}

TEST(HumanRate, CountsInPowersOfTen) {
  EXPECT_EQ(HumanRate(12'300'000'000, absl::Seconds(1)), "12.3 GB/s");
  EXPECT_EQ(HumanRate(500, absl::Seconds(1)), "500.0 B/s");
  EXPECT_EQ(HumanRate(1, absl::ZeroDuration()), "-");
  EXPECT_EQ(HumanRate(0, absl::Seconds(1)), "-");
}

TEST(HumanDuration, TakesTheUnitThatReadsBest) {
  EXPECT_EQ(HumanDuration(absl::Microseconds(850)), "850 us");
  EXPECT_EQ(HumanDuration(absl::Milliseconds(12.34)), "12.3 ms");
  EXPECT_EQ(HumanDuration(absl::Seconds(4.56)), "4.56 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(59.999)), "1 min 00 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(125)), "2 min 05 s");
  EXPECT_EQ(HumanDuration(absl::Minutes(187)), "3 h 07 min");
}

const Progress kHalfWay = {.what = "sum big.npy",
                           .blocks_done = 128,
                           .blocks_total = 256,
                           .matrix_bytes = std::int64_t{4} << 30,
                           .elapsed = absl::Seconds(2)};

TEST(Progress, ExpectsTheRestToTakeAsLongAsTheFirstHalf) {
  EXPECT_EQ(TimeLeft(kHalfWay), absl::Seconds(2));
  EXPECT_EQ(TimeLeft({.what = "sum"}), std::nullopt);
}

TEST(ProgressLine, TellsBlocksBytesRateAndTimeLeft) {
  EXPECT_EQ(ProgressLine(kHalfWay, 90),
            "sum big.npy  [==============>             ]  50 %  128/256  "
            "2.0 GiB  1.1 GB/s  2.00 s left");
}

TEST(ProgressLine, FitsTheTerminalWhateverItsParts) {
  Progress progress = kHalfWay;
  progress.what = std::string(200, 'x');
  progress.blocks_total = progress.blocks_done = 123'456'789;
  for (const int width : {20, 60, 80, 200}) {
    EXPECT_LE(DisplayWidth(ProgressLine(progress, width)), width);
  }
  EXPECT_LE(DisplayWidth(ProgressLine({.what = "sum"}, 80)), 80);
}

}  // namespace
}  // namespace hearth::client
