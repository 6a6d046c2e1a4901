#include "client/cli/output/output_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"

namespace hearth::client {
namespace {

using ::hearth::testing::IsOk;
using ::testing::HasSubstr;

class OutputFileTest : public ::testing::Test {
 protected:
  OutputFileTest() {
    std::string path = std::filesystem::temp_directory_path() / "hearth-XXXXXX";
    directory_ = mkdtemp(path.data());
  }
  ~OutputFileTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ / name; }
  std::size_t FileCount() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory_), {}));
  }
  static std::string Content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  absl::Status Write(const std::string& path, absl::string_view text) {
    auto file = OutputFile::Create(path, 1 << 20);
    if (!file.ok()) return file.status();
    if (absl::Status status = file->Append(text); !status.ok()) return status;
    return file->Commit();
  }

  std::filesystem::path directory_;
};

TEST_F(OutputFileTest, AppearsOnlyOnceItIsCommitted) {
  auto file = OutputFile::Create(Path("a.npy"), 0);
  ASSERT_THAT(file, IsOk());
  ASSERT_THAT(file->Append("half"), IsOk());
  EXPECT_FALSE(std::filesystem::exists(Path("a.npy")));
  ASSERT_THAT(file->Append(" and half"), IsOk());
  ASSERT_THAT(file->Commit(), IsOk());
  EXPECT_EQ(Content(Path("a.npy")), "half and half");
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(OutputFileTest, LeavesNothingWhenItIsGivenUp) {
  {
    auto file = OutputFile::Create(Path("a.npy"), 0);
    ASSERT_THAT(file, IsOk());
    ASSERT_THAT(file->Append("half"), IsOk());
  }
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(OutputFileTest, LeavesNothingWhenItsProcessIsKilled) {
  const pid_t child = fork();
  if (child == 0) {
    auto file = OutputFile::Create(Path("a.npy"), 0);
    if (file.ok() && file->Append("half").ok()) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(OutputFileTest, ReplacesAFileInOneStep) {
  ASSERT_THAT(Write(Path("a.npy"), "old"), IsOk());
  std::ifstream reader(Path("a.npy"));
  ASSERT_THAT(Write(Path("a.npy"), "new"), IsOk());
  EXPECT_EQ(Content(Path("a.npy")), "new");
  EXPECT_EQ((std::string{std::istreambuf_iterator<char>(reader), {}}), "old");
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(OutputFileTest, WritesThroughASymbolicLink) {
  ASSERT_THAT(Write(Path("real.npy"), "old"), IsOk());
  std::filesystem::create_symlink("real.npy", Path("link.npy"));
  ASSERT_THAT(Write(Path("link.npy"), "new"), IsOk());
  EXPECT_TRUE(std::filesystem::is_symlink(Path("link.npy")));
  EXPECT_EQ(Content(Path("real.npy")), "new");
}

TEST_F(OutputFileTest, GivesBackTheRoomItDidNotNeed) {
  ASSERT_THAT(Write(Path("a.npy"), "short"), IsOk());
  struct stat found {};
  ASSERT_EQ(stat(Path("a.npy").c_str(), &found), 0);
  EXPECT_EQ(found.st_size, 5);
  EXPECT_LT(found.st_blocks * 512, 1 << 20);
}

TEST_F(OutputFileTest, IsReadableAsTheUmaskSays) {
  ASSERT_THAT(Write(Path("a.npy"), "x"), IsOk());
  const mode_t mask = umask(0);
  umask(mask);
  struct stat found {};
  ASSERT_EQ(stat(Path("a.npy").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0666 & ~mask);
}

TEST_F(OutputFileTest, NamesTheDirectoryThatIsMissing) {
  const absl::Status status = Write(Path("none/a.npy"), "x");
  EXPECT_EQ(ReasonOf(status), Reason::kFileMissing);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("there is no directory \"" + Path("none") + "\""));
}

TEST_F(OutputFileTest, RefusesWhatIsNoRegularFile) {
  EXPECT_EQ(ReasonOf(Write(directory_, "x")), Reason::kNotAllowed);
  EXPECT_EQ(ReasonOf(Write("/dev/null", "x")), Reason::kNotAllowed);
  EXPECT_EQ(ReasonOf(Write("", "x")), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(Write(Path("none") + "/", "x")), Reason::kBadUsage);
}

TEST_F(OutputFileTest, SaysBeforeTheWorkThatThereIsNoRoom) {
  const absl::Status status =
      OutputFile::Create(Path("a.npy"), std::int64_t{1} << 62).status();
  EXPECT_EQ(ReasonOf(status), Reason::kOutOfDisk);
  EXPECT_THAT(std::string(status.message()), HasSubstr("4.0 EiB"));
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(OutputFileTest, LeavesNothingWhenTheRoomRunsOut) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 4096, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  absl::Status status;
  {
    auto file = OutputFile::Create(Path("a.npy"), 0);
    ASSERT_THAT(file, IsOk());
    status = file->Append(std::string(8192, 'x'));
  }
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(ReasonOf(status), Reason::kOutOfDisk);
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(OutputFileTest, SaysWhatIsNotPermitted) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  std::filesystem::permissions(
      directory_,
      std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const absl::Status status = Write(Path("a.npy"), "x");
  std::filesystem::permissions(directory_, std::filesystem::perms::owner_all);
  EXPECT_EQ(ReasonOf(status), Reason::kNotAllowed);
}

}  // namespace
}  // namespace hearth::client
