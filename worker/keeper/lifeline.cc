#include "worker/keeper/lifeline.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "hearth/base/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "worker/keeper/lifeline_message.h"

namespace hearth::worker {
namespace {

constexpr int kHelloPatienceMs = 5000;
// As often as the keeper looks for those that have fallen silent.
constexpr absl::Duration kAliveEvery = absl::Seconds(1);

// Its own group holds what the child started; a child run by hand may share
// its group with a shell, which must survive.
void EndProcessGroup() {
  if (getpgrp() == getpid()) kill(0, SIGKILL);
  _exit(EXIT_FAILURE);
}

}  // namespace

// The thread that waits for the keeper's end, and says that its process runs.
class WorkerLifeline::Watch {
 public:
  Watch(WorkerLifeline& lifeline, Callbacks callbacks)
      : line_(lifeline),
        lifeline_(lifeline.fd_.get()),
        callbacks_(std::move(callbacks)),
        stop_(eventfd(0, EFD_CLOEXEC)),
        thread_([this] { Run(); }) {}

  ~Watch() {
    eventfd_write(stop_.get(), 1);
    thread_.join();
  }

 private:
  void Run() {
    std::array<pollfd, 2> waited = {
        pollfd{.fd = lifeline_, .events = POLLIN, .revents = 0},
        pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    const Clock& clock = Clock::Real();
    absl::Time next_word = clock.Now();
    for (;;) {
      if (clock.Now() >= next_word) {
        // A keeper that does not read now has enough to read when it does.
        line_.Say(LifelineVerb::kAlive, "").IgnoreError();
        next_word = clock.Now() + kAliveEvery;
      }
      if (poll(waited.data(), waited.size(),
               static_cast<int>(absl::ToInt64Milliseconds(kAliveEvery))) < 0 &&
          errno != EINTR) {
        break;
      }
      if (waited[1].revents != 0) return;
      const auto packet = ReceiveLifeline(lifeline_);
      if (absl::IsUnavailable(packet.status())) break;
      // What this version does not know it need not do.
      if (!packet.ok() || !packet->has_value()) continue;
      const auto verb = static_cast<LifelineVerb>((*packet)->head.verb);
      if (verb == LifelineVerb::kLeave && callbacks_.on_leave) {
        callbacks_.on_leave();
      }
      if (verb != LifelineVerb::kStory) continue;
      const auto story = WorkerStory::Decode((*packet)->text);
      if (story.ok() && callbacks_.on_story) callbacks_.on_story(*story);
    }
    if (callbacks_.on_keeper_gone) callbacks_.on_keeper_gone();
    EndProcessGroup();
  }

  WorkerLifeline& line_;
  const int lifeline_;
  const Callbacks callbacks_;
  const UniqueFd stop_;
  std::thread thread_;  // last: it uses all of the above
};

absl::StatusOr<std::unique_ptr<WorkerLifeline>> WorkerLifeline::Take(
    UniqueFd fd) {
  const auto refused = [&](absl::string_view finding) {
    return Error(
        Reason::kInternal,
        absl::StrCat("take the lifeline on descriptor ", fd.get(), ": ",
                     finding, "; only a keeper starts this process"));
  };
  // It came through an exec, so it is open to the next one; grandchildren
  // must not hold it.
  if (fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) {
    fd.Release();
    return refused("it is not open");
  }
  pollfd waited{.fd = fd.get(), .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = poll(&waited, 1, kHelloPatienceMs);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    return Error(Reason::kDeadlineExceeded,
                 "take the lifeline: the keeper said nothing for 5 s; is it "
                 "stopped?");
  }
  const auto packet = ReceiveLifeline(fd.get());
  if (!packet.ok()) return packet.status();
  if (!packet->has_value() ||
      (*packet)->head.verb !=
          static_cast<std::uint16_t>(LifelineVerb::kHello)) {
    return refused("its first message is no hello");
  }
  const LifelineMessage& head = (*packet)->head;
  Hello hello;
  hello.id = {head.id_high, head.id_low};
  hello.slot = head.slot;
  HEARTH_ASSIGN_OR_RETURN(hello.predecessors, DecodeStories((*packet)->text));
  return std::unique_ptr<WorkerLifeline>(
      new WorkerLifeline(std::move(fd), std::move(hello)));
}

WorkerLifeline::WorkerLifeline(UniqueFd fd, Hello hello)
    : fd_(std::move(fd)), hello_(std::move(hello)) {}
WorkerLifeline::~WorkerLifeline() = default;

void WorkerLifeline::StartWatching(Callbacks callbacks) {
  watch_ = std::make_unique<Watch>(*this, std::move(callbacks));
}

absl::Status WorkerLifeline::Ready(absl::string_view note) {
  if (note.size() > kLifelineNoteBytesMax) {
    return Error(Reason::kTooLarge, "say ready: the note is over 1 KiB");
  }
  return Say(LifelineVerb::kReady, note);
}

absl::Status WorkerLifeline::Leaving(absl::string_view lost) {
  return Say(LifelineVerb::kLeaving, lost.substr(0, kLifelineNoteBytesMax));
}

absl::Status WorkerLifeline::Say(LifelineVerb verb, absl::string_view text) {
  LifelineMessage head;
  head.verb = static_cast<std::uint16_t>(verb);
  head.id_high = hello_.id.high;
  head.id_low = hello_.id.low;
  head.pid = getpid();
  return SendLifeline(fd_.get(), head, text);
}

}  // namespace hearth::worker
