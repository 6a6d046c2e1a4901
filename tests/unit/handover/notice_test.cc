#include "hearth/transport/handover/notice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <string>

#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;

struct Keeper {
  Address address = RandomAbstractAddress();
  UniqueFd listener = *ListenUnix(address, SocketType::kPacket);
  UniqueFd notices = *ListenForNotices(listener.get());
};

SegmentMessage Await(std::uint64_t ticket) {
  SegmentMessage message;
  message.verb = static_cast<std::uint16_t>(HandoverVerb::kAwait);
  message.set_token({ticket, 2});
  return message;
}

void SendBytes(const Address& keeper, const std::string& bytes) {
  const std::string name = keeper.name + ".notices";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, name.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(sendto(socket.get(), bytes.data(), bytes.size(), 0,
                   reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                          name.size())),
            std::ssize(bytes));
}

TEST(Notices, SayWhoSentThemInTheOrderInWhichTheyWereSent) {
  const Keeper keeper;
  EXPECT_EQ(SendNotice(keeper.address, Await(1)), NoticeSent::kYes);
  const pid_t child = fork();
  if (child == 0) {
    _exit(SendNotice(keeper.address, Await(2)) == NoticeSent::kYes ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  const auto first = NextNotice(keeper.notices.get());
  const auto second = NextNotice(keeper.notices.get());
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first->head.token(), (Id{1, 2}));
  EXPECT_EQ(first->from.pid, getpid());
  EXPECT_EQ(second->head.token(), (Id{2, 2}));
  EXPECT_EQ(second->from.pid, child);
  EXPECT_FALSE(NextNotice(keeper.notices.get()).has_value());
}

TEST(Notices, ThatAreNoneAreDropped) {
  const Keeper keeper;
  SendBytes(keeper.address, "");
  SendBytes(keeper.address, std::string(64, 'x'));
  SendBytes(keeper.address, std::string(5000, 'x'));
  SegmentMessage message = Await(1);
  std::string longer(reinterpret_cast<const char*>(&message), sizeof(message));
  SendBytes(keeper.address, longer + "more");
  EXPECT_EQ(SendNotice(keeper.address, Await(7)), NoticeSent::kYes);
  const auto notice = NextNotice(keeper.notices.get());
  ASSERT_TRUE(notice.has_value());
  EXPECT_EQ(notice->head.token(), (Id{7, 2}));
}

TEST(Notices, OfAnotherUserAreDropped) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  const Keeper keeper;
  const pid_t child = fork();
  if (child == 0) {
    if (setresuid(65534, 65534, 65534) != 0) _exit(2);
    _exit(SendNotice(keeper.address, Await(1)) == NoticeSent::kYes ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(NextNotice(keeper.notices.get()).has_value());
}

TEST(Notices, SayWhenNobodyReadsThem) {
  EXPECT_EQ(SendNotice(RandomAbstractAddress(), Await(1)), NoticeSent::kNobody);
  const Keeper keeper;
  int sent = 0;
  while (SendNotice(keeper.address, Await(1)) == NoticeSent::kYes) {
    ASSERT_LT(++sent, 100'000);
  }
  EXPECT_EQ(SendNotice(keeper.address, Await(1)), NoticeSent::kNotNow);
  while (NextNotice(keeper.notices.get()).has_value()) {
  }
  EXPECT_EQ(SendNotice(keeper.address, Await(1)), NoticeSent::kYes);
}

TEST(Notices, AreHeardOnceBesideAKeeper) {
  const Keeper keeper;
  EXPECT_EQ(ReasonOf(ListenForNotices(keeper.listener.get()).status()),
            Reason::kNameTaken);
  const UniqueFd other(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(ReasonOf(ListenForNotices(other.get()).status()),
            Reason::kBadUsage);
}

}  // namespace
}  // namespace hearth
