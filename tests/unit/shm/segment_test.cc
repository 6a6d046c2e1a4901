#include "hearth/shm/segment.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/shm/process_memory.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/shm/child.h"
#include "tests/unit/shm/limits_and_text.h"
#include "tests/unit/shm/temporary_folder.h"

namespace hearth {
namespace {

using ::hearth::testing::Child;
using ::hearth::testing::HasCode;
using ::hearth::testing::IsOk;
using ::hearth::testing::kLimits;
using ::hearth::testing::TemporaryFolder;
using ::hearth::testing::TextOf;
using limits::kMiB;
using ::testing::HasSubstr;

OpenSegment Created(std::int64_t bytes) {
  auto segment = OpenSegment::Create(bytes, kLimits);
  EXPECT_THAT(segment, IsOk());
  return *std::move(segment);
}

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

UniqueFd DuplicateOf(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

TEST(Segment, HoldsWhatWasWrittenThroughItsViewBeforeTheSeal) {
  OpenSegment open = Created(3 * kMiB + 17);
  auto view = open.Map();
  ASSERT_THAT(view, IsOk());
  ASSERT_EQ(view->size(), 3 * kMiB + 17);
  view->back() = std::byte{42};
  auto sealed = open.Seal();
  ASSERT_THAT(sealed, IsOk());
  EXPECT_EQ(sealed->bytes().size(), 3 * kMiB + 17);
  EXPECT_EQ(sealed->bytes().back(), std::byte{42});
  EXPECT_EQ(sealed->bytes().front(), std::byte{0});
}

TEST(Segment, KeepsTheAddressOfItsViewWhenSealed) {
  OpenSegment open = Created(kMiB);
  auto view = open.Map();
  ASSERT_THAT(view, IsOk());
  std::memcpy(view->data(), "hearth", 6);
  auto sealed = open.Seal();
  ASSERT_THAT(sealed, IsOk());
  EXPECT_EQ(sealed->bytes().data(), view->data());
  EXPECT_EQ(TextOf(sealed->bytes().first(6)), "hearth");
}

// A thread that was sending an open segment's descriptor sent another segment's
// bytes: sealing closed the number, which the next segment got.
TEST(Segment, KeepsTheNumberOfItsDescriptorWhenSealed) {
  OpenSegment open = Created(kMiB);
  const int number = open.fd();
  struct stat before {
  }, after{};
  ASSERT_EQ(fstat(number, &before), 0);
  auto sealed = open.Seal();
  ASSERT_THAT(sealed, IsOk());
  EXPECT_EQ(sealed->fd(), number);
  ASSERT_EQ(fstat(number, &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(fcntl(number, F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_NE(fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Segment, LetsALateWriterWriteToItselfIfAskedTo) {
  OpenSegment open = *OpenSegment::Create(4096, MemoryLimits());
  const std::span<std::byte> view = *open.Map();
  view[0] = std::byte{1};
  const SealedSegment sealed = *open.Seal({.own_view = MapAccess::kPrivate});
  view[0] = std::byte{2};
  EXPECT_EQ(view[0], std::byte{2});
  const SealedSegment another = *sealed.Duplicate();
  EXPECT_EQ(another.bytes()[0], std::byte{1});
}

TEST(SegmentDeathTest, KillsAWriterThatComesAfterTheSeal) {
  OpenSegment open = Created(kMiB);
  auto view = open.Map();
  auto sealed = open.Seal();
  ASSERT_THAT(sealed, IsOk());
  EXPECT_DEATH(view->front() = std::byte{1}, "");
}

TEST(Segment, MapsWritableOnlyOnce) {
  OpenSegment open = Created(kMiB);
  EXPECT_EQ(open.Map()->data(), open.Map()->data());
}

TEST(Segment, MayHaveNoBytesAtAll) {
  OpenSegment open = Created(0);
  EXPECT_TRUE(open.Map()->empty());
  auto sealed = open.Seal();
  ASSERT_THAT(sealed, IsOk());
  EXPECT_TRUE(sealed->bytes().empty());
  EXPECT_THAT(SealedSegment::Adopt(DuplicateOf(sealed->fd()), 0), IsOk());
}

TEST(Segment, RefusesANegativeSize) {
  EXPECT_EQ(ReasonOf(OpenSegment::Create(-1, kLimits).status()),
            Reason::kBadUsage);
}

TEST(Segment, RefusesBeforeTheFirstTouchWhatNoHostHas) {
  const auto refused = OpenSegment::Create(std::int64_t{1} << 60, kLimits);
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kOutOfMemory);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("create a segment: needs 1073741824.00 GiB"));
}

TEST(Segment, TakesWritesWithoutAMappingWhichNeverBlockTheSeal) {
  OpenSegment open = Created(kMiB);
  EXPECT_THAT(open.WriteAt(5, BytesOf("by hand")), IsOk());
  auto sealed = open.Seal();
  ASSERT_THAT(sealed, IsOk());
  EXPECT_EQ(TextOf(sealed->bytes().subspan(5, 7)), "by hand");
}

TEST(Segment, RefusesAWriteBeyondItsEnd) {
  OpenSegment open = Created(10);
  EXPECT_EQ(ReasonOf(open.WriteAt(4, BytesOf("1234567"))), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(open.WriteAt(-1, BytesOf("1"))), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(open.WriteAt(std::numeric_limits<std::int64_t>::max(),
                                  BytesOf("1"))),
            Reason::kBadUsage);
  EXPECT_THAT(open.WriteAt(3, BytesOf("1234567")), IsOk());
}

TEST(Segment, RefusesALateWriterWhoKeptADescriptor) {
  OpenSegment open = Created(kMiB);
  auto late = OpenSegment::Adopt(DuplicateOf(open.fd()), kMiB);
  ASSERT_THAT(late, IsOk());
  ASSERT_THAT(open.Seal(), IsOk());
  const absl::Status refused = late->WriteAt(0, BytesOf("x"));
  EXPECT_EQ(ReasonOf(refused), Reason::kNotAllowed);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("it is sealed"));
  EXPECT_FALSE(late->Map().ok());
}

TEST(Segment, FillsFromSeveralHoldersAtOnce) {
  OpenSegment open = Created(2 * kMiB);
  Child writer([&] {
    auto part = open.MapRange(kMiB + 1, 3);
    std::memcpy(part->writable_bytes().data(), "abc", 3);
    *part = Mapping();
  });
  EXPECT_THAT(open.WriteAt(kMiB, BytesOf("_")), IsOk());
  auto sealed = open.Seal();
  ASSERT_THAT(sealed, IsOk());
  EXPECT_EQ(TextOf(sealed->bytes().subspan(kMiB, 5)), std::string("_abc\0", 5));
}

TEST(Segment, RefusesTheSealWhileAForkedChildMapsItAndNamesTheChild) {
  OpenSegment open = Created(kMiB);
  ASSERT_THAT(open.Map(), IsOk());
  Child child([] {});  // it inherits the mapping
  const auto refused = open.Seal();
  ASSERT_EQ(ReasonOf(refused.status()), Reason::kSegmentBusy);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr(absl::StrCat("process ", child.pid(), ";")));

  // Nothing changed: the view is writable again, and a later seal succeeds.
  (*open.Map())[7] = std::byte{7};
  child.Kill();
  auto sealed = open.Seal();
  ASSERT_THAT(sealed, IsOk());
  EXPECT_EQ(sealed->bytes()[7], std::byte{7});
}

// The view was this process's own for as long as the search for the others
// took, 17 ms and more, and all that was written then was lost.
TEST(Segment, KeepsWhatIsWrittenWhileItLooksForWhomToName) {
  constexpr int kPages = 1024;
  OpenSegment open = Created(kPages * 4096);
  const std::span<std::byte> view = *open.Map();
  Child child([] {});
  std::atomic<bool> refused = false;
  int written = 0;
  std::thread writer([&] {
    while (!refused && written < kPages) {
      view[static_cast<std::size_t>(written++) * 4096] = std::byte{1};
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ReasonOf(open.Seal({.own_view = MapAccess::kPrivate}).status()),
              Reason::kSegmentBusy);
  }
  refused = true;
  writer.join();
  int kept = 0;
  for (int i = 0; i < written; ++i) {
    kept += view[static_cast<std::size_t>(i) * 4096] == std::byte{1} ? 1 : 0;
  }
  EXPECT_GT(kept, written / 2) << "of " << written;
}

TEST(Segment, NamesAChildThatOnlyMadeItsMappingReadOnly) {
  OpenSegment open = Created(kMiB);
  const auto view = *open.Map();
  Child child([&] { mprotect(view.data(), view.size(), PROT_READ); });
  const auto refused = open.Seal();
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr(absl::StrCat("process ", child.pid(), ";")));
}

TEST(Segment, NamesThisProcessForARangeItForgot) {
  OpenSegment open = Created(kMiB);
  auto part = open.MapRange(4096, 100);
  ASSERT_THAT(part, IsOk());
  EXPECT_THAT(std::string(open.Seal().status().message()),
              HasSubstr(absl::StrCat(getpid(), " (this process)")));
}

TEST(Segment, LetsReadersMapItWhileItIsOpen) {
  OpenSegment open = Created(kMiB);
  const std::string path = absl::StrCat("/proc/self/fd/", open.fd());
  const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto view = Mapping::Of(reader.get(), 0, kMiB, MapAccess::kRead, "it");
  ASSERT_THAT(view, IsOk());
  EXPECT_THAT(open.WriteAt(0, BytesOf("seen")), IsOk());
  EXPECT_EQ(TextOf(view->bytes().first(4)), "seen");
  EXPECT_THAT(open.Seal(), IsOk());
}

TEST(Segment, CantBeResizedOnceItIsSealed) {
  OpenSegment open = Created(kMiB);
  const UniqueFd kept = DuplicateOf(open.fd());
  ASSERT_THAT(open.Seal(), IsOk());
  EXPECT_EQ(ftruncate(kept.get(), 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(kept.get(), 2 * kMiB), -1);
}

TEST(Segment, NoticesThatAnotherHolderResizedItBeforeTheSeal) {
  OpenSegment open = Created(kMiB);
  ASSERT_EQ(ftruncate(open.fd(), 4096), 0);
  EXPECT_EQ(ReasonOf(open.Seal().status()), Reason::kBadUsage);
}

TEST(SealedSegment, LivesOnInItsDuplicate) {
  auto first = SealedSegment::CopyOf(BytesOf("twice"), kLimits);
  ASSERT_THAT(first, IsOk());
  auto second = first->Duplicate();
  ASSERT_THAT(second, IsOk());
  EXPECT_NE(second->bytes().data(), first->bytes().data());
  first = absl::NotFoundError("let go");
  EXPECT_EQ(TextOf(second->bytes()), "twice");
}

TEST(SealedSegment, IsOpenedForReadingOnly) {
  auto segment = SealedSegment::CopyOf(BytesOf("x"), kLimits);
  ASSERT_THAT(segment, IsOk());
  EXPECT_EQ(fcntl(segment->fd(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_NE(fcntl(segment->fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(SealedSegment, IsAdoptedThroughADescriptorThatWasOpenForWriting) {
  OpenSegment open = Created(4);
  const UniqueFd writable = DuplicateOf(open.fd());
  ASSERT_THAT(open.WriteAt(0, BytesOf("peer")), IsOk());
  ASSERT_THAT(open.Seal(), IsOk());
  auto adopted = SealedSegment::Adopt(DuplicateOf(writable.get()), 4);
  ASSERT_THAT(adopted, IsOk());
  EXPECT_EQ(TextOf(adopted->bytes()), "peer");
  EXPECT_EQ(fcntl(adopted->fd(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST(SealedSegment, RefusesAPeersDescriptorThatIsNotSealed) {
  OpenSegment open = Created(8);
  const auto refused = SealedSegment::Adopt(DuplicateOf(open.fd()), 8);
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kBadUsage);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("not sealed against writing shrinking growing"));
}

TEST(SealedSegment, RefusesAPeersSealThatLeavesOldWritersTheirMapping) {
  OpenSegment open = Created(8);
  constexpr int kFutureWrite = 0x0010;  // F_SEAL_FUTURE_WRITE
  ASSERT_EQ(
      fcntl(open.fd(), F_ADD_SEALS, kFutureWrite | F_SEAL_SHRINK | F_SEAL_GROW),
      0);
  EXPECT_THAT(
      std::string(
          SealedSegment::Adopt(DuplicateOf(open.fd()), 8).status().message()),
      HasSubstr("not sealed against writing;"));
}

TEST(SealedSegment, RefusesAPeersDescriptorOfAnotherSize) {
  auto segment = SealedSegment::CopyOf(BytesOf("12345678"), kLimits);
  EXPECT_THAT(std::string(SealedSegment::Adopt(DuplicateOf(segment->fd()), 9)
                              .status()
                              .message()),
              HasSubstr("it has 8 bytes where 9 were announced"));
}

TEST(SealedSegment, RefusesAPeersDescriptorOfAFileOrOfNothing) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("plain", "12345678");
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(
      std::string(SealedSegment::Adopt(std::move(file), 8).status().message()),
      HasSubstr("is no memfd"));
  EXPECT_EQ(ReasonOf(SealedSegment::Adopt(UniqueFd(), 8).status()),
            Reason::kBadUsage);
}

TEST(SealedDescriptor, MapsNothingUntilItIsAsked) {
  auto segment = SealedSegment::CopyOf(BytesOf("later"), kLimits);
  auto held = SealedDescriptor::Adopt(DuplicateOf(segment->fd()), 5);
  ASSERT_THAT(held, IsOk());
  EXPECT_EQ(held->ResidentBytes(), 4096);
  segment = absl::NotFoundError("let go");
  auto mapped = SealedSegment::Map(*std::move(held));
  ASSERT_THAT(mapped, IsOk());
  EXPECT_EQ(TextOf(mapped->bytes()), "later");
}

TEST(OpenSegment, RefusesASealedDescriptor) {
  auto segment = SealedSegment::CopyOf(BytesOf("x"), kLimits);
  EXPECT_EQ(
      ReasonOf(OpenSegment::Adopt(DuplicateOf(segment->fd()), 1).status()),
      Reason::kBadUsage);
}

TEST(Segment, GivesItsMemoryBackWhenItsLastHolderIsKilled) {
  constexpr std::int64_t kBytes = 256 * kMiB;
  const auto shmem = [] { return ReadHostMemory().shmem_bytes; };
  const std::int64_t before = shmem();
  OpenSegment open = Created(kBytes);
  {
    const std::vector<std::byte> piece(kMiB, std::byte{1});
    for (std::int64_t at = 0; at < kBytes; at += kMiB) {
      ASSERT_THAT(open.WriteAt(at, piece), IsOk());
    }
  }
  auto sealed = open.Seal();
  ASSERT_THAT(sealed, IsOk());
  // Other tests of this machine move the figure too: half is proof enough.
  ASSERT_GT(shmem() - before, kBytes / 2);
  Child holder([] {});
  sealed = absl::NotFoundError("let go");
  EXPECT_GT(shmem() - before, kBytes / 2) << "the child still holds it";
  holder.Kill();
  // The kernel frees a killed process's memory before waitpid returns it, but
  // counts in batches.
  EXPECT_LT(shmem() - before, kBytes / 2);
}

}  // namespace
}  // namespace hearth
