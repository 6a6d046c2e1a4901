// Row blocks from one process to another over loopback: Hearth's stream beside
// a bare TCP send and receive of the same bytes, in turn, with the same
// congestion control. Both from a populated segment into a populated one.
//
//   bulk_bench [MIB] [ROUNDS] [BLOCK_MIB] [TLS_DIR]
//
// With the directory of a cluster's credentials (hearth security init), the
// same once more through mutual TLS; and a call each way, the smallest there
// is: a stream of one byte.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "hearth/transport/bulk/bulk_channel.h"
#include "hearth/transport/bulk/bulk_server.h"
#include "hearth/transport/bulk/bulk_stream.h"
#include "hearth/transport/security/identity.h"
#include "hearth/transport/security/tcp_security.h"

namespace hearth {
namespace {

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::byte* Populated(std::int64_t bytes) {
  void* at = mmap(nullptr, static_cast<std::size_t>(bytes),
                  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) Fail("mmap");
  std::memset(at, 7, static_cast<std::size_t>(bytes));
  return static_cast<std::byte*>(at);
}

double CpuSeconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) +
           1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Shared {  // with the sending process
  double sender_cpu = 0;
};

Address Loopback() { return *Address::Parse("127.0.0.1:0"); }

// Accepts one connection after the other, and sends all to each.
[[noreturn]] void SendBare(int listener, const std::byte* from,
                           std::int64_t bytes, Shared* shared) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever ends the one that measures
  for (;;) {
    pollfd waiting{.fd = listener, .events = POLLIN, .revents = 0};
    poll(&waiting, 1, -1);
    const int peer = accept(listener, nullptr, nullptr);
    if (peer < 0) continue;
    setsockopt(peer, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    const double before = CpuSeconds(RUSAGE_SELF);
    for (std::int64_t sent = 0; sent < bytes;) {
      const auto step = static_cast<std::size_t>(
          std::min<std::int64_t>(bytes - sent, 1 << 20));
      const ssize_t now = send(peer, from + sent, step, MSG_NOSIGNAL);
      if (now <= 0) break;
      sent += now;
    }
    shared->sender_cpu = CpuSeconds(RUSAGE_SELF) - before;
    close(peer);
  }
}

// Hearth's stream, with or without TLS.
struct Lane {
  const char* name;
  TcpSecurityOptions security;  // opened behind the fork: gRPC survives none
  Address at = {};
  Shared* shared = nullptr;
  std::shared_ptr<grpc::Channel> channel = nullptr;
  std::vector<double> speed = {}, ratio = {}, sender = {}, receiver = {},
                      call_us = {};
};

TcpSecurity SecurityOf(const Lane& lane) {
  auto security = TcpSecurity::Open(lane.security);
  if (security.ok()) return *std::move(security);
  std::fprintf(stderr, "%s\n",
               std::string(security.status().message()).c_str());
  std::exit(1);
}

[[noreturn]] void SendByHearth(TcpListener listener, const Lane& lane,
                               const std::byte* from, std::int64_t bytes) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Shared* const shared = lane.shared;
  auto server = BulkServer::Start(
      std::move(listener), SecurityOf(lane).ForServer(),
      [&](const Id&) -> absl::StatusOr<BulkSource> {
        return BulkSource{bytes, [&](std::int64_t offset, std::int64_t count) {
                            shared->sender_cpu = CpuSeconds(RUSAGE_SELF);
                            return grpc::Slice(from + offset,
                                               static_cast<size_t>(count),
                                               grpc::Slice::STATIC_SLICE);
                          }};
      });
  for (;;) pause();
}

struct Figure {
  double gb_s, sender_cpu, receiver_cpu;
};

