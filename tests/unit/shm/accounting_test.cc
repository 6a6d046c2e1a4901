// Page sizes and process memory: what the kernel says about mappings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numeric>

#include "hearth/base/limits.h"
#include "hearth/shm/mapper_search.h"
#include "hearth/shm/page_size.h"
#include "hearth/shm/process_memory.h"
#include "hearth/shm/segment.h"
#include "hearth/shm/smaps.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/shm/child.h"
#include "tests/unit/shm/limits_and_text.h"

namespace hearth {
namespace {

using ::hearth::testing::Child;
using ::hearth::testing::HasCode;
using ::hearth::testing::IsOk;
using ::hearth::testing::kLimits;
using limits::kMiB;
using ::testing::Contains;
using ::testing::Not;

// --- texts of the kernel ---

TEST(ShmemEnabled, ReadsWhatIsInBrackets) {
  EXPECT_EQ(ParseShmemEnabled("always within_size advise [never] deny force"),
            HugePages::kNever);
  EXPECT_EQ(ParseShmemEnabled("always within_size [advise] never deny force"),
            HugePages::kWhereAdvised);
  EXPECT_EQ(ParseShmemEnabled("[always] within_size advise never deny force"),
            HugePages::kEverywhere);
  EXPECT_EQ(ParseShmemEnabled("always [within_size] advise never"),
            HugePages::kEverywhere);
  EXPECT_EQ(ParseShmemEnabled(""), HugePages::kNever);
}

constexpr char kSmaps[] =
    "7f0000000000-7f0040000000 rw-s 00000000 00:01 77   /memfd:a (deleted)\n"
    "KernelPageSize:        4 kB\n"
    "Rss:              409600 kB\n"
    "Pss:              204800 kB\n"
    "Shared_Clean:          0 kB\n"
    "Shared_Dirty:     409600 kB\n"
    "Private_Clean:         0 kB\n"
    "Private_Dirty:         0 kB\n"
    "ShmemPmdMapped:   407552 kB\n"
    "VmFlags: rd wr sh mr mw me ms \n"
    "7f0040000000-7f0040400000 r--s 00000000 00:0f 78   /anon_hugepage\n"
    "KernelPageSize:     2048 kB\n"
    "Rss:                   0 kB\n"
    "Pss:                   0 kB\n"
    "Private_Hugetlb:    2048 kB\n"
    "Shared_Hugetlb:     4096 kB\n"
    "VmFlags: rd mr me ms \n"
    "7f0050000000-7f0050001000 rw-p 00000000 00:00 0 \n"
    "KernelPageSize:        4 kB\n"
    "Rss:                   4 kB\n"
    "Pss:                   4 kB\n"
    "Private_Dirty:         4 kB\n"
    "VmFlags: rd wr mr mw me ac \n";

TEST(Smaps, SumsOwnSharedAndProportionalAndCountsTheHugePagePoolIn) {
  const ProcessMemory memory = ParseSmaps(kSmaps);
  EXPECT_EQ(memory.own_bytes, (2048 + 4) * 1024);
  EXPECT_EQ(memory.shared_bytes, (409600 + 4096) * 1024);
  EXPECT_EQ(memory.proportional_bytes, (204800 + 4 + 2048 + 4096) * 1024);
}

TEST(Smaps, TellsThePageSizeOfEachMapping) {
  EXPECT_EQ(PageBytesIn(kSmaps, 0x7f0000000000, 0x7f0040000000), 2 * kMiB);
  EXPECT_EQ(PageBytesIn(kSmaps, 0x7f0040000000, 0x7f0040400000), 2 * kMiB);
  EXPECT_EQ(PageBytesIn(kSmaps, 0x7f0050000000, 0x7f0050001000), 4096);
  EXPECT_EQ(PageBytesIn(kSmaps, 1, 2), 4096);
}

TEST(Smaps, FindsWhoCouldWrite) {
  EXPECT_TRUE(MayWrite(kSmaps, 1, 77));
  EXPECT_FALSE(MayWrite(kSmaps, 1, 78)) << "another device";
  EXPECT_FALSE(MayWrite(kSmaps, 0x0f, 78)) << "mapped for reading";
  EXPECT_TRUE(MapsShared(kSmaps, 0x0f, 78));
  EXPECT_FALSE(MapsShared("nonsense\n1-2 rw-s\n", 0, 0));
}

TEST(Smaps, LeavesOutWhatIsKnownAlready) {
  const auto* begin = reinterpret_cast<const std::byte*>(0x7f0000000000);
  EXPECT_FALSE(MayWrite(kSmaps, 1, 77, {begin, 0x40000000}));
  EXPECT_FALSE(MapsShared(kSmaps, 1, 77, {begin, 0x40000000}));
  EXPECT_TRUE(MayWrite(kSmaps, 1, 77, {begin, 0x3ffff000}));
  EXPECT_TRUE(MapsShared(kSmaps, 1, 77, {begin + 4096, 0x40000000}));
}

TEST(Meminfo, ReadsTheFourThatWeUse) {
  const HostMemory memory = ParseMeminfo(
      "MemTotal: 4 kB\nMemAvailable: 3 kB\nCached: 2 kB\nSwapCached: 9 kB\n"
      "Shmem: 1 kB\nShmemHugePages: 9 kB\n");
  EXPECT_EQ(memory.total_bytes, 4096);
  EXPECT_EQ(memory.available_bytes, 3072);
  EXPECT_EQ(memory.cached_bytes, 2048);
  EXPECT_EQ(memory.shmem_bytes, 1024);
}

// --- the kernel itself ---

TEST(ProcessMemory, CountsAMappingAsSharedWhileAnotherHasItToo) {
  OpenSegment open = *OpenSegment::Create(64 * kMiB, kLimits);
  ASSERT_THAT(PopulateForWriting(*open.Map()), IsOk());
  const SealedSegment segment = *open.Seal();
  const auto read_all = [&] {
    volatile unsigned sum = 0;
    for (std::size_t i = 0; i < segment.bytes().size(); i += 4096) {
      sum = sum + static_cast<unsigned>(segment.bytes()[i]);
    }
  };
  read_all();
  const ProcessMemory alone = *MemoryOf(getpid());
  EXPECT_GE(alone.own_bytes, 64 * kMiB);
  Child child(read_all);
  const ProcessMemory both = *MemoryOf(getpid());
  EXPECT_GE(both.shared_bytes, 64 * kMiB);
  // Half of the segment each; the rest of this process is halved by the fork
  // as well, where its pages were private before.
  EXPECT_LT(both.proportional_bytes, alone.proportional_bytes - 31 * kMiB);
  EXPECT_GE(MemoryOf(child.pid())->shared_bytes, 64 * kMiB);
}

TEST(ProcessMemory, SaysThatAProcessIsGone) {
  Child child([] {});
  const pid_t pid = child.pid();
  child.Kill();
  EXPECT_THAT(MemoryOf(pid), HasCode(absl::StatusCode::kNotFound));
}

TEST(Populate, TouchesEveryPageAndKeepsTheBytes) {
  OpenSegment open = *OpenSegment::Create(8 * kMiB, kLimits);
  const auto view = *open.Map();
  view[5 * kMiB] = std::byte{9};
  ASSERT_THAT(PopulateForWriting(view.subspan(3, 8 * kMiB - 3)), IsOk());
  EXPECT_EQ(view[5 * kMiB], std::byte{9});
  EXPECT_EQ(open.Seal()->descriptor().ResidentBytes(), 8 * kMiB);
}

TEST(PageBytesOf, TellsHugePagesOnlyWhereTheKernelGrantsThem) {
  OpenSegment open = *OpenSegment::Create(16 * kMiB, kLimits);
  const auto view = *open.Map();
  ASSERT_THAT(PopulateForWriting(view), IsOk());
  if (ShmemHugePages() == HugePages::kNever) {
    EXPECT_EQ(PageBytesOf(view), 4096);
  } else {
    EXPECT_THAT(PageBytesOf(view), ::testing::AnyOf(4096, 2 * kMiB));
  }
}

TEST(MapperSearch, FindsAWriterAndNotAReader) {
  OpenSegment open = *OpenSegment::Create(kMiB, kLimits);
  struct stat found {};
  ASSERT_EQ(fstat(open.fd(), &found), 0);
  EXPECT_THAT(WritersOf(found.st_dev, found.st_ino), Not(Contains(getpid())));
  ASSERT_THAT(open.Map(), IsOk());
  EXPECT_THAT(WritersOf(found.st_dev, found.st_ino), Contains(getpid()));
  const SealedSegment sealed = *open.Seal();
  EXPECT_THAT(WritersOf(found.st_dev, found.st_ino), Not(Contains(getpid())));
}

}  // namespace
}  // namespace hearth
