#include "hearth/shm/window_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/shm/process_memory.h"
#include "hearth/shm/sigbus_guard.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/shm/limits_and_text.h"
#include "tests/unit/shm/temporary_folder.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::TemporaryFolder;
using ::hearth::testing::TextOf;
using limits::kMiB;
using ::testing::HasSubstr;

constexpr std::int64_t kGiB = 1 << 30;

std::string Patterned(std::int64_t bytes) {
  std::string text(static_cast<std::size_t>(bytes), '\0');
  std::uint64_t state = 1;
  for (char& c : text) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>(state >> 56);
  }
  return text;
}

// Pages of the file that the page cache holds.
std::int64_t CachedPages(const FileSource& file) {
  const Mapping mapping = *file.MapWhole();
  std::vector<unsigned char> resident(mapping.pages().size() / 4096);
  EXPECT_EQ(
      mincore(mapping.pages().data(), mapping.pages().size(), resident.data()),
      0);
  return std::count_if(resident.begin(), resident.end(),
                       [](unsigned char page) { return (page & 1) != 0; });
}

class WindowReaderTest : public ::testing::Test {
 protected:
  FileSource NewFile(const std::string& text) {
    const std::string path = folder_.Write("data", text);
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    // The cache can only be dropped of what is on the disk.
    fsync(fd.get());
    return *FileSource::Open(path);
  }
  FileSource NewSparseFile(std::int64_t bytes) {
    const std::string path = folder_.Write("sparse", "");
    std::filesystem::resize_file(path, static_cast<std::uintmax_t>(bytes));
    return *FileSource::Open(path);
  }

  TemporaryFolder folder_;
};

// Both ways of access keep the same promises.
class EveryWindowReaderTest
    : public WindowReaderTest,
      public ::testing::WithParamInterface<WindowAccess> {};

INSTANTIATE_TEST_SUITE_P(Access, EveryWindowReaderTest,
                         ::testing::Values(WindowAccess::kMapped,
                                           WindowAccess::kCopied),
                         [](const auto& access) {
                           return access.param == WindowAccess::kMapped
                                      ? "Mapped"
                                      : "Copied";
                         });

TEST_P(EveryWindowReaderTest, GivesTheWholeRangeInOrderInPiecesOfAnySize) {
  const std::string text = Patterned(3 * kMiB + 12345);
  const FileSource file = NewFile(text);
  for (const std::int64_t piece : {4096L, 100'001L, kMiB, 4 * kMiB}) {
    constexpr std::int64_t kFrom = 777;
    const std::int64_t bytes = static_cast<std::int64_t>(text.size()) - 1000;
    WindowReader reader(file, kFrom, bytes, GetParam());
    std::string read;
    while (reader.bytes_left() > 0) {
      const auto window = reader.Next(piece);
      ASSERT_THAT(window, IsOk());
      read += TextOf(*window);
    }
    EXPECT_EQ(read == text.substr(kFrom, static_cast<std::size_t>(bytes)),
              true);
    EXPECT_TRUE(reader.Next(1)->empty());
  }
}

TEST_P(EveryWindowReaderTest, ReadsAnEmptyRangeAsNothing) {
  const FileSource file = NewFile("");
  WindowReader reader(file, 0, 0, GetParam());
  EXPECT_EQ(reader.bytes_left(), 0);
  EXPECT_TRUE(reader.Next(4096)->empty());
}

TEST_P(EveryWindowReaderTest, SeesDataBetweenHoles) {
  const FileSource file = NewSparseFile(64 * kMiB);
  const std::string path = file.path();
  const UniqueFd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(pwrite(writer.get(), "island", 6, 20 * kMiB + 7), 6);
  WindowReader reader(file, 0, 64 * kMiB, GetParam());
  std::int64_t at = 0;
  while (reader.bytes_left() > 0) {
    const auto window = reader.Next(3 * kMiB);
    ASSERT_THAT(window, IsOk());
    for (std::size_t i = 0; i < window->size(); ++i) {
      const std::int64_t place =
          at + static_cast<std::int64_t>(i) - (20 * kMiB + 7);
      const char expected = place >= 0 && place < 6 ? "island"[place] : '\0';
      ASSERT_EQ(static_cast<char>((*window)[i]), expected) << place;
    }
    at += static_cast<std::int64_t>(window->size());
  }
  EXPECT_EQ(at, 64 * kMiB);
}

TEST_P(EveryWindowReaderTest, WalksATerabyteOfHolesWithoutMemory) {
  constexpr std::int64_t kBytes = 1024 * kGiB;
  const FileSource file = NewSparseFile(kBytes);
  const std::int64_t own_before = MemoryOf(getpid())->own_bytes;
  WindowReader reader(file, 0, kBytes, GetParam());
  unsigned sum = 0;
  while (reader.bytes_left() > 0) {
    const auto window = reader.Next(16 * kMiB);
    ASSERT_THAT(window, IsOk());
    sum += static_cast<unsigned>(window->front()) +
           static_cast<unsigned>(window->back());
  }
  EXPECT_EQ(sum, 0u);
  EXPECT_LT(MemoryOf(getpid())->own_bytes - own_before, 32 * kMiB);
}

TEST_P(EveryWindowReaderTest, MakesATruncatedFileAnErrorOfTheNextWindow) {
  constexpr std::int64_t kBytes = 2 * limits::kWindowBytes;
  const FileSource file = NewFile(Patterned(kBytes));
  WindowReader reader(file, 0, kBytes, GetParam());
  ASSERT_THAT(reader.Next(limits::kWindowBytes), IsOk());
  std::filesystem::resize_file(file.path(), limits::kWindowBytes + 6000);
  const auto refused = reader.Next(limits::kWindowBytes);
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kFileChanged);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("it was truncated"));
  EXPECT_EQ(reader.bytes_left(), limits::kWindowBytes);
}

