// From a handle to the first element, in a process that has no connection yet:
// Hearth beside a bare socket, descriptor and mmap. A fresh process for every
// figure, the two kinds in turn, medians.
//
//   attach_bench [ROUNDS]
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "hearth/base/pidfd.h"
#include "hearth/base/unix_socket.h"
#include "hearth/shm/segment.h"
#include "hearth/transport/handover/handover_client.h"
#include "hearth/transport/handover/ticket.h"
#include "worker/keeper/keeper.h"

namespace hearth {
namespace {

using Nanoseconds = long long;

Nanoseconds Now() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// ---- What a program does without Hearth.

sockaddr_un NameOf(const std::string& name, socklen_t& bytes) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  bytes =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

[[noreturn]] void ServeBare(int listener, int segment) {
  for (;;) {
    const int peer = accept(listener, nullptr, nullptr);
    char request = 0;
    if (read(peer, &request, 1) == 1) {
      iovec part{&request, 1};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof(control);
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(header), &segment, sizeof(int));
      sendmsg(peer, &message, 0);
    }
    close(peer);
  }
}

Nanoseconds AttachBare(const std::string& name, std::size_t bytes) {
  socklen_t size = 0;
  const sockaddr_un address = NameOf(name, size);
  const int line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(line, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    Fail("connect");
  }
  char request = 'x';
  if (write(line, &request, 1) != 1) Fail("write");
  iovec part{&request, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(line, &message, MSG_CMSG_CLOEXEC) != 1) Fail("recvmsg");
  int segment = -1;
  std::memcpy(&segment, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
  const void* view = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, segment, 0);
  if (view == MAP_FAILED) Fail("mmap");
  [[maybe_unused]] const double first =
      *static_cast<const volatile double*>(view);
  return Now();
}

// ---- What a program does with it.

// Letting go is not attaching: the moment is noted while all is still held.
Nanoseconds FirstElement(absl::StatusOr<FetchedSegment> fetched) {
  if (!fetched.ok()) Fail(std::string(fetched.status().message()).c_str());
  auto segment = SealedSegment::Adopt(
      std::move(fetched->fd), static_cast<std::int64_t>(fetched->card.bytes));
  if (!segment.ok()) Fail(std::string(segment.status().message()).c_str());
  [[maybe_unused]] const double first =
      *reinterpret_cast<const volatile double*>(segment->bytes().data());
  return Now();
}

Nanoseconds AttachByToken(const std::string& address,
                          const std::string& token) {
  HandoverClient client({.keeper = *Address::Parse(address)});
  return FirstElement(client.Fetch(*Id::Parse(token)));
}

Nanoseconds AttachByTicket(const std::string& text) {
  TicketOffice office({.program = ""});
  return FirstElement(office.Open(text));
}

int RunClient(char** argv) {
  const std::string kind = argv[1];
  const Nanoseconds begin = Now();
  Nanoseconds end = 0;
  if (kind == "bare") {
    end = AttachBare(argv[2], std::strtoull(argv[3], nullptr, 10));
  }
  if (kind == "token") end = AttachByToken(argv[2], argv[3]);
  if (kind == "ticket") end = AttachByTicket(argv[2]);
  std::printf("%lld\n", end - begin);
  return 0;
}

// ---- The driver.

double MicrosecondsOf(const std::string& command) {
  FILE* client = popen(command.c_str(), "r");
  long long nanoseconds = 0;
  if (std::fscanf(client, "%lld", &nanoseconds) != 1) Fail(command.c_str());
  pclose(client);
  return static_cast<double>(nanoseconds) / 1e3;
}

double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(
      q * static_cast<double>(values.size() - 1))];
}

UniqueFd SegmentOf(std::size_t bytes) {
  UniqueFd memory(memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (ftruncate(memory.get(), static_cast<off_t>(bytes)) != 0) Fail("size");
  const double first = 1.0;  // the rest is a hole: nobody reads it
  if (pwrite(memory.get(), &first, sizeof(first), 0) < 0) Fail("fill");
  fcntl(memory.get(), F_ADD_SEALS,
        F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
  return UniqueFd(
      open(("/proc/self/fd/" + std::to_string(memory.get())).c_str(),
           O_RDONLY | O_CLOEXEC));
}

int RunDriver(const std::string& self, int rounds) {
  std::printf("%10s  %3s  %12s  %18s  %18s\n", "bytes", "", "bare", "token",
              "ticket");
  for (const std::size_t bytes : {1ull << 20, 8ull << 30}) {
    const UniqueFd segment = SegmentOf(bytes);
    const SegmentCard card{.kind = SegmentKind::kSealed, .bytes = bytes};

    const std::string bare_name = RandomAbstractAddress().name;
    socklen_t size = 0;
    const sockaddr_un bare_address = NameOf(bare_name, size);
    const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&bare_address),
             size) != 0 ||
        listen(listener.get(), 64) != 0) {
      Fail("listen");
    }
    const pid_t bare = fork();
    if (bare == 0) ServeBare(listener.get(), segment.get());

    const Address address = RandomAbstractAddress();
    const pid_t keeper = fork();
    if (keeper == 0) {
      worker::KeeperOptions options;
      options.listener = *ListenUnix(address, SocketType::kPacket);
      _exit(worker::RunKeeper(std::move(options)));
    }
    HandoverClient client({.keeper = address});
    const Id token = Id::Random();
    while (!client.Deposit(token, segment.get(), card).ok()) usleep(1000);
    TicketOffice office({.program = "/proc/self/exe"});
    const auto ticket = office.HandOut(segment.get(), card);
    if (!ticket.ok()) Fail(std::string(ticket.status().message()).c_str());

    std::vector<double> by_bare, by_token, by_ticket;
    for (int i = 0; i < rounds; ++i) {
      by_bare.push_back(MicrosecondsOf(self + " bare " + bare_name + " " +
                                       std::to_string(bytes)));
      by_token.push_back(MicrosecondsOf(self + " token " + address.ToString() +
                                        " " + token.ToString()));
      by_ticket.push_back(MicrosecondsOf(self + " ticket " + *ticket));
    }
    // On a machine that others use too, the lower decile is what the work
    // itself takes; the median has their time slices in it.
    for (const double q : {0.1, 0.5}) {
      const double limit = Quantile(by_bare, q);
      std::printf("%10zu  p%02.0f  %9.1f us  %9.1f us x%.2f  %9.1f us x%.2f\n",
                  bytes, 100 * q, limit, Quantile(by_token, q),
                  Quantile(by_token, q) / limit, Quantile(by_ticket, q),
                  Quantile(by_ticket, q) / limit);
    }
    kill(bare, SIGKILL);
    kill(keeper, SIGTERM);
    waitpid(bare, nullptr, 0);
    waitpid(keeper, nullptr, 0);
  }
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  const std::string role = argc > 1 ? argv[1] : "";
  if (role == "keeper") {
    return hearth::worker::RunTicketKeeper(
        {.listener = hearth::UniqueFd(3), .starter = std::atoi(argv[3])});
  }
  if (role == "bare" || role == "token" || role == "ticket") {
    return hearth::RunClient(argv);
  }
  return hearth::RunDriver(argv[0], argc > 1 ? std::atoi(argv[1]) : 200);
}
