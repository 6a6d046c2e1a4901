// Deposits and fetches through a real keeper process.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <set>
#include <thread>

#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/handover/handover_client.h"
#include "hearth/transport/handover/packet.h"
#include "hearth/transport/handover/segment_message.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker_keeper/test_processes.h"

namespace hearth::worker {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::worker::testing::Alive;
using ::hearth::worker::testing::BytesBehind;
using ::hearth::worker::testing::CardOf;
using ::hearth::worker::testing::Eventually;
using ::hearth::worker::testing::KeeperProcess;
using ::hearth::worker::testing::OpenMemory;
using ::hearth::worker::testing::SealedMemory;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::Duration kPatience = absl::Seconds(10);

class Handover : public ::testing::Test {
 protected:
  KeeperProcess keeper_{KeeperOptions{}};
  HandoverClient client_{{.keeper = keeper_.address(), .deadline = kPatience}};
};

TEST_F(Handover, BringsBackWhatWasDeposited) {
  const UniqueFd memory = SealedMemory("rows");
  const Id token = Id::Random();
  ASSERT_THAT(client_.Deposit(token, memory.get(), CardOf("rows")), IsOk());
  const auto fetched = client_.Fetch(token);
  ASSERT_THAT(fetched, IsOk());
  EXPECT_EQ(fetched->card, CardOf("rows"));
  EXPECT_EQ(BytesBehind(fetched->fd.get()), "rows");
}

TEST_F(Handover, SaysThatADroppedSegmentIsGone) {
  const Id token = Id::Random();
  ASSERT_THAT(
      client_.Deposit(token, SealedMemory("rows").get(), CardOf("rows")),
      IsOk());
  ASSERT_THAT(client_.Drop(token), IsOk());
  const auto fetched = client_.Fetch(token);
  EXPECT_EQ(ReasonOf(fetched.status()), Reason::kSegmentGone);
  EXPECT_THAT(fetched.status().message(), HasSubstr(token.ToString()));
  EXPECT_THAT(fetched.status().message(), HasSubstr("publish it again"));
}

TEST_F(Handover, ReplacesAnOpenSegmentByASealedOne) {
  const Id token = Id::Random();
  ASSERT_THAT(client_.Deposit(token, OpenMemory("....").get(),
                              CardOf("....", SegmentKind::kOpen)),
              IsOk());
  ASSERT_THAT(
      client_.Replace(token, SealedMemory("full").get(), CardOf("full")),
      IsOk());
  const auto fetched = client_.Fetch(token);
  ASSERT_THAT(fetched, IsOk());
  EXPECT_EQ(fetched->card.kind, SegmentKind::kSealed);
  EXPECT_EQ(BytesBehind(fetched->fd.get()), "full");
}

TEST_F(Handover, KnowsWhenAnOpenSegmentWasSealed) {
  const UniqueFd memory = OpenMemory("rows");
  const Id token = Id::Random();
  ASSERT_THAT(
      client_.Deposit(token, memory.get(), CardOf("rows", SegmentKind::kOpen)),
      IsOk());
  EXPECT_EQ(client_.Fetch(token)->card.kind, SegmentKind::kOpen);
  ASSERT_EQ(fcntl(memory.get(), F_ADD_SEALS,
                  F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
            0);
  const auto fetched = client_.Fetch(token);
  ASSERT_THAT(fetched, IsOk());
  EXPECT_EQ(fetched->card.kind, SegmentKind::kSealed);
  EXPECT_EQ(fcntl(fetched->fd.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST_F(Handover, RefusesASealedSegmentThatIsNot) {
  const auto status = client_.Deposit(Id::Random(), OpenMemory("rows").get(),
                                      CardOf("rows", SegmentKind::kSealed));
  EXPECT_EQ(ReasonOf(status), Reason::kBadUsage);
  EXPECT_THAT(client_.List(), IsOk());  // the connection is still good
}

TEST_F(Handover, HoldsWhatAKilledProcessDeposited) {
  const Id token = Id::Random();
  const pid_t creator = fork();
  if (creator == 0) {
    HandoverClient own({.keeper = keeper_.address(), .deadline = kPatience});
    const bool done =
        own.Deposit(token, SealedMemory("rows").get(), CardOf("rows")).ok();
    if (done) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  waitpid(creator, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto fetched = client_.Fetch(token);
  ASSERT_THAT(fetched, IsOk());
  EXPECT_EQ(BytesBehind(fetched->fd.get()), "rows");
}

TEST_F(Handover, HoldsAThousandSegments) {
  const UniqueFd memory = SealedMemory("rows");
  std::vector<Id> tokens;
  for (int i = 0; i < 1500; ++i) {
    tokens.push_back(Id::Random());
    ASSERT_THAT(client_.Deposit(tokens.back(), memory.get(), CardOf("rows")),
                IsOk())
        << i;
  }
  const auto held = client_.List();
  ASSERT_THAT(held, IsOk());
  EXPECT_THAT(*held, SizeIs(tokens.size()));
  std::set<Id> listed;
  for (const HeldSegment& one : *held) listed.insert(one.token);
  EXPECT_EQ(listed, std::set<Id>(tokens.begin(), tokens.end()));
  ASSERT_THAT(client_.Drop(tokens), IsOk());
  EXPECT_THAT(*client_.List(), SizeIs(0));
}

TEST_F(Handover, ServesManyThreadsThroughOneClient) {
  const UniqueFd memory = SealedMemory("rows");
  const Id token = Id::Random();
  ASSERT_THAT(client_.Deposit(token, memory.get(), CardOf("rows")), IsOk());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) EXPECT_THAT(client_.Fetch(token), IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Handover, GoesOnAfterAForkWithoutMixingUpAnswers) {
  const Id token = Id::Random();
  ASSERT_THAT(
      client_.Deposit(token, SealedMemory("rows").get(), CardOf("rows")),
      IsOk());
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 100; ++i) {
      if (!client_.Fetch(token).ok()) _exit(1);
    }
    _exit(0);
  }
  for (int i = 0; i < 100; ++i) ASSERT_THAT(client_.Fetch(token), IsOk());
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Handover, IsNotHeldUpByClientsThatSendNonsense) {
  std::mt19937 random(7);
  for (int i = 0; i < 100; ++i) {
    const auto rude =
        ConnectUnix(keeper_.address(), SocketType::kPacket, kPatience);
    ASSERT_THAT(rude, IsOk());
    std::string bytes(1 + random() % 60000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const int given = rude->get();
    const iovec part{bytes.data(), bytes.size()};
    // With descriptors too: none may stay behind.
    SendPacket(rude->get(), {&part, 1}, {&given, 1});
    std::array<std::byte, 64> buffer;
    std::vector<UniqueFd> received;
    EXPECT_TRUE(Eventually([&] {
      const int error = ReceivePacket(rude->get(), buffer, received).error;
      return error == ECONNRESET || error == EPIPE;
    })) << "the keeper keeps a line to a client that talks nonsense";
  }
  EXPECT_THAT(client_.List(), IsOk());
}

TEST_F(Handover, IsNotHeldUpByAClientThatNeverReads) {
  const auto deaf =
      ConnectUnix(keeper_.address(), SocketType::kPacket, kPatience);
  ASSERT_THAT(deaf, IsOk());
  SegmentMessage question;
  question.verb = static_cast<std::uint16_t>(HandoverVerb::kList);
  const iovec part{&question, sizeof(question)};
  // Until the keeper has had enough of it.
  EXPECT_TRUE(Eventually([&] {
    PacketResult sent;
    do {
      sent = SendPacket(deaf->get(), {&part, 1});
    } while (sent.error == 0);
    return sent.error == EPIPE || sent.error == ECONNRESET;
  }));
  EXPECT_THAT(client_.List(), IsOk());
}

TEST_F(Handover, LetsSilentClientsGoWhenAllPlacesAreTaken) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const std::size_t many = limits::kKeeperConnectionsMax + 50;
  if (files.rlim_max < many + 100) GTEST_SKIP() << "too few open files";
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::vector<UniqueFd> silent;
  for (std::size_t i = 0; i < many; ++i) {
    auto one = ConnectUnix(keeper_.address(), SocketType::kPacket, kPatience);
    ASSERT_THAT(one, IsOk()) << i;
    silent.push_back(*std::move(one));
  }
  EXPECT_THAT(client_.List(), IsOk());
}

TEST_F(Handover, ReconnectsWhenTheLineBroke) {
  ASSERT_THAT(client_.List(), IsOk());
  // A second keeper under the first one's name, as after a restart.
  keeper_.Signal(SIGKILL);
  EXPECT_EQ(keeper_.Ended(), 128 + SIGKILL);
  EXPECT_EQ(ReasonOf(client_.List().status()), Reason::kClusterUnreachable);
  const auto listener = ListenUnix(keeper_.address(), SocketType::kPacket);
  ASSERT_THAT(listener, IsOk());
  HandoverClient impatient(
      {.keeper = keeper_.address(), .deadline = absl::Milliseconds(50)});
  // It connects, and nobody answers.
  EXPECT_EQ(ReasonOf(impatient.List().status()), Reason::kDeadlineExceeded);
}

}  // namespace
}  // namespace hearth::worker
