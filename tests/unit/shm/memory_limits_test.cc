#include "hearth/shm/memory_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/shm/cgroup_memory.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/shm/temporary_folder.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::TemporaryFolder;
using limits::kMiB;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kGiB = 1 << 30;

// --- the pure core ---

TEST(TightestLimit, IsTheHostsWhenNoCgroupSaysLess) {
  const TightestLimit tightest =
      TightestOf({.total_bytes = 24 * kGiB,
                  .available_bytes = 20 * kGiB,
                  .cgroups = {{.limit_file = "a", .limit_bytes = 32 * kGiB}}});
  EXPECT_EQ(tightest.source, "MemAvailable in /proc/meminfo");
  // A 64th of the total is kept back, up to 512 MiB.
  EXPECT_EQ(tightest.free_bytes, 20 * kGiB - 24 * kGiB / 64);
}

TEST(TightestLimit, IsTheCgroupThatHasLeastLeftWhateverItsSize) {
  const TightestLimit tightest =
      TightestOf({.total_bytes = 24 * kGiB,
                  .available_bytes = 20 * kGiB,
                  .cgroups = {{.limit_file = "inner", .limit_bytes = 2 * kGiB},
                              {.limit_file = "outer",
                               .limit_bytes = 8 * kGiB,
                               .usage_bytes = 7 * kGiB}}});
  EXPECT_EQ(tightest.source, "outer");
  EXPECT_EQ(tightest.free_bytes, kGiB - 8 * kGiB / 64);
}

TEST(TightestLimit, DoesNotCountCacheThatTheKernelGivesBack) {
  const TightestLimit tightest =
      TightestOf({.total_bytes = 24 * kGiB,
                  .available_bytes = 20 * kGiB,
                  .cgroups = {{.limit_file = "full of cache",
                               .limit_bytes = kGiB,
                               .usage_bytes = kGiB,
                               .reclaimable_bytes = 1000 * kMiB}}});
  EXPECT_EQ(tightest.free_bytes, 1000 * kMiB - 16 * kMiB);
}

TEST(TightestLimit, IsNothingWhenTheCgroupIsOverItsLimit) {
  EXPECT_EQ(TightestOf({.total_bytes = kGiB,
                        .available_bytes = kGiB,
                        .cgroups = {{.limit_file = "over",
                                     .limit_bytes = 100 * kMiB,
                                     .usage_bytes = 120 * kMiB}}})
                .free_bytes,
            0);
}

TEST(TightestLimit, IsEndlessWhenNothingCouldBeRead) {
  EXPECT_THAT(
      CheckFits(std::numeric_limits<std::int64_t>::max(), TightestOf({}), "x"),
      IsOk());
}

TEST(CheckFits, SaysWhatWasAskedWhatThereIsAndWhichLimit) {
  const absl::Status refused =
      CheckFits(3 * kGiB,
                {.limit_bytes = 2 * kGiB,
                 .free_bytes = 700 * kMiB,
                 .source = "/sys/fs/cgroup/memory.max"},
                "put \"a\"");
  EXPECT_EQ(ReasonOf(refused), Reason::kOutOfMemory);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("put \"a\": needs 3.00 GiB, but 700.0 MiB of 2.00 GiB "
                        "can still be used (/sys/fs/cgroup/memory.max)"));
}

TEST(CheckFits, TakesExactlyWhatIsFree) {
  EXPECT_THAT(CheckFits(7, {.free_bytes = 7, .source = ""}, "x"), IsOk());
  EXPECT_FALSE(CheckFits(8, {.free_bytes = 7, .source = ""}, "x").ok());
}

// --- where this process is ---

constexpr char kV2Mount[] =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
constexpr char kV1Mounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

