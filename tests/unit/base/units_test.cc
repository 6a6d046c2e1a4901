#include "hearth/base/units.h"

#include <gtest/gtest.h>

#include <limits>

#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using limits::kGiB;
using limits::kKiB;
using limits::kMiB;

TEST(ParseSize, ReadsBinaryUnitsWithAndWithoutTheirTail) {
  EXPECT_EQ(*ParseSize("4GiB"), 4 * kGiB);
  EXPECT_EQ(*ParseSize("512M"), 512 * kMiB);
  EXPECT_EQ(*ParseSize("64 kib"), 64 * kKiB);
  EXPECT_EQ(*ParseSize("1t"), 1024 * kGiB);
  EXPECT_EQ(*ParseSize("2P"), 2 * 1024 * 1024 * kGiB);
}

TEST(ParseSize, ReadsDecimalUnits) {
  EXPECT_EQ(*ParseSize("60GB"), 60'000'000'000);
  EXPECT_EQ(*ParseSize("1.5kB"), 1500);
}

TEST(ParseSize, ReadsFractionsAndDropsPartsOfAByte) {
  EXPECT_EQ(*ParseSize("1.5G"), kGiB + 512 * kMiB);
  EXPECT_EQ(*ParseSize("0.1K"), 102);
  EXPECT_EQ(*ParseSize("0.75"), 0);
}

TEST(ParseSize, ReadsPlainBytes) {
  EXPECT_EQ(*ParseSize("0"), 0);
  EXPECT_EQ(*ParseSize(" 4096 "), 4096);
  EXPECT_EQ(*ParseSize("9223372036854775807B"),
            std::numeric_limits<std::int64_t>::max());
}

TEST(ParseSize, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "G",
                           "-1",
                           "-1G",
                           "+1",
                           "1e9",
                           "1.G",
                           ".5G",
                           "1..5G",
                           "1.5.5",
                           "4 G iB",
                           "4GiBs",
                           "4X",
                           "4iB",
                           "inf",
                           "nan",
                           "0x10",
                           "1,5G",
                           "8192P",
                           "9223372036854775808",
                           "99999999999999999999999"}) {
    const auto size = ParseSize(text);
    ASSERT_FALSE(size.ok()) << text << " gave " << *size;
    EXPECT_EQ(ReasonOf(size.status()), Reason::kBadUsage);
  }
}

TEST(FormatBytes, PrintsTheUnitThatAPersonWouldTake) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1 KiB");
  EXPECT_EQ(FormatBytes(16 * kMiB), "16 MiB");
  EXPECT_EQ(FormatBytes(kGiB + 512 * kMiB), "1.5 GiB");
  EXPECT_EQ(FormatBytes(60'000'000'000), "55.9 GiB");
}

TEST(FormatBytes, RoundsUpIntoTheNextUnit) {
  EXPECT_EQ(FormatBytes(kMiB - 1), "1 MiB");
  EXPECT_EQ(FormatBytes(kGiB - 1), "1 GiB");
}

TEST(FormatBytes, PrintsTheExtremes) {
  EXPECT_EQ(FormatBytes(std::numeric_limits<std::int64_t>::max()), "8 EiB");
  EXPECT_EQ(FormatBytes(std::numeric_limits<std::int64_t>::min()), "-8 EiB");
  EXPECT_EQ(FormatBytes(-2048), "-2 KiB");
}

}  // namespace
}  // namespace hearth
