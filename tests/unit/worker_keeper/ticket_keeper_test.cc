// Sharing without a server: tickets, and the keeper that is started for them.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <functional>
#include <optional>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/handover/handover_client.h"
#include "hearth/transport/handover/ticket.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker_keeper/test_processes.h"
#include "worker/keeper/event_loop.h"
#include "worker/keeper/held_probe.h"
#include "worker/keeper/process_watch.h"

namespace hearth::worker {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::worker::testing::BytesBehind;
using ::hearth::worker::testing::CardOf;
using ::hearth::worker::testing::Eventually;
using ::hearth::worker::testing::Report;
using ::hearth::worker::testing::SealedMemory;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::Duration kPatience = absl::Seconds(10);

TicketOffice::Options Office() { return {.program = "/proc/self/exe"}; }

Address KeeperOf(absl::string_view text) {
  return Address::Abstract(
      absl::StrCat("hearth-", TicketText::Parse(text)->keeper.ToString()));
}

bool KeeperEnds(absl::string_view text) {
  return Eventually([&] {
    return !ConnectUnix(KeeperOf(text), SocketType::kPacket, kPatience).ok();
  });
}

// Runs `body` in a forked process and waits for its end; its text, if any.
std::string InChild(const std::function<std::string()>& body) {
  Report report;
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = absl::StrCat(body(), "\n");
    [[maybe_unused]] const auto ignored =
        write(report.write_end(), text.data(), text.size());
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  return report.Line();
}

TEST(SharedTickets, BringTheBytesToAReaderAfterTheirCreatorHasExited) {
  const std::string text = InChild([] {
    TicketOffice office(Office());
    return *office.HandOut(SealedMemory("rows").get(), CardOf("rows"),
                           "float64[1]");
  });
  EXPECT_LT(text.size(), 200u);
  TicketOffice office(Office());
  const auto opened = office.Open(text);
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->card, CardOf("rows"));
  EXPECT_EQ(BytesBehind(opened->fd.get()), "rows");
}

TEST(SharedTickets, OpenTwiceWhileSomebodyHoldsTheBytesAndThenNoMore) {
  TicketOffice office(Office());
  UniqueFd memory = SealedMemory("rows");
  const auto text = office.HandOut(memory.get(), CardOf("rows"));
  ASSERT_THAT(text, IsOk());
  auto first = office.Open(*text);
  ASSERT_THAT(first, IsOk());
  memory.Reset();
  office.Release(*text);
  EXPECT_THAT(office.Open(*text), IsOk());  // `first` still holds them
  first = absl::CancelledError();
  office.Release(*text);
  const auto late = office.Open(*text);
  EXPECT_EQ(ReasonOf(late.status()), Reason::kSegmentGone);
  EXPECT_TRUE(KeeperEnds(*text));
}

TEST(SharedTickets, CountAMappingThatAForkedChildInherited) {
  TicketOffice office(Office());
  UniqueFd memory = SealedMemory("rows");
  const auto text = office.HandOut(memory.get(), CardOf("rows"));
  ASSERT_THAT(text, IsOk());
  void* view =
      mmap(nullptr, 4, PROT_READ, MAP_SHARED, office.Open(*text)->fd.get(), 0);
  ASSERT_NE(view, MAP_FAILED);
  const pid_t child = fork();
  if (child == 0) {
    memory.Reset();
    for (;;) pause();
  }
  munmap(view, 4);
  memory.Reset();
  office.Release(*text);
  EXPECT_THAT(office.Open(*text), IsOk());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  // Nobody watches the child: the next look finds that it has gone.
  EXPECT_TRUE(KeeperEnds(*text));
}

TEST(SharedTickets, AreHeldUntilTheirCreatorAndItsAncestorsEnd) {
  std::optional<Report> text(std::in_place);
  const pid_t parent = fork();
  if (parent == 0) {
    setsid();  // no ancestors beyond this one
    const std::string handed = InChild([] {
      TicketOffice office(Office());
      return *office.HandOut(SealedMemory("rows").get(), CardOf("rows"));
    });
    const std::string line = handed + "\n";
    [[maybe_unused]] const auto ignored =
        write(text->write_end(), line.data(), line.size());
    for (;;) pause();
  }
  const std::string handed = text->Line();
  HandoverClient doctor({.keeper = KeeperOf(handed), .deadline = kPatience});
  const auto held = doctor.List();
  ASSERT_THAT(held, IsOk());
  ASSERT_THAT(*held, SizeIs(1));
  EXPECT_TRUE(held->front().is_ticket);
  EXPECT_FALSE(held->front().fetched);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(KeeperEnds(handed));
}

