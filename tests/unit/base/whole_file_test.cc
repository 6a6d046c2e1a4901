#include "hearth/base/whole_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "hearth/base/unique_fd.h"

namespace {
std::atomic<int> folders_synced = 0;
}  // namespace

// In place of the C library's, for all of this program.
extern "C" int fsync(int fd) {
  struct stat about {};
  if (fstat(fd, &about) == 0 && S_ISDIR(about.st_mode)) ++folders_synced;
  return static_cast<int>(syscall(SYS_fsync, fd));
}

namespace hearth {
namespace {

class WholeFileTest : public ::testing::Test {
 protected:
  ~WholeFileTest() override { std::filesystem::remove_all(folder_); }

  static std::string NewFolder() {
    std::string name = ::testing::TempDir() + "/hearth files XXXXXX";
    return mkdtemp(name.data());
  }

  static std::string TextOf(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::string folder_ = NewFolder();
  const std::string path_ = folder_ + "/file";
  const std::string part_ = path_ + ".part";
};

TEST_F(WholeFileTest, WritesAndReplacesOnlyWhenTold) {
  ASSERT_FALSE(WriteWholeFile(path_, "one", 0600, false));
  EXPECT_EQ(WriteWholeFile(path_, "two", 0600, false), std::errc::file_exists);
  EXPECT_EQ(TextOf(path_), "one");
  ASSERT_FALSE(WriteWholeFile(path_, "three", 0640, true));
  EXPECT_EQ(TextOf(path_), "three");
  struct stat about {};
  ASSERT_EQ(stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0640U);
  EXPECT_FALSE(std::filesystem::exists(part_));
}

// A machine that lost its power had the bytes, and no name for them.
TEST_F(WholeFileTest, IsOnTheDiskByItsName) {
  const int before = folders_synced;
  ASSERT_FALSE(WriteWholeFile(path_, "one", 0600, false));
  EXPECT_EQ(folders_synced, before + 1);
}

TEST_F(WholeFileTest, SaysWhatTheSystemSays) {
  EXPECT_EQ(WriteWholeFile(folder_ + "/none/file", "", 0600, true),
            std::errc::no_such_file_or_directory);
  std::filesystem::create_symlink(path_, part_);
  EXPECT_EQ(WriteWholeFile(path_, "", 0600, true),
            std::errc::too_many_symbolic_link_levels);
  std::filesystem::remove(part_);
  ASSERT_EQ(mkfifo(part_.c_str(), 0600), 0);
  EXPECT_EQ(WriteWholeFile(path_, "", 0600, true),
            std::errc::operation_not_permitted);
}

TEST_F(WholeFileTest, BeginsAnewWhereAKilledWriterStopped) {
  std::ofstream(part_) << "a longer text than what comes";
  ASSERT_FALSE(WriteWholeFile(path_, "short", 0600, false));
  EXPECT_EQ(TextOf(path_), "short");
  EXPECT_FALSE(std::filesystem::exists(part_));
}

// The lock is what tells a writer from what one left: it ends with the process.
TEST_F(WholeFileTest, SweepsOnlyWhatNobodyWrites) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t writer = fork();
  if (writer == 0) {
    const int fd = open(part_.c_str(), O_RDWR | O_CREAT, 0600);
    if (flock(fd, LOCK_EX) != 0 || write(ready[1], "x", 1) != 1) _exit(1);
    pause();
  }
  close(ready[1]);
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  SweepPart(path_);
  EXPECT_TRUE(std::filesystem::exists(part_));
  ASSERT_EQ(kill(writer, SIGKILL), 0);
  ASSERT_EQ(waitpid(writer, nullptr, 0), writer);
  SweepPart(path_);
  EXPECT_FALSE(std::filesystem::exists(part_));
  SweepPart(path_);  // nothing is there
}

TEST_F(WholeFileTest, IsWholeWhoeverWritesAndSweepsBeside) {
  constexpr int kWriters = 3;
  constexpr int kRounds = 100;
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::thread sweeper([&] {
    while (!done) SweepPart(path_);
  });
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, text = std::string(10'000, char('a' + i))] {
      for (int round = 0; round < kRounds; ++round) {
        if (WriteWholeFile(path_, text, 0600, true)) ++wrong;
        const std::string read = TextOf(path_);
        if (read != std::string(10'000, read.front())) ++wrong;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  sweeper.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_FALSE(std::filesystem::exists(part_));
}

}  // namespace
}  // namespace hearth