TEST(FindMemoryCgroups, FindsTheFolderOfAUnifiedHierarchy) {
  EXPECT_THAT(
      FindMemoryCgroups("0::/user.slice/user-1000.slice\n", kV2Mount),
      ElementsAre(CgroupPlace{2, "/sys/fs/cgroup",
                              "/sys/fs/cgroup/user.slice/user-1000.slice"}));
}

TEST(FindMemoryCgroups, FindsBothHierarchiesOfAHybridHost) {
  EXPECT_THAT(FindMemoryCgroups("4:memory:/job/7\n1:cpu:/\n0::/\n", kV1Mounts),
              ElementsAre(CgroupPlace{1, "/sys/fs/cgroup/memory",
                                      "/sys/fs/cgroup/memory/job/7"},
                          CgroupPlace{2, "/sys/fs/cgroup/unified",
                                      "/sys/fs/cgroup/unified"}));
}

TEST(FindMemoryCgroups, KnowsAContainerWhoseMountBeginsAtItsOwnCgroup) {
  EXPECT_THAT(
      FindMemoryCgroups("4:memory:/docker/abc/sub\n",
                        "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - "
                        "cgroup cgroup rw,memory\n"),
      ElementsAre(CgroupPlace{1, "/sys/fs/cgroup/memory",
                              "/sys/fs/cgroup/memory/sub"}));
}

TEST(FindMemoryCgroups, TakesTheMountsTopWhereThePathLiesOutsideOfIt) {
  EXPECT_THAT(FindMemoryCgroups("0::/../other\n", kV2Mount),
              ElementsAre(CgroupPlace{2, "/sys/fs/cgroup", "/sys/fs/cgroup"}));
}

TEST(FindMemoryCgroups, ReadsAMountPointWithASpace) {
  EXPECT_THAT(FindMemoryCgroups(
                  "0::/a\n", "30 23 0:26 / /my\\040groups rw - cgroup2 c rw\n"),
              ElementsAre(CgroupPlace{2, "/my groups", "/my groups/a"}));
}

TEST(FindMemoryCgroups, FindsNothingInNonsense) {
  EXPECT_THAT(FindMemoryCgroups("\n::\nx", "\n - \n1 2 3 - cgroup2"),
              IsEmpty());
}

// --- the reader, on trees made up for it ---

class FakeHost : public ::testing::Test {
 protected:
  FakeHost() {
    folder_.Write("proc/meminfo",
                  "MemTotal:       16777216 kB\nMemFree:  1000 kB\n"
                  "MemAvailable:   8388608 kB\nShmem: 5 kB\n");
  }
  MemoryLimits limits() const { return MemoryLimits(folder_.path()); }
  void Write(const std::string& name, const std::string& text) {
    folder_.Write(name, text);
  }

  TemporaryFolder folder_;
};

TEST_F(FakeHost, ReadsTheHostAloneWhenThereAreNoCgroups) {
  EXPECT_EQ(limits().Read().total_bytes, 16 * kGiB);
  EXPECT_EQ(limits().Tightest().free_bytes, 8 * kGiB - 16 * kGiB / 64);
  EXPECT_THAT(limits().Reserve(7 * kGiB, "x"), IsOk());
  EXPECT_EQ(ReasonOf(limits().Reserve(8 * kGiB, "x")), Reason::kOutOfMemory);
}

TEST_F(FakeHost, CountsWhatIsPromisedToOthersAsTaken) {
  EXPECT_FALSE(
      limits().Reserve(2 * kGiB, "x", /*promised_bytes=*/6 * kGiB).ok());
  EXPECT_THAT(limits().Reserve(0, "x", /*promised_bytes=*/60 * kGiB), IsOk());
}

