#include "hearth/shm/file_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <string>

#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/shm/limits_and_text.h"
#include "tests/unit/shm/temporary_folder.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::TemporaryFolder;
using ::hearth::testing::TextOf;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Sets the file's times, so that no test waits for a clock to tick.
void SetModified(const std::string& path, time_t seconds) {
  const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 0},
                             {.tv_sec = seconds, .tv_nsec = 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

class FileSourceTest : public ::testing::Test {
 protected:
  FileSourceTest() : path_(folder_.Write("data", "0123456789")) {
    SetModified(path_, 1'000'000);
  }

  FileSource Opened() {
    auto source = FileSource::Open(path_);
    EXPECT_THAT(source, IsOk());
    return *std::move(source);
  }
  // What Verify finds, or "" when it finds nothing.
  static std::string FindingOf(const FileSource& source) {
    const absl::Status status = source.Verify();
    EXPECT_TRUE(status.ok() || ReasonOf(status) == Reason::kFileChanged);
    return std::string(status.message());
  }
  absl::Status OpenStatus(const std::string& name) {
    return FileSource::Open(folder_.path() + "/" + name).status();
  }

  TemporaryFolder folder_;
  std::string path_;
};

TEST_F(FileSourceTest, FindsNothingWrongWithAFileThatNobodyTouched) {
  EXPECT_THAT(Opened().Verify(), IsOk());
}

TEST_F(FileSourceTest, NoticesATruncation) {
  const FileSource source = Opened();
  std::filesystem::resize_file(path_, 4);
  EXPECT_THAT(FindingOf(source),
              AllOf(HasSubstr(path_), HasSubstr("truncated from 10 to 4")));
}

TEST_F(FileSourceTest, NoticesThatItGrew) {
  const FileSource source = Opened();
  std::filesystem::resize_file(path_, 11);
  EXPECT_THAT(FindingOf(source), HasSubstr("grew from 10 to 11"));
}

TEST_F(FileSourceTest, NoticesThatItWasWrittenTo) {
  const FileSource source = Opened();
  SetModified(path_, 1'000'001);
  EXPECT_THAT(FindingOf(source), HasSubstr("it was written to since"));
}

TEST_F(FileSourceTest, NoticesAnotherFileInItsPlace) {
  const FileSource source = Opened();
  const std::string other = folder_.Write("other", "0123456789");
  SetModified(other, 1'000'000);
  std::filesystem::rename(other, path_);
  EXPECT_THAT(FindingOf(source), HasSubstr("another file took its place"));
}

TEST_F(FileSourceTest, NoticesThatItIsGone) {
  const FileSource source = Opened();
  std::filesystem::remove(path_);
  EXPECT_THAT(FindingOf(source), HasSubstr("it was removed or renamed"));
}

TEST_F(FileSourceTest, ComparesWithWhatWasPublishedElsewhere) {
  const FileSource source = Opened();
  FileIdentity published = source.identity();
  EXPECT_THAT(source.Verify(published), IsOk());
  published.bytes = 11;
  EXPECT_EQ(ReasonOf(source.Verify(published)), Reason::kFileChanged);
}

TEST_F(FileSourceTest, MakesARelativePathAbsolute) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  const auto source = FileSource::Open("data");
  std::filesystem::current_path(before);
  ASSERT_THAT(source, IsOk());
  EXPECT_THAT(source->Verify(), IsOk());
}

TEST_F(FileSourceTest, RefusesWhatIsNoRegularFileAtOnce) {
  ASSERT_EQ(mkfifo((folder_.path() + "/fifo").c_str(), 0600), 0);
  const absl::Status fifo = OpenStatus("fifo");
  EXPECT_EQ(ReasonOf(fifo), Reason::kBadFile);
  EXPECT_THAT(std::string(fifo.message()), HasSubstr("it is a pipe"));
  EXPECT_THAT(std::string(OpenStatus("").message()), HasSubstr("a directory"));
  EXPECT_THAT(std::string(FileSource::Open("/dev/zero").status().message()),
              HasSubstr("a device"));
}

TEST_F(FileSourceTest, SaysThatThereIsNoSuchFile) {
  EXPECT_EQ(ReasonOf(OpenStatus("none")), Reason::kFileMissing);
  EXPECT_EQ(ReasonOf(OpenStatus("data/none")), Reason::kFileMissing);
}

TEST_F(FileSourceTest, RefusesADescriptorThatCantBeRead) {
  UniqueFd fd(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(ReasonOf(FileSource::Adopt(std::move(fd), path_).status()),
            Reason::kBadFile);
}

TEST_F(FileSourceTest, TakesADescriptorThatAPeerOpened) {
  UniqueFd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  const auto source = FileSource::Adopt(std::move(fd), path_);
  ASSERT_THAT(source, IsOk());
  EXPECT_THAT(source->Verify(), IsOk());
}

TEST_F(FileSourceTest, MapsAnyOffset) {
  std::string text(3 * 4096 + 5, '.');
  text.replace(4099, 3, "abc");
  folder_.Write("data", text);
  const FileSource source = Opened();
  for (const std::int64_t offset : {0, 1, 4095, 4096, 4099, 12292}) {
    const auto mapping = source.MapRange(offset, 1);
    ASSERT_THAT(mapping, IsOk());
    EXPECT_EQ(TextOf(mapping->bytes()),
              text.substr(static_cast<std::size_t>(offset), 1));
  }
  EXPECT_EQ(TextOf(source.MapRange(4098, 5)->bytes()), ".abc.");
  EXPECT_EQ(TextOf(source.MapWhole()->bytes()), text);
}

TEST_F(FileSourceTest, MapsNoBytesAsNothing) {
  EXPECT_TRUE(Opened().MapRange(10, 0)->bytes().empty());
  folder_.Write("data", "");
  EXPECT_TRUE(Opened().MapWhole()->bytes().empty());
}

TEST_F(FileSourceTest, RefusesARangeThatIsNotInTheFile) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const FileSource source = Opened();
  EXPECT_EQ(ReasonOf(source.MapRange(0, 11).status()), Reason::kBadFile);
  EXPECT_EQ(ReasonOf(source.MapRange(11, 0).status()), Reason::kBadFile);
  EXPECT_EQ(ReasonOf(source.MapRange(-1, 1).status()), Reason::kBadFile);
  EXPECT_EQ(ReasonOf(source.MapRange(1, kMost).status()), Reason::kBadFile);
  EXPECT_EQ(ReasonOf(source.MapRange(kMost, kMost).status()), Reason::kBadFile);
}

}  // namespace
}  // namespace hearth
