#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "hearth/base/error.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/handover/packet.h"
#include "hearth/transport/handover/segment_message.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(10);

// One byte, and what descriptors came with it.
PacketResult SendByte(int socket, std::span<const int> descriptors) {
  char byte = 'x';
  const std::array<iovec, 1> parts = {iovec{&byte, 1}};
  return SendPacket(socket, parts, descriptors);
}

struct Pair {
  UniqueFd a, b;
  Pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    a.Reset(ends[0]);
    b.Reset(ends[1]);
  }
};

int OpenFiles() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

TEST(Socket, LeadsFromConnectToAccept) {
  const Address address = RandomAbstractAddress();
  auto listener = ListenUnix(address, SocketType::kPacket);
  ASSERT_THAT(listener, IsOk());
  EXPECT_FALSE(AcceptUnix(listener->get())->valid());  // nobody yet

  const auto client = ConnectUnix(address, SocketType::kPacket, kPatience);
  ASSERT_THAT(client, IsOk());
  const auto accepted = AcceptUnix(listener->get());
  ASSERT_THAT(accepted, IsOk());
  ASSERT_TRUE(accepted->valid());
  EXPECT_EQ(PeerOf(accepted->get())->pid, getpid());
  EXPECT_NE(fcntl(accepted->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Socket, NamesWhoseAddressItIsThatIsTaken) {
  const Address address = RandomAbstractAddress();
  const auto first = ListenUnix(address, SocketType::kStream);
  ASSERT_THAT(first, IsOk());
  const auto second = ListenUnix(address, SocketType::kStream);
  EXPECT_EQ(ReasonOf(second.status()), Reason::kNameTaken);
  EXPECT_THAT(second.status().message(), HasSubstr(address.name));
}

TEST(Socket, SaysThatNobodyListens) {
  EXPECT_EQ(ReasonOf(ConnectUnix(RandomAbstractAddress(), SocketType::kPacket,
                                 kPatience)
                         .status()),
            Reason::kClusterUnreachable);
}

TEST(Socket, GivesUpOnAListenerThatNeverAccepts) {
  const Address address = RandomAbstractAddress();
  const auto listener = ListenUnix(address, SocketType::kPacket);
  ASSERT_THAT(listener, IsOk());
  // A queue of one place, filled by nobody but us.
  ASSERT_EQ(listen(listener->get(), 0), 0);
  std::vector<UniqueFd> waiting;
  for (;;) {
    auto one =
        ConnectUnix(address, SocketType::kPacket, absl::Milliseconds(20));
    if (!one.ok()) {
      EXPECT_EQ(ReasonOf(one.status()), Reason::kDeadlineExceeded);
      return;
    }
    waiting.push_back(*std::move(one));
    ASSERT_LT(waiting.size(), 100u);
  }
}

TEST(Socket, TurnsAnotherUserAwayAtBothEnds) {
  if (getuid() != 0) GTEST_SKIP() << "only root can become another user";
  const Address address = RandomAbstractAddress();
  const auto listener = ListenUnix(address, SocketType::kPacket);
  ASSERT_THAT(listener, IsOk());
  const pid_t other = fork();
  if (other == 0) {
    if (setuid(65534) != 0) _exit(1);
    const auto client = ConnectUnix(address, SocketType::kPacket, kPatience);
    const bool refused =
        ReasonOf(client.status()) == Reason::kNotAllowed &&
        client.status().message().find("user id 0") != absl::string_view::npos;
    _exit(refused ? 0 : 2);
  }
  pollfd waited{.fd = listener->get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&waited, 1, 10000), 1);
  const auto accepted = AcceptUnix(listener->get());
  EXPECT_EQ(ReasonOf(accepted.status()), Reason::kNotAllowed);
  EXPECT_THAT(accepted.status().message(), HasSubstr("65534"));
  int status = -1;
  waitpid(other, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Packet, CarriesADescriptorToTheSameBytes) {
  const Pair pair;
  const UniqueFd memory(memfd_create("test", MFD_CLOEXEC));
  ASSERT_EQ(write(memory.get(), "rows", 4), 4);
  const int fd = memory.get();
  ASSERT_EQ(SendByte(pair.a.get(), {&fd, 1}).error, 0);

  std::array<std::byte, 16> buffer{};
  std::vector<UniqueFd> received;
  ASSERT_EQ(ReceivePacket(pair.b.get(), buffer, received).bytes, 1u);
  ASSERT_EQ(received.size(), 1u);
  std::array<char, 4> rows{};
  ASSERT_EQ(pread(received[0].get(), rows.data(), rows.size(), 0), 4);
  EXPECT_EQ(absl::string_view(rows.data(), 4), "rows");
  EXPECT_NE(fcntl(received[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Packet, KeepsNoDescriptorOfOneThatIsTooLong) {
  const Pair pair;
  const int before = OpenFiles();
  const std::array<char, 64> bytes{};
  const std::array<iovec, 1> parts = {
      iovec{const_cast<char*>(bytes.data()), bytes.size()}};
  const int fd = pair.a.get();
  ASSERT_EQ(SendPacket(pair.a.get(), parts, {&fd, 1}).error, 0);
  // More descriptors than the protocol ever sends: another program's doing.
  const std::vector<int> many(kHandoverDescriptorsMax + 8, fd);
  EXPECT_EQ(SendByte(pair.a.get(), many).error, EMSGSIZE);

  std::array<std::byte, 16> buffer{};
  std::vector<UniqueFd> received;
  EXPECT_EQ(ReceivePacket(pair.b.get(), buffer, received).error, EMSGSIZE);
  EXPECT_TRUE(received.empty());
  EXPECT_EQ(OpenFiles(), before);
}

TEST(Packet, TellsNothingYetFromNothingEverMore) {
  Pair pair;
  std::array<std::byte, 16> buffer{};
  std::vector<UniqueFd> received;
  EXPECT_EQ(ReceivePacket(pair.b.get(), buffer, received).error, EAGAIN);
  pair.a.Reset();
  EXPECT_EQ(ReceivePacket(pair.b.get(), buffer, received).error, ECONNRESET);
  EXPECT_EQ(SendByte(pair.b.get(), {}).error, EPIPE);
}

}  // namespace
}  // namespace hearth