template <class Run>
Figure Measure(std::int64_t bytes, Shared* shared, bool counts_up, Run run) {
  const double sender = shared->sender_cpu;
  const double cpu = CpuSeconds(RUSAGE_SELF);
  const auto begin = std::chrono::steady_clock::now();
  run();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  const double gb = static_cast<double>(bytes) / 1e9;
  usleep(20000);
  return {gb / seconds, (shared->sender_cpu - (counts_up ? sender : 0)) / gb,
          (CpuSeconds(RUSAGE_SELF) - cpu) / gb};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Receive(const Lane& lane, std::byte* to, std::int64_t bytes,
             std::int64_t block) {
  const Id token = Id::Random();
  BulkStream stream({token, 0, bytes, block}, [&](int) {
    return BulkPeer{lane.channel, token};
  });
  for (std::int64_t done = 0; done < bytes; done += block) {
    const auto status = stream.Next(
        {to + done, static_cast<std::size_t>(std::min(block, bytes - done))});
    if (status.ok()) continue;
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    std::exit(1);
  }
}

void ReceiveBare(const Address& at, std::byte* to, std::int64_t bytes) {
  const int line = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(at.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(line, reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
      0) {
    Fail("connect");
  }
  for (std::int64_t done = 0; done < bytes;) {
    const ssize_t now = recv(
        line, to + done,
        static_cast<std::size_t>(std::min<std::int64_t>(bytes - done, 1 << 20)),
        0);
    if (now <= 0) Fail("recv");
    done += now;
  }
  close(line);
}

constexpr int kCalls = 200;  // a round

int Run(std::int64_t bytes, int rounds, std::int64_t block,
        const char* tls_dir) {
  std::byte* from = Populated(bytes);
  std::byte* to = Populated(bytes);
  std::vector<Lane> lanes;
  lanes.push_back({.name = "hearth", .security = {.insecure = true}});
  if (tls_dir != nullptr) {
    lanes.push_back({.name = "with TLS", .security = {.tls_dir = tls_dir}});
  }
  auto* shared = static_cast<Shared*>(
      mmap(nullptr, (1 + lanes.size()) * sizeof(Shared), PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  auto bare = ListenTcp(Loopback());
  if (!bare.ok()) Fail("listen");
  const Address bare_at = bare->address;
  std::vector<pid_t> children;
  children.push_back(fork());
  if (children.back() == 0) SendBare(bare->fd.get(), from, bytes, shared);
  bare->fd.Reset();
  // All children before the first channel: gRPC does not survive a fork.
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    auto listener = ListenTcp(Loopback());
    if (!listener.ok()) Fail("listen");
    lanes[i].at = listener->address;
    lanes[i].shared = shared + 1 + i;
    children.push_back(fork());
    if (children.back() == 0) {
      SendByHearth(*std::move(listener), lanes[i], from, bytes);
    }
  }
  for (Lane& lane : lanes) {
    lane.channel = ConnectBulk(lane.at.ToString(),
                               SecurityOf(lane).ForChannel(), kClusterName);
  }
  std::vector<double> bare_speed, bare_sender, bare_receiver;
  for (int round = 0; round < rounds; ++round) {
    const bool counts = round > 0;  // all warm
    const Figure plain =
        Measure(bytes, shared, false, [&] { ReceiveBare(bare_at, to, bytes); });
    if (counts) {
      bare_speed.push_back(plain.gb_s);
      bare_sender.push_back(plain.sender_cpu);
      bare_receiver.push_back(plain.receiver_cpu);
    }
    for (Lane& lane : lanes) {
      std::memset(to, 0, static_cast<std::size_t>(bytes));
      const Figure ours = Measure(bytes, lane.shared, true,
                                  [&] { Receive(lane, to, bytes, block); });
      if (std::memcmp(from, to, static_cast<std::size_t>(bytes)) != 0) {
        std::puts("other bytes came");
        std::exit(1);
      }
      const auto begin = std::chrono::steady_clock::now();
      for (int i = 0; i < kCalls; ++i) Receive(lane, to, 1, 1);
      const double call = std::chrono::duration<double, std::micro>(
                              std::chrono::steady_clock::now() - begin)
                              .count() /
                          kCalls;
      if (!counts) continue;
      lane.speed.push_back(ours.gb_s);
      lane.ratio.push_back(ours.gb_s / plain.gb_s);
      lane.sender.push_back(ours.sender_cpu);
      lane.receiver.push_back(ours.receiver_cpu);
      lane.call_us.push_back(call);
    }
  }
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  std::printf("%-8s %8s %8s %22s %12s\n", "", "GB/s", "ratio",
              "cpu s/GB send, receive", "a call, us");
  std::printf("%-8s %8.2f %8s %13.2f %8.2f\n", "bare", Median(bare_speed), "",
              Median(bare_sender), Median(bare_receiver));
  for (const Lane& lane : lanes) {
    std::printf("%-8s %8.2f %8.2f %13.2f %8.2f %12.0f\n", lane.name,
                Median(lane.speed), Median(lane.ratio), Median(lane.sender),
                Median(lane.receiver), Median(lane.call_us));
  }
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  const auto number = [&](int i, std::int64_t otherwise) {
    return argc > i ? std::atoll(argv[i]) : otherwise;
  };
  return hearth::Run(number(1, 1024) << 20, static_cast<int>(number(2, 6)) + 1,
                     number(3, 16) << 20, argc > 4 ? argv[4] : nullptr);
}
