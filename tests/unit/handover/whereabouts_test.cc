#include "hearth/transport/handover/whereabouts.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "hearth/base/unique_fd.h"

namespace hearth {
namespace {

using ::testing::Eq;
using ::testing::Optional;

constexpr std::uint64_t kBytes = 4096;

UniqueFd Memory(bool sealed) {
  UniqueFd fd(memfd_create("whereabouts", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(fd.get(), kBytes), 0);
  EXPECT_EQ(pwrite(fd.get(), "hearth", 6, 0), 6);
  if (sealed) {
    EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS,
                    F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
              0);
  }
  return fd;
}

int AccessOf(int fd) { return fcntl(fd, F_GETFL) & O_ACCMODE; }

TEST(Whereabouts, LeadToTheSameBytes) {
  const UniqueFd fd = Memory(/*sealed=*/true);
  const auto where = Whereabouts::Of(fd.get(), {.note = "a note"});
  ASSERT_TRUE(where.has_value());
  EXPECT_THAT(Whereabouts::Parse(where->ToString()), Optional(Eq(*where)));
  const auto opened = OpenWhere(*where, kBytes);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->card, (SegmentCard{.kind = SegmentKind::kSealed,
                                       .bytes = kBytes,
                                       .note = "a note"}));
  EXPECT_NE(opened->fd.get(), fd.get());
  EXPECT_EQ(AccessOf(opened->fd.get()), O_RDONLY);
  char read[6];
  EXPECT_EQ(pread(opened->fd.get(), read, 6, 0), 6);
  EXPECT_EQ(std::string(read, 6), "hearth");
}

TEST(Whereabouts, OfAnOpenSegmentLeadToOneThatCanBeFilled) {
  const UniqueFd fd = Memory(/*sealed=*/false);
  const auto opened = OpenWhere(*Whereabouts::Of(fd.get(), {}), kBytes);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->card.kind, SegmentKind::kOpen);
  EXPECT_EQ(AccessOf(opened->fd.get()), O_RDWR);
}

TEST(Whereabouts, LeadNowhereOnceSomethingElseLiesThere) {
  UniqueFd fd = Memory(/*sealed=*/true);
  const auto where = Whereabouts::Of(fd.get(), {});
  EXPECT_FALSE(OpenWhere(*where, kBytes + 1).has_value());
  Whereabouts other = *where;
  ++other.inode;
  EXPECT_FALSE(OpenWhere(other, kBytes).has_value());
  const UniqueFd another = Memory(/*sealed=*/true);
  ASSERT_EQ(dup2(another.get(), fd.get()), fd.get());
  EXPECT_FALSE(OpenWhere(*where, kBytes).has_value());
  const int number = fd.get();
  fd.Reset();
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
  EXPECT_FALSE(OpenWhere(*where, kBytes).has_value());
}

TEST(Whereabouts, AreNotToldOfFiles) {
  std::string name = "/dev/shm/hearth-whereabouts-XXXXXX";  // it has seals
  const UniqueFd file(mkstemp(name.data()));
  unlink(name.c_str());
  EXPECT_FALSE(Whereabouts::Of(file.get(), {.kind = SegmentKind::kFile}));
}

// To open a pipe without a writer would wait for one; to open a file of the
// right size would believe it.
TEST(Whereabouts, OpenNothingButMemory) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const UniqueFd reader(pipe_ends[0]), writer(pipe_ends[1]);
  struct stat found {};
  ASSERT_EQ(fstat(reader.get(), &found), 0);
  EXPECT_FALSE(
      OpenWhere({getpid(), reader.get(), found.st_ino, ""}, 0).has_value());

  std::string name = "/tmp/hearth-whereabouts-XXXXXX";
  const UniqueFd file(mkstemp(name.data()));
  unlink(name.c_str());
  ASSERT_EQ(ftruncate(file.get(), kBytes), 0);
  ASSERT_EQ(fstat(file.get(), &found), 0);
  EXPECT_FALSE(Whereabouts::Of(file.get(), {}).has_value());
  EXPECT_FALSE(
      OpenWhere({getpid(), file.get(), found.st_ino, ""}, kBytes).has_value());
}

}  // namespace
}  // namespace hearth