class FakeV2 : public FakeHost {
 protected:
  FakeV2() {
    Write("proc/self/cgroup", "0::/slurm/job/step\n");
    Write("proc/self/mountinfo", kV2Mount);
    Level("slurm/job/step", "max", "max", 300 * kMiB);
    Level("slurm/job", "max", "max", 300 * kMiB);
    Level("slurm", "max", "max", 300 * kMiB);
  }
  void Level(const std::string& path, const std::string& max,
             const std::string& high, std::int64_t current) {
    const std::string folder = "sys/fs/cgroup/" + path + "/";
    Write(folder + "memory.max", max + "\n");
    Write(folder + "memory.high", high + "\n");
    Write(folder + "memory.current", std::to_string(current) + "\n");
    Write(folder + "memory.stat",
          "anon 1\nfile 73400320\nfile_dirty 10485760\nfile_writeback 0\n"
          "inactive_file 31457280\nactive_file 31457280\n");
  }
};

TEST_F(FakeV2, HasNoLimitWhereEveryLevelSaysMax) {
  EXPECT_THAT(limits().Read().cgroups, IsEmpty());
}

TEST_F(FakeV2, FindsALimitAnyLevelUp) {
  Level("slurm", "1073741824", "max", 300 * kMiB);
  const TightestLimit tightest = limits().Tightest();
  EXPECT_EQ(tightest.source, "/sys/fs/cgroup/slurm/memory.max");
  EXPECT_EQ(tightest.limit_bytes, kGiB);
  // 60 MiB of cache, 10 of them dirty; a 64th kept back.
  EXPECT_EQ(tightest.free_bytes, (1024 - 300 + 50 - 16) * kMiB);
}

TEST_F(FakeV2, TakesTheHighMarkAsALimitToo) {
  Level("slurm/job", "1073741824", "536870912", 300 * kMiB);
  EXPECT_EQ(limits().Tightest().source, "/sys/fs/cgroup/slurm/job/memory.high");
}

TEST_F(FakeV2, ReadsAnewEachTime) {
  Level("slurm", "1073741824", "max", 0);
  const MemoryLimits all = limits();
  EXPECT_THAT(all.Reserve(900 * kMiB, "x"), IsOk());
  Level("slurm", "1073741824", "max", 500 * kMiB);
  EXPECT_FALSE(all.Reserve(900 * kMiB, "x").ok());
}

class FakeV1 : public FakeHost {
 protected:
  FakeV1() {
    Write("proc/self/cgroup", "4:cpu,memory:/docker/abc\n0::/\n");
    Write("proc/self/mountinfo", kV1Mounts);
    Level("", "9223372036854771712", 3 * kGiB);
    Level("docker/", "9223372036854771712", 2 * kGiB);
    Level("docker/abc/", "1073741824", 600 * kMiB);
  }
  void Level(const std::string& path, const std::string& limit,
             std::int64_t usage) {
    const std::string folder = "sys/fs/cgroup/memory/" + path;
    Write(folder + "memory.limit_in_bytes", limit + "\n");
    Write(folder + "memory.usage_in_bytes", std::to_string(usage) + "\n");
    Write(folder + "memory.use_hierarchy", "1\n");
    Write(folder + "memory.stat",
          "inactive_file 5\ntotal_inactive_file 104857600\n"
          "total_active_file 0\ntotal_dirty 0\n");
  }
};

TEST_F(FakeV1, ReadsTheLimitOfAContainer) {
  const MemoryInputs inputs = limits().Read();
  EXPECT_THAT(inputs.cgroups,
              ElementsAre(CgroupMemory{
                  "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes",
                  kGiB, 600 * kMiB, 100 * kMiB}));
  EXPECT_EQ(TightestOf(inputs).free_bytes, (1024 - 500 - 16) * kMiB);
}

TEST_F(FakeV1, DoesNotAskAParentThatDoesNotCountItsChildren) {
  Level("docker/", "1048576", kMiB);
  EXPECT_EQ(limits().Read().cgroups.size(), 2u);
  Write("sys/fs/cgroup/memory/docker/memory.use_hierarchy", "0\n");
  EXPECT_EQ(limits().Read().cgroups.size(), 1u);
}

}  // namespace
}  // namespace hearth