TEST(SharedTickets, LeaveNoKeeperBehindAKilledCreator) {
  Report report;
  const pid_t creator = fork();
  if (creator == 0) {
    setsid();
    TicketOffice office(Office());
    const UniqueFd memory = SealedMemory("rows");
    const std::string line =
        *office.HandOut(memory.get(), CardOf("rows")) + "\n";
    [[maybe_unused]] const auto ignored =
        write(report.write_end(), line.data(), line.size());
    for (;;) pause();
  }
  const std::string text = report.Line();
  kill(creator, SIGKILL);
  waitpid(creator, nullptr, 0);
  EXPECT_TRUE(KeeperEnds(text));
}

TEST(SharedTickets, GetANewKeeperWhenTheirsWasKilled) {
  TicketOffice office(Office());
  UniqueFd memory = SealedMemory("rows");
  const auto first = office.HandOut(memory.get(), CardOf("rows"));
  ASSERT_THAT(first, IsOk());
  const auto keepers = testing::TicketKeepersStartedBy(getpid());
  ASSERT_FALSE(keepers.empty());
  for (const pid_t keeper : keepers) kill(keeper, SIGKILL);
  EXPECT_TRUE(KeeperEnds(*first));
  EXPECT_THAT(office.Open(*first), IsOk());  // its creator has it still

  EXPECT_EQ(*office.AwaitOneMore(*first), false);
  const auto second = office.HandOut(memory.get(), CardOf("rows"));
  ASSERT_THAT(second, IsOk());
  EXPECT_NE(TicketText::Parse(*second)->keeper,
            TicketText::Parse(*first)->keeper);
  memory.Reset();
  EXPECT_EQ(ReasonOf(office.Open(*first).status()), Reason::kSegmentGone);
  EXPECT_THAT(office.Open(*second), IsOk());
}

// Nobody waits for the keeper when a ticket is handed out again: what it was
// told last must count before what it learns by itself.
TEST(SharedTickets, ReachTheReaderOfACreatorThatHandsOutAgainAndEnds) {
  TicketOffice office(Office());
  for (int round = 0; round < 50; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const UniqueFd reader(pipe_ends[0]);
    UniqueFd writer(pipe_ends[1]);
    const pid_t creator = fork();
    if (creator == 0) {
      const UniqueFd memory = SealedMemory("rows");
      const auto text = office.HandOut(memory.get(), CardOf("rows"));
      if (!text.ok() || !office.Open(*text).ok()) _exit(1);
      if (!*office.AwaitOneMore(*text)) _exit(1);
      const ssize_t sent = write(writer.get(), text->data(), text->size());
      _exit(sent == std::ssize(*text) ? 0 : 1);
    }
    int status = -1;
    waitpid(creator, &status, 0);
    ASSERT_EQ(status, 0);
    writer.Reset();
    char text[256];
    const ssize_t size = read(reader.get(), text, sizeof(text));
    ASSERT_GT(size, 0);
    const auto opened = office.Open({text, static_cast<std::size_t>(size)});
    EXPECT_THAT(opened, IsOk()) << "round " << round;
  }
}

TEST(SharedTickets, StartOneKeeperForMany) {
  TicketOffice office(Office());
  const UniqueFd memory = SealedMemory("rows");
  const auto first = office.HandOut(memory.get(), CardOf("rows"));
  const auto second = office.HandOut(memory.get(), CardOf("rows"));
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(TicketText::Parse(*first)->keeper,
            TicketText::Parse(*second)->keeper);
}

// Two tickets for one segment once held each other: each keeper's own
// descriptor looked like a process that still had it.
TEST(SharedTickets, DoNotHoldOneAnother) {
  TicketOffice here(Office());
  TicketOffice there(Office());  // another keeper
  UniqueFd memory = SealedMemory("rows");
  const auto first = here.HandOut(memory.get(), CardOf("rows"));
  const auto second = here.HandOut(memory.get(), CardOf("rows"));
  const auto third = there.HandOut(memory.get(), CardOf("rows"));
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  ASSERT_THAT(third, IsOk());
  ASSERT_NE(TicketText::Parse(*first)->keeper,
            TicketText::Parse(*third)->keeper);
  for (const auto& text : {*first, *second, *third}) {
    EXPECT_THAT(here.Open(text), IsOk());
  }
  memory.Reset();
  EXPECT_TRUE(KeeperEnds(*first));
  EXPECT_TRUE(KeeperEnds(*third));
}

TEST(SharedTickets, LeaveNoKeeperWhenTheirProcessEnds) {
  const std::string text = InChild([] {
    setsid();
    TicketOffice office(Office());
    const UniqueFd memory = SealedMemory("rows");
    office.HandOut(memory.get(), CardOf("rows")).status().IgnoreError();
    return *office.HandOut(memory.get(), CardOf("rows"));
  });
  EXPECT_TRUE(KeeperEnds(text));
}

