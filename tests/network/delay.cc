// Holds every packet that a queue of netfilter brings for a constant time: a
// long line, for tests, where the kernel has no netem.
//
//   iptables -A INPUT -i eth0 -j NFQUEUE --queue-num 0 --queue-bypass
//   network_delay QUEUE MILLISECONDS
//
// Says "ready" once it holds packets. Belongs on INPUT of the receiver: packets
// held on OUTPUT count as the sender's own, and TCP stops after two of them.
#include <arpa/inet.h>
#include <netinet/in.h>
// After <netinet/in.h>, whose names it repeats otherwise.
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kPacketsMax = 200'000;
constexpr int kSocketBytes = 64
                             << 20;  // a burst of reports must not overrun it

struct Held {
  std::uint32_t id;
  Clock::time_point until;
};

struct Line {
  std::chrono::milliseconds delay;
  std::deque<Held> held;  // in the order in which they came, and go
};

int Hold(nfq_q_handle*, nfgenmsg*, nfq_data* packet, void* line_of) {
  auto* line = static_cast<Line*>(line_of);
  if (const auto* head = nfq_get_msg_packet_hdr(packet); head != nullptr) {
    line->held.push_back({ntohl(head->packet_id), Clock::now() + line->delay});
  }
  return 0;
}

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

timespec LeftUntil(Clock::time_point until) {
  const auto left = std::max(until - Clock::now(), Clock::duration::zero());
  const auto nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
  return {.tv_sec = nanoseconds / 1'000'000'000,
          .tv_nsec = nanoseconds % 1'000'000'000};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: network_delay QUEUE MILLISECONDS\n", stderr);
    return 2;
  }
  Line line{.delay = std::chrono::milliseconds(std::atoi(argv[2])), .held = {}};
  nfq_handle* netfilter = nfq_open();
  if (netfilter == nullptr) Fail("nfq_open");
  nfq_q_handle* queue = nfq_create_queue(
      netfilter, static_cast<std::uint16_t>(std::atoi(argv[1])), &Hold, &line);
  if (queue == nullptr) Fail("nfq_create_queue");
  // No bytes of a packet are looked at, and large ones need not be cut up.
  if (nfq_set_mode(queue, NFQNL_COPY_META, 0) < 0) Fail("nfq_set_mode");
  if (nfq_set_queue_maxlen(queue, kPacketsMax) < 0) Fail("queue length");
  const std::uint32_t flags = NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN;
  if (nfq_set_queue_flags(queue, flags, flags) < 0) Fail("queue flags");
  const int socket = nfq_fd(netfilter);
  setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBytes,
             sizeof(kSocketBytes));
  std::puts("ready");
  std::fflush(stdout);

  std::vector<char> report(1 << 16);
  for (;;) {
    while (!line.held.empty() && line.held.front().until <= Clock::now()) {
      nfq_set_verdict(queue, line.held.front().id, NF_ACCEPT, 0, nullptr);
      line.held.pop_front();
    }
    timespec left{};
    if (!line.held.empty()) left = LeftUntil(line.held.front().until);
    pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
    if (ppoll(&waiting, 1, line.held.empty() ? nullptr : &left, nullptr) <= 0) {
      continue;
    }
    const ssize_t got = recv(socket, report.data(), report.size(), 0);
    if (got < 0 && errno != ENOBUFS && errno != EINTR) Fail("recv");
    if (got > 0)
      nfq_handle_packet(netfilter, report.data(), static_cast<int>(got));
  }
}
