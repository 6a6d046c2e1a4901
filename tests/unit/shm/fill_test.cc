#include "hearth/shm/fill.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <vector>

#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/shm/limits_and_text.h"
#include "tests/unit/shm/temporary_folder.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::kLimits;
using ::hearth::testing::TemporaryFolder;
using limits::kMiB;
using ::testing::HasSubstr;

std::vector<std::byte> Numbered(std::int64_t bytes) {
  std::vector<std::uint64_t> words(static_cast<std::size_t>(bytes) / 8 + 1);
  std::iota(words.begin(), words.end(), std::uint64_t{1} << 56);
  std::vector<std::byte> numbered(static_cast<std::size_t>(bytes));
  std::memcpy(numbered.data(), words.data(), numbered.size());
  return numbered;
}

TEST(Fill, CopiesMemoryByAnyNumberOfThreads) {
  const std::vector<std::byte> from = Numbered(5 * kMiB + 3);
  for (const int threads : {0, 1, 3, 100}) {
    OpenSegment segment = *OpenSegment::Create(6 * kMiB, kLimits);
    ASSERT_THAT(
        CopyIntoSegment(segment, 77, from, kLimits, {.threads = threads}),
        IsOk());
    const SealedSegment sealed = *segment.Seal();
    EXPECT_TRUE(
        std::ranges::equal(sealed.bytes().subspan(77, from.size()), from));
    EXPECT_EQ(sealed.bytes()[76], std::byte{0});
    EXPECT_EQ(sealed.bytes()[77 + from.size()], std::byte{0});
  }
}

TEST(Fill, GivesBackThePagesThatItMoved) {
  const std::vector<std::byte> expected = Numbered(6 * kMiB);
  const Mapping source = [&] {
    OpenSegment segment = *OpenSegment::Create(6 * kMiB, kLimits);
    EXPECT_THAT(CopyIntoSegment(segment, 0, expected, kLimits), IsOk());
    const SealedSegment sealed = *segment.Seal();
    // Private and written to: pages of this process alone, as malloc gives.
    Mapping own =
        *Mapping::Of(sealed.fd(), 0, 6 * kMiB, MapAccess::kPrivate, "a test");
    std::ranges::copy(expected, own.writable_bytes().begin());
    own.writable_bytes()[5] = std::byte{77};
    return own;
  }();
  OpenSegment segment = *OpenSegment::Create(6 * kMiB, kLimits);
  ASSERT_THAT(MoveIntoSegment(segment, 0,
                              {const_cast<std::byte*>(source.bytes().data()),
                               source.bytes().size()},
                              kLimits),
              IsOk());
  const SealedSegment sealed = *segment.Seal();
  EXPECT_EQ(sealed.bytes()[5], std::byte{77});
  EXPECT_TRUE(std::ranges::equal(sealed.bytes().subspan(6),
                                 std::span(expected).subspan(6)));
  // The written page is gone, so what lies below it is seen again.
  EXPECT_EQ(source.bytes()[5], expected[5]);
}

// Half way, another holder's seal let the segment grow no further, and the
// source had lost what was moved.
TEST(Fill, MovesBackWhatItMovedWhereItFails) {
  const std::vector<std::byte> expected = Numbered(9 * kMiB + 5);
  for (const int threads : {1, 4}) {
    std::vector<std::byte> source = expected;
    OpenSegment segment = *OpenSegment::Create(10 * kMiB, kLimits);
    ASSERT_EQ(ftruncate(segment.fd(), 5 * kMiB), 0);
    ASSERT_EQ(fcntl(segment.fd(), F_ADD_SEALS, F_SEAL_GROW), 0);
    EXPECT_FALSE(
        MoveIntoSegment(segment, 77, source, kLimits, {.threads = threads})
            .ok());
    EXPECT_TRUE(std::ranges::equal(source, expected));
  }
}

TEST(Fill, CopiesAFileFromAnyOffset) {
  const TemporaryFolder folder;
  const std::vector<std::byte> from = Numbered(3 * kMiB + 11);
  const FileSource file = *FileSource::Open(folder.Write(
      "f", {reinterpret_cast<const char*>(from.data()), from.size()}));
  OpenSegment segment = *OpenSegment::Create(3 * kMiB, kLimits);
  ASSERT_THAT(CopyFileIntoSegment(segment, 5, file, 9, 3 * kMiB - 5, kLimits),
              IsOk());
  EXPECT_TRUE(std::ranges::equal(segment.Seal()->bytes().subspan(5),
                                 std::span(from).subspan(9, 3 * kMiB - 5)));
}

TEST(Fill, SaysThatTheFileEndsTooEarly) {
  const TemporaryFolder folder;
  const FileSource file = *FileSource::Open(folder.Write("f", "12345678"));
  std::filesystem::resize_file(file.path(), 5);
  OpenSegment segment = *OpenSegment::Create(8, kLimits);
  const absl::Status status =
      CopyFileIntoSegment(segment, 0, file, 0, 8, kLimits);
  EXPECT_EQ(ReasonOf(status), Reason::kFileChanged);
  EXPECT_THAT(std::string(status.message()), HasSubstr("ends at byte 5"));
}

TEST(Fill, CopiesNothing) {
  OpenSegment segment = *OpenSegment::Create(0, kLimits);
  EXPECT_THAT(CopyIntoSegment(segment, 0, {}, kLimits), IsOk());
}

TEST(Fill, RefusesWhatDoesNotFitIntoTheSegment) {
  OpenSegment segment = *OpenSegment::Create(10, kLimits);
  const std::vector<std::byte> from = Numbered(8);
  EXPECT_EQ(ReasonOf(CopyIntoSegment(segment, 3, from, kLimits)),
            Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(CopyIntoSegment(segment, -1, from, kLimits)),
            Reason::kBadUsage);
}

TEST(Fill, LooksAtTheLimitsAgainWhileItFills) {
  const TemporaryFolder host;
  host.Write("proc/meminfo", "MemTotal: 1048576 kB\nMemAvailable: 92160 kB\n");
  // Created while there was room; now 74 MiB may still be used, and the fake
  // host never has less: the second look asks for 6 MiB, the first for 64.
  OpenSegment segment = *OpenSegment::Create(70 * kMiB, kLimits);
  const std::vector<std::byte> from = Numbered(70 * kMiB);
  EXPECT_THAT(CopyIntoSegment(segment, 0, from, MemoryLimits(host.path())),
              IsOk());
  host.Write("proc/meminfo", "MemTotal: 1048576 kB\nMemAvailable: 20480 kB\n");
  const absl::Status refused =
      CopyIntoSegment(segment, 0, from, MemoryLimits(host.path()));
  EXPECT_EQ(ReasonOf(refused), Reason::kOutOfMemory);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("fill a segment, at 0 of 73400320 bytes: needs 64.0 "
                        "MiB, but 4.0 MiB"));
}

TEST(Fill, StopsEveryThreadAtTheFirstError) {
  OpenSegment segment = *OpenSegment::Create(8 * kMiB, kLimits);
  const OpenSegment late =
      *OpenSegment::Adopt(UniqueFd(dup(segment.fd())), 8 * kMiB);
  ASSERT_THAT(segment.Seal(), IsOk());
  EXPECT_FALSE(
      CopyIntoSegment(late, 0, Numbered(8 * kMiB), kLimits, {.threads = 4})
          .ok());
}

}  // namespace
}  // namespace hearth