TEST(SharedTickets, AreNoPlaceForSegmentsWithoutAnEnd) {
  TicketOffice office(Office());
  const UniqueFd memory = SealedMemory("rows");
  const auto text = office.HandOut(memory.get(), CardOf("rows"));
  ASSERT_THAT(text, IsOk());
  HandoverClient client({.keeper = KeeperOf(*text), .deadline = kPatience});
  EXPECT_EQ(
      ReasonOf(client.Deposit(Id::Random(), memory.get(), CardOf("rows"))),
      Reason::kNotAllowed);
}

TEST(SharedTickets, EndAtOnceWhenWithdrawn) {
  TicketOffice office(Office());
  UniqueFd memory = SealedMemory("rows");
  const auto text = office.HandOut(memory.get(), CardOf("rows"));
  ASSERT_THAT(text, IsOk());
  memory.Reset();
  office.Release(*text, {.withdraw = true});
  EXPECT_TRUE(KeeperEnds(*text));
}

// What came with a call told where another array of the callee's user lies.
TEST(SharedTickets, OpenWhatNobodyVouchesForOnlyIfTheirKeeperKnowsThem) {
  TicketOffice office(Office());
  const UniqueFd memory = SealedMemory("rows");
  const auto text = office.HandOut(memory.get(), CardOf("rows"));
  ASSERT_THAT(text, IsOk());
  EXPECT_THAT(office.Open(*text, {.vouched = false}), IsOk());
  TicketText forged = *TicketText::Parse(*text);
  ASSERT_TRUE(forged.where.has_value());
  forged.ticket = Id::Random();
  EXPECT_EQ(
      ReasonOf(office.Open(forged.ToString(), {.vouched = false}).status()),
      Reason::kSegmentGone);
  forged.keeper = Id{};
  EXPECT_EQ(
      ReasonOf(office.Open(forged.ToString(), {.vouched = false}).status()),
      Reason::kSegmentGone);
}

// A sandbox that forbids pidfd_open, as seccomp does it.
void ForbidPidfds() {
  std::array<sock_filter, 4> program = {
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_pidfd_open},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  const sock_fprog filter = {program.size(), program.data()};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

// It took its starter for dead and left, and the starter heard that the keeper
// closed the connection.
TEST(TicketKeeper, SaysThatItMayNotWatchProcesses) {
  const std::string told = InChild([] {
    ForbidPidfds();
    TicketOffice office(Office());
    return std::string(
        office.HandOut(SealedMemory("rows").get(), CardOf("rows"))
            .status()
            .message());
  });
  EXPECT_THAT(told, HasSubstr("start a keeper: "));
  EXPECT_THAT(told, HasSubstr("pidfd_open: Operation not permitted; allow"));
}

// A process that there was no descriptor to watch by counted as dead, and what
// it had handed out went.
TEST(ProcessWatch, TakesNobodyForDeadWhomItCannotWatchNow) {
  const std::string told = InChild([] {
    EventLoop loop;
    int ended = 0;
    ProcessWatch watch(loop, [&](pid_t) { ++ended; });
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    rlimit none = files;
    none.rlim_cur = 0;
    const pid_t child = fork();
    if (child == 0) {
      for (;;) pause();
    }
    setrlimit(RLIMIT_NOFILE, &none);
    watch.Watch(child, UniqueFd());
    watch.TryAgain();
    setrlimit(RLIMIT_NOFILE, &files);
    std::string found = absl::StrCat(ended, " at first, ");
    watch.TryAgain();
    kill(child, SIGKILL);
    loop.RunOnce(kPatience);
    waitpid(child, nullptr, 0);
    return absl::StrCat(found, ended, " in the end");
  });
  EXPECT_EQ(told, "0 at first, 1 in the end");
}

TEST(TicketKeeper, IsQuotedByItsStarterWhereItCannotStart) {
  TicketOffice office({.program = "/bin/sh"});
  const auto refused =
      office.HandOut(SealedMemory("rows").get(), CardOf("rows"));
  EXPECT_THAT(std::string(refused.status().message()),
              ::testing::ContainsRegex("/bin/sh keeper: .*keeper"));
  TicketOffice silent({.program = "/bin/false"});
  EXPECT_THAT(
      std::string(silent.HandOut(SealedMemory("rows").get(), CardOf("rows"))
                      .status()
                      .message()),
      HasSubstr("ended with exit status 1; is it a hearth"));
}

// "Can't tell" was taken for "nobody", and the ticket went.
TEST(HeldProbe, TakesWhatItCannotTellForHeld) {
  UniqueFd held = SealedMemory("rows");
  const UniqueFd kept = KeepUncounted(held.get());
  EXPECT_TRUE(MayBeHeld(kept.get()));
  EXPECT_TRUE(MayBeHeld(-1));
  held.Reset();
  EXPECT_FALSE(MayBeHeld(kept.get()));
}

}  // namespace
}  // namespace hearth::worker