TEST_F(WindowReaderTest, MakesATruncationWithinTheWindowAnErrorOfTheWork) {
  const FileSource file = NewFile(Patterned(kMiB));
  WindowReader reader(file, 0, kMiB, WindowAccess::kMapped);
  const auto block = reader.Next(kMiB);
  ASSERT_THAT(block, IsOk());
  std::filesystem::resize_file(file.path(), 6000);
  const absl::Status status = RunGuarded(reader.window(), file.path(), [&] {
    volatile std::byte last = block->back();
    (void)last;
    return absl::OkStatus();
  });
  EXPECT_EQ(ReasonOf(status), Reason::kFileChanged);
}

TEST_P(EveryWindowReaderTest, MakesATruncatedSparseFileAnErrorToo) {
  const FileSource file = NewSparseFile(kGiB);
  WindowReader reader(file, 0, kGiB, GetParam());
  ASSERT_THAT(reader.Next(kMiB), IsOk());
  std::filesystem::resize_file(file.path(), kMiB + 5);
  EXPECT_EQ(ReasonOf(reader.Next(kMiB).status()), Reason::kFileChanged);
}

TEST_P(EveryWindowReaderTest, LeavesThePageCacheAsItWas) {
  const FileSource file = NewFile(Patterned(96 * kMiB));
  struct statfs where {};
  ASSERT_EQ(statfs(file.path().c_str(), &where), 0);
  if (where.f_type == TMPFS_MAGIC) {
    GTEST_SKIP() << "the temporary directory is a tmpfs: there a file is its "
                    "page cache; set TMPDIR to a disk";
  }
  std::int64_t cached_most = 0;
  {
    WindowReader reader(file, 0, 96 * kMiB, GetParam());
    while (reader.bytes_left() > 0) {
      ASSERT_THAT(reader.Next(kMiB + 321), IsOk());
      if (reader.bytes_left() < 40 * kMiB) {
        cached_most = std::max(cached_most, CachedPages(file));
      }
    }
  }
  // A window and the kernel's read-ahead, never all of it.
  EXPECT_LT(cached_most, 60 * kMiB / 4096);
  // The kernel may keep what it was just busy with.
  EXPECT_LT(CachedPages(file), 4 * kMiB / 4096);
}

TEST(ChooseAccess, CopiesWhereTheKernelReadsLittleAhead) {
  EXPECT_EQ(ChooseAccess(0), WindowAccess::kCopied);
  EXPECT_EQ(ChooseAccess(128 * limits::kKiB), WindowAccess::kCopied);
  EXPECT_EQ(ChooseAccess(8 * kMiB), WindowAccess::kMapped);
}

TEST(ChooseReading, KeepsTheCacheOfAFileUnderHalfOfTheFreeMemory) {
  EXPECT_EQ(ChooseReading(10 * kGiB - 1, 20 * kGiB), FileReading::kMappedWhole);
  EXPECT_EQ(ChooseReading(10 * kGiB, 20 * kGiB), FileReading::kByWindows);
  EXPECT_EQ(ChooseReading(60 * kGiB, 20 * kGiB), FileReading::kByWindows);
  EXPECT_EQ(ChooseReading(1, 0), FileReading::kByWindows);
}

}  // namespace
}  // namespace hearth
