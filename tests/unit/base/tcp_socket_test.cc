#include "hearth/base/tcp_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <csignal>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "hearth/base/unique_fd.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;

// A loopback address that takes connections, or says nothing to them.
class Place {
 public:
  explicit Place(bool is_silent)
      : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    info_.ai_family = AF_INET;
    info_.ai_addr = reinterpret_cast<sockaddr*>(&address_);
    info_.ai_addrlen = sizeof(address_);
    socklen_t size = sizeof(address_);
    EXPECT_EQ(bind(listener_.get(), info_.ai_addr, size), 0);
    EXPECT_EQ(listen(listener_.get(), is_silent ? 0 : 16), 0);
    EXPECT_EQ(getsockname(listener_.get(), info_.ai_addr, &size), 0);
    for (int i = 0; is_silent && i < 3; ++i) {  // its queue is full then
      waiting_.emplace_back(
          socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      connect(waiting_.back().get(), info_.ai_addr, size);
    }
  }
  addrinfo& info() { return info_; }

 private:
  sockaddr_in address_{};
  addrinfo info_{};
  UniqueFd listener_;
  std::vector<UniqueFd> waiting_;
};

TEST(ConnectFirst, LeavesTimeToTheNextAddressWhereOneSaysNothing) {
  Place silent(/*is_silent=*/true);
  Place open(/*is_silent=*/false);
  silent.info().ai_next = &open.info();
  const absl::Time began = absl::Now();
  EXPECT_TRUE(ConnectFirst(&silent.info(), absl::Seconds(2), "connect").ok());
  EXPECT_LT(absl::Now() - began, absl::Seconds(1.9));
}

TEST(ConnectFirst, SaysThatNobodyTookItInTime) {
  Place silent(/*is_silent=*/true);
  const auto refused =
      ConnectFirst(&silent.info(), absl::Milliseconds(50), "connect");
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("timed out"));
}

// A signal's handler ran meanwhile, and that was told as a time-out.
TEST(ConnectFirst, WaitsOnAfterASignal) {
  struct sigaction quiet {};
  struct sigaction before {};
  quiet.sa_handler = [](int) {};  // and no SA_RESTART
  ASSERT_EQ(sigaction(SIGALRM, &quiet, &before), 0);
  Place silent(/*is_silent=*/true);
  const absl::Time began = absl::Now();
  const itimerval often = {{0, 20'000}, {0, 20'000}};
  setitimer(ITIMER_REAL, &often, nullptr);
  const auto refused =
      ConnectFirst(&silent.info(), absl::Milliseconds(300), "connect");
  const itimerval never = {};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  EXPECT_FALSE(refused.ok());
  EXPECT_GE(absl::Now() - began, absl::Milliseconds(300));
}

}  // namespace
}  // namespace hearth
