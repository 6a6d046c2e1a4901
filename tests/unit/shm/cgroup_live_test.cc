// Real memory limits, where this machine lets us set them: cgroup v1 and root.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/shm/fill.h"
#include "hearth/shm/process_memory.h"
#include "hearth/shm/window_reader.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/shm/child.h"
#include "tests/unit/shm/temporary_folder.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::SaidByChild;
using ::hearth::testing::TemporaryFolder;
using limits::kMiB;

// AddressSanitizer takes memory of its own in there.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::int64_t kLimitBytes = 400 * kMiB;
#else
constexpr std::int64_t kLimitBytes = 200 * kMiB;
#endif

class LiveCgroup : public ::testing::Test {
 protected:
  void SetUp() override {
    group_ = absl::StrCat("/sys/fs/cgroup/memory/hearth-test-", getpid());
    if (!std::filesystem::exists("/sys/fs/cgroup/memory/cgroup.procs")) {
      GTEST_SKIP() << "no cgroup v1 memory controller at /sys/fs/cgroup/memory";
    }
    if (mkdir(group_.c_str(), 0755) != 0) {
      group_.clear();
      GTEST_SKIP() << "may not make a cgroup (run as root to test real limits)";
    }
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "ThreadSanitizer touches four bytes of its own for each "
                    "of ours, which no limit could foresee";
#endif
    ASSERT_TRUE(Set("memory.limit_in_bytes", kLimitBytes));
  }
  void TearDown() override {
    if (!group_.empty()) rmdir(group_.c_str());
  }

  bool Set(const std::string& name, std::int64_t value) const {
    std::ofstream file(group_ + "/" + name);
    file << value << std::flush;
    return file.good();
  }
  // Runs `work` in a child that is in the group. "" is success.
  std::string InGroup(absl::FunctionRef<std::string()> work) const {
    return SaidByChild([&]() -> std::string {
      if (!Set("cgroup.procs", getpid())) return "could not enter the cgroup";
      return work();
    });
  }

  std::string group_;
};

TEST_F(LiveCgroup, IsTheTightestLimitOfAProcessInIt) {
  EXPECT_EQ(
      InGroup([&]() -> std::string {
        const TightestLimit tightest = MemoryLimits().Tightest();
        if (tightest.source != group_ + "/memory.limit_in_bytes" ||
            tightest.limit_bytes != kLimitBytes) {
          return tightest.source;
        }
        const auto refused = OpenSegment::Create(kLimitBytes, MemoryLimits());
        if (ReasonOf(refused.status()) != Reason::kOutOfMemory) {
          return "was not refused";
        }
        return std::string(
            OpenSegment::Create(100 * kMiB, MemoryLimits()).status().message());
      }),
      "");
}

TEST_F(LiveCgroup, EndsAFillWithAnErrorInsteadOfAKill) {
  const std::vector<std::byte> from(kLimitBytes + 100 * kMiB, std::byte{1});
  EXPECT_EQ(InGroup([&]() -> std::string {
              // Nobody looked when it was created: promised twice, say.
              auto segment = OpenSegment::Create(kLimitBytes + 100 * kMiB,
                                                 MemoryLimits("/no/such/root"));
              const absl::Status status =
                  CopyIntoSegment(*segment, 0, from, MemoryLimits());
              return ReasonOf(status) == Reason::kOutOfMemory
                         ? ""
                         : "not refused: " + status.ToString();
            }),
            "");
}

TEST_F(LiveCgroup, DoesNotCountThePageCacheThatFillsIt) {
  const TemporaryFolder folder;
  const std::string path =
      folder.Write("f", std::string(kLimitBytes + 50 * kMiB, 'x'));
  // Out of the cache, so that whoever reads it next is charged for it.
  {
    const FileSource file = *FileSource::Open(path);
    fsync(file.fd());
    posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  }
  EXPECT_EQ(InGroup([&]() -> std::string {
              std::ifstream file(path, std::ios::binary);
              std::vector<char> piece(kMiB);
              while (file.read(piece.data(), kMiB)) {
              }
              return std::string(
                  MemoryLimits().Reserve(kLimitBytes / 2, "reserve").message());
            }),
            "");
}

TEST_F(LiveCgroup, IsLargeEnoughForWindowsOfAFileThatIsLargerThanIt) {
  const TemporaryFolder folder;
  constexpr std::int64_t kFileBytes = kLimitBytes + 100 * kMiB;
  const FileSource file =
      *FileSource::Open(folder.Write("f", std::string(kFileBytes, '\1')));
  EXPECT_EQ(InGroup([&]() -> std::string {
              WindowReader reader(file, 0, kFileBytes);
              std::int64_t sum = 0;
              while (reader.bytes_left() > 0) {
                const auto window = reader.Next(16 * kMiB);
                if (!window.ok()) return window.status().ToString();
                for (const std::byte b : *window) sum += static_cast<int>(b);
              }
              return sum == kFileBytes ? ""
                                       : absl::StrCat("summed up to ", sum);
            }),
            "");
}

}  // namespace
}  // namespace hearth
