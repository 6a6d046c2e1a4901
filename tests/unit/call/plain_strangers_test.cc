// Who speaks to the door for connections without gRPC, and is no Hearth.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "hearth/transport/call/frame_socket.h"
#include "tests/unit/call/two_processes.h"

namespace hearth::testing {
namespace {

class Listening {
 public:
  std::int64_t Hear(std::int64_t number) { return number; }
};
Class Describe(As<Listening>) {
  return Declare<Listening>("Listening")
      .Method("hear", &Listening::Hear, {.parameters = {"n"}});
}

std::string MessageOf(const proto::Envelope& envelope) {
  const std::string body = envelope.SerializeAsString();
  const auto length = static_cast<std::uint32_t>(body.size());
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) +
         body;
}

class PlainStrangers : public CallTest {
 protected:
  PlainStrangers() { serving_.Serve("ear", std::make_shared<Listening>()); }

  UniqueFd Connected() const {
    return std::move(serving_
                         .PlainConnector()(serving_.Find("ear")->addresses[0],
                                           absl::Seconds(5))
                         ->fd);
  }
  static void Say(const UniqueFd& fd, const std::string& bytes,
                  const std::vector<int>& descriptors = {}) {
    iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {};
    if (!descriptors.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
      cmsghdr* const head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
      std::memcpy(CMSG_DATA(head), descriptors.data(),
                  descriptors.size() * sizeof(int));
    }
    pollfd wait = {fd.get(), POLLOUT, 0};
    poll(&wait, 1, 5000);
    sendmsg(fd.get(), &message, MSG_NOSIGNAL);
  }
  // Whether the other end hangs up within that time.
  static bool HangsUp(const UniqueFd& fd, int ms = 5000) {
    char bytes[4096];
    pollfd wait = {fd.get(), POLLIN, 0};
    while (poll(&wait, 1, ms) == 1) {
      if (recv(fd.get(), bytes, sizeof(bytes), 0) <= 0) return true;
    }
    return false;
  }
  static proto::Envelope Hello() {
    proto::Envelope envelope;
    auto& hello = *envelope.add_frames()->mutable_hello();
    hello.set_version("test");
    hello.mutable_session()->set_high(1);
    return envelope;
  }
  void ExpectAlive() {
    EXPECT_EQ(*calling_.Get("ear").Call<std::int64_t>("hear", 7), 7);
  }
};

TEST_P(PlainStrangers, WhoSaysNonsenseIsHungUpOn) {
  const std::string greeting(kGreeting, kGreetingBytes);
  const std::string huge("\xff\xff\xff\xff", 4);
  for (const std::string& said :
       {std::string("HELLO, who is there?"), greeting + huge,
        greeting + std::string("\x02\0\0\0\xff\xff", 6)}) {
    const UniqueFd fd = Connected();
    Say(fd, said);
    EXPECT_TRUE(HangsUp(fd)) << said;
  }
  ExpectAlive();
}

TEST_P(PlainStrangers, WhoSendsRandomBytesDisturbsNobody) {
  std::mt19937_64 random(20261123);
  for (int i = 0; i < 200; ++i) {
    const UniqueFd fd = Connected();
    std::string said(kGreeting, kGreetingBytes);
    if (i % 2 == 0) said += MessageOf(Hello());
    std::string noise(random() % 300, ' ');
    for (char& c : noise) c = static_cast<char>(random());
    const auto length = static_cast<std::uint32_t>(noise.size());
    if (i % 3 != 0) {
      said.append(reinterpret_cast<const char*>(&length), sizeof(length));
    }
    Say(fd, said + noise);
  }
  ExpectAlive();
}

// A length is a claim: what it says is not allocated before it comes.
TEST_P(PlainStrangers, WhoClaimsMuchAndSendsLittleCostsLittle) {
  std::vector<UniqueFd> all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(Connected());
    const auto length = static_cast<std::uint32_t>(limits::kCallBytesMax);
    Say(all.back(), std::string(kGreeting, kGreetingBytes) +
                        std::string(reinterpret_cast<const char*>(&length), 4) +
                        "some");
  }
  ExpectAlive();
  EXPECT_FALSE(HangsUp(all.back(), 50));
}

TEST_P(PlainStrangers, WhoAnnouncesAnArrayAndSendsNoneIsHungUpOnOrToldSo) {
  const UniqueFd fd = Connected();
  proto::Envelope envelope = Hello();
  proto::Frame& frame = *envelope.add_frames();
  frame.set_attached_bytes(1 << 20);
  frame.mutable_call()->set_object("ear");
  frame.mutable_call()->set_method("hear");
  frame.mutable_call()->add_arguments()->mutable_array()->set_attached_at(0);
  Say(fd, std::string(kGreeting, kGreetingBytes) + MessageOf(envelope));
  if (GetParam() == Transport::kUnix) {
    EXPECT_TRUE(HangsUp(fd));
  }
  ExpectAlive();
}

int OpenDescriptors() {
  int count = 0;
  for (int fd = 0; fd < 4096; ++fd) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

TEST_P(PlainStrangers, WhoSendsDescriptorsThatNobodyAskedForIsHungUpOn) {
  if (GetParam() != Transport::kUnix) GTEST_SKIP() << "no descriptors there";
  ExpectAlive();
  const int before = OpenDescriptors();
  {
    const UniqueFd fd = Connected();
    const UniqueFd given(memfd_create("test", MFD_CLOEXEC));
    Say(fd, std::string(kGreeting, kGreetingBytes) + MessageOf(Hello()));
    proto::Envelope nothing;
    nothing.add_frames()->mutable_cancel()->set_id(1);
    for (int i = 0; i < 20; ++i) {
      Say(fd, MessageOf(nothing), std::vector<int>(60, given.get()));
    }
    EXPECT_TRUE(HangsUp(fd));
  }
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  while (OpenDescriptors() > before && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(OpenDescriptors(), before);
  ExpectAlive();
}

INSTANTIATE_TEST_SUITE_P(Over, PlainStrangers,
                         ::testing::Values(Transport::kUnix, Transport::kTcp),
                         [](const auto& one) { return NameOf(one.param); });

}  // namespace
}  // namespace hearth::testing
