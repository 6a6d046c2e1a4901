#include "worker/keeper/keeper.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "hearth/base/clock.h"
#include "hearth/base/id.h"
#include "hearth/base/read_file.h"
#include "hearth/base/status.h"
#include "worker/keeper/child.h"
#include "worker/keeper/event_loop.h"
#include "worker/keeper/handover_server.h"
#include "worker/keeper/lifeline_message.h"
#include "worker/keeper/oom_evidence.h"
#include "worker/keeper/supervisor_core.h"

namespace hearth::worker {
namespace {

void Say(absl::string_view sentence) {
  const std::string line = absl::StrCat("hearth: ", sentence, "\n");
  [[maybe_unused]] const ssize_t ignored =
      write(STDERR_FILENO, line.data(), line.size());
}

// A debugger holds it: it stands still because somebody looks at it.
bool IsTraced(pid_t pid) {
  const std::string field = "\nTracerPid:\t";
  const auto status = ReadSmallFile(absl::StrCat("/proc/", pid, "/status"));
  if (!status.ok()) return false;
  const std::size_t at = status->find(field);
  return at != std::string::npos &&
         status->compare(at + field.size(), 2, "0\n") != 0;
}

// The shell around SupervisorCore and HandoverServer.
class KeeperShell {
 public:
  explicit KeeperShell(KeeperOptions options)
      : options_(std::move(options)),
        core_({.essential_count =
                   static_cast<std::uint32_t>(options_.essentials.size()),
               .worker_count = static_cast<std::uint32_t>(
                   std::max(options_.worker_count, 0)),
               .grace = options_.grace}),
        places_(options_.essentials.size() +
                static_cast<std::size_t>(std::max(options_.worker_count, 0))) {}

  ~KeeperShell() {
    for (ChildIndex i = 0; i < places_.size(); ++i) Forget(i);
    for (const int fd : {signals_.get(), options_.lifeline.get()}) {
      loop_.Remove(fd);
    }
  }

  int Run();

 private:
  // Where the processes of one child live, one after the other.
  struct Place {
    std::optional<Child> child;
    bool killed_by_us = false;
    bool hung = false;
    std::string note;  // of the first Ready
    pid_t ready_pid = 0;
  };

  absl::Status Open();
  void Tell(const SupervisorEvent& event);
  void Do(const SupervisorAction& action);
  void StartOne(ChildIndex index, const std::vector<WorkerStory>& predecessors);
  void ReadLifeline(ChildIndex index);
  void ReadLog(ChildIndex index);
  void Ended(ChildIndex index);
  void Forget(ChildIndex index);
  void SignalArrived();

  const ChildCommand& CommandOf(ChildIndex index) const {
    return index < options_.essentials.size() ? options_.essentials[index]
                                              : options_.worker;
  }

  KeeperOptions options_;
  const Clock& clock_ = Clock::Real();
  EventLoop loop_;
  std::unique_ptr<HandoverServer> handover_;
  SupervisorCore core_;
  OomEvidence oom_;
  UniqueFd signals_;
  std::vector<Place> places_;
  std::vector<SupervisorEvent> events_;  // arose while actions were carried out
  bool telling_ = false;
  std::optional<int> exit_status_;
  std::string lost_;      // what leaving workers could not hand over
  std::string last_end_;  // of a child, for when all ends with it
};

absl::Status KeeperShell::Open() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGIO, SIG_IGN);    // held_probe.h
  signal(SIGCHLD, SIG_DFL);  // ignored, it would take the exit codes away
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, SIGTERM);
  sigaddset(&ours, SIGINT);
  sigprocmask(SIG_BLOCK, &ours, nullptr);
  signals_.Reset(signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return ErrnoStatus("start the keeper: signalfd");
  HEARTH_RETURN_IF_ERROR(
      loop_.Add(signals_.get(), [this] { SignalArrived(); }));
  if (options_.lifeline.valid()) {
    HEARTH_RETURN_IF_ERROR(loop_.Add(options_.lifeline.get(), [this] {
      char ignored[64];
      const ssize_t count =
          read(options_.lifeline.get(), ignored, sizeof(ignored));
      if (count > 0) return;
      loop_.Remove(options_.lifeline.get());
      Tell(StopAsked{.exit_status = 0, .at_once = true});
    }));
  }
  HandoverServer::Options handover;
  handover.listener = std::move(options_.listener);
  handover.peers = options_.peers;
  handover = WithinOpenFilesLimit(std::move(handover));
  handover.bounds.segment_bytes_max = options_.segment_bytes_max;
  if (!handover.listener.valid()) return absl::OkStatus();
  handover_ = std::make_unique<HandoverServer>(std::move(handover), loop_);
  return handover_->Start();
}

int KeeperShell::Run() {
  if (const absl::Status opened = Open(); !opened.ok()) {
    Say(opened.message());
    return 1;
  }
  Tell(Began{});
  while (!exit_status_.has_value()) {
    absl::Time wake = core_.next_wake().value_or(absl::InfiniteFuture());
    if (handover_ != nullptr) {
      wake = std::min(wake,
                      handover_->next_wake().value_or(absl::InfiniteFuture()));
    }
    std::optional<absl::Duration> patience;
    if (wake < absl::InfiniteFuture()) patience = wake - clock_.Now();
    loop_.RunOnce(patience);
    if (handover_ != nullptr) handover_->Tick();
    if (const auto due = core_.next_wake();
        due.has_value() && *due <= clock_.Now()) {
      Tell(TimeWentBy{});
    }
  }
  return *exit_status_;
}

void KeeperShell::Tell(const SupervisorEvent& event) {
  events_.push_back(event);
  if (telling_) return;
  telling_ = true;
  while (!events_.empty()) {
    const SupervisorEvent next = std::move(events_.front());
    events_.erase(events_.begin());
    for (const SupervisorAction& action : core_.Handle(next, clock_.Now())) {
      Do(action);
    }
  }
  telling_ = false;
}

template <class... Handlers>
struct Match : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Match(Handlers...) -> Match<Handlers...>;

void KeeperShell::Do(const SupervisorAction& action) {
  const auto signal_child = [this](ChildIndex index, int signal) {
    Place& place = places_[index];
    if (!place.child.has_value()) return;
    place.killed_by_us = true;
    place.child->Signal(signal);
  };
  std::visit(
      Match{
          [&](const StartChild& start) {
            StartOne(start.child, start.predecessors);
          },
          [&](const TellStory& tell) {
            Place& place = places_[tell.to];
            if (!place.child.has_value()) return;
            LifelineMessage head;
            head.verb = static_cast<std::uint16_t>(LifelineVerb::kStory);
            // A sibling that doesn't listen misses a story: the successor has
            // it too.
            SendLifeline(place.child->lifeline(), head, tell.story.Encode())
                .IgnoreError();
          },
          [&](AskToLeave leave) {
            Place& place = places_[leave.child];
            if (!place.child.has_value()) return;
            LifelineMessage head;
            head.verb = static_cast<std::uint16_t>(LifelineVerb::kLeave);
            SendLifeline(place.child->lifeline(), head, "").IgnoreError();
          },
          [&](TerminateChild end) { signal_child(end.child, SIGTERM); },
          [&](KillChild end) { signal_child(end.child, SIGKILL); },
          [&](KillHungChild end) {
            Place& place = places_[end.child];
            if (!place.child.has_value() || IsTraced(place.child->pid())) {
              return;
            }
            place.hung = true;
            signal_child(end.child, SIGKILL);
          },
          [&](AllReady) {
            if (!options_.on_ready) return;
            std::vector<ReadyChild> ready;
            for (ChildIndex i = 0; i < places_.size(); ++i) {
              ready.push_back(
                  {CommandOf(i).name, places_[i].ready_pid, places_[i].note});
            }
            options_.on_ready(ready);
          },
          [&](const ReportEnd& report) {
            if (!options_.verbose && !report.story.given_up &&
                report.child >= options_.essentials.size()) {
              return;
            }
            const bool essential = report.child < options_.essentials.size();
            last_end_ = report.story.Sentence(
                essential ? CommandOf(report.child).name : "");
            const auto& words = report.story.last_lines;
            if (!options_.verbose && !words.empty()) {  // else echoed
              absl::StrAppend(&last_end_, "; its last words: ",
                              absl::StripPrefix(words.back(), "hearth: "));
            }
            if (essential && places_[report.child].ready_pid != 0) {
              absl::StrAppend(&last_end_,
                              "; the cluster ended with it: start it again");
            }
            if (options_.verbose) {
              Say(last_end_);
              last_end_.clear();
            }
          },
          [&](const Finish& finish) {
            exit_status_ = finish.exit_status;
            if (!lost_.empty()) Say(absl::StrCat("leave: ", lost_));
            // One line, however many children went before.
            if (exit_status_ != 0 && exit_status_ != 130 &&
                !last_end_.empty()) {
              Say(last_end_);
            }
          },
      },
      action);
}

void KeeperShell::StartOne(ChildIndex index,
                           const std::vector<WorkerStory>& predecessors) {
  Place& place = places_[index];
  place.killed_by_us = false;
  place.hung = false;
  const Id id = Id::Random();
  absl::StatusOr<Child> started =
      Child::Start(CommandOf(index), id, clock_.Now());
  if (!started.ok()) {
    // A start that failed is an end like any other: tried again, then given up.
    WorkerStory story;
    story.id = id;
    story.code = 127;  // the shell's convention
    story.last_lines = {std::string(started.status().message())};
    Tell(ChildEnded{index, story});
    return;
  }
  const Child& child = place.child.emplace(*std::move(started));

  LifelineMessage hello;
  hello.verb = static_cast<std::uint16_t>(LifelineVerb::kHello);
  hello.id_high = id.high;
  hello.id_low = id.low;
  const auto essentials =
      static_cast<std::uint32_t>(options_.essentials.size());
  hello.slot = index < essentials ? index : index - essentials;
  SendLifeline(child.lifeline(), hello, EncodeStories(predecessors))
      .IgnoreError();

  absl::Status watched =
      loop_.Add(child.lifeline(), [this, index] { ReadLifeline(index); });
  if (watched.ok()) {
    watched = loop_.Add(child.log(), [this, index] { ReadLog(index); });
  }
  if (watched.ok()) {
    watched = loop_.Add(child.pidfd(), [this, index] { Ended(index); });
  }
  // One that can't be watched can't be kept, and nobody would tell of its end.
  if (!watched.ok()) {
    WorkerStory story = place.child->Reap(clock_.Now());
    story.last_lines = {std::string(watched.message())};
    Forget(index);
    Tell(ChildEnded{index, std::move(story)});
  }
}

void KeeperShell::ReadLifeline(ChildIndex index) {
  Place& place = places_[index];
  for (;;) {
    const auto packet = ReceiveLifeline(place.child->lifeline());
    if (packet.ok() && !packet->has_value()) return;
    if (!packet.ok()) {
      // Ended, or nonsense: its process's end will tell the rest.
      loop_.Remove(place.child->lifeline());
      return;
    }
    const auto verb = static_cast<LifelineVerb>((*packet)->head.verb);
    if (verb == LifelineVerb::kLeaving) {
      if (!(*packet)->text.empty()) lost_ = (*packet)->text;
      Tell(ChildIsLeaving{index});
    }
    if (verb == LifelineVerb::kAlive) Tell(ChildIsAlive{index});
    if (verb != LifelineVerb::kReady) continue;
    place.note = (*packet)->text.substr(0, kLifelineNoteBytesMax);
    place.ready_pid = place.child->pid();
    Tell(ChildSaidReady{index});
  }
}

void KeeperShell::ReadLog(ChildIndex index) {
  Place& place = places_[index];
  if (!place.child->ReadLog(options_.verbose)) loop_.Remove(place.child->log());
}

void KeeperShell::Ended(ChildIndex index) {
  Place& place = places_[index];
  // Its last words are in the pipe before its end is known.
  place.child->ReadLog(options_.verbose);
  WorkerStory story = place.child->Reap(clock_.Now());
  const bool killed = story.end == WorkerStory::End::kSignalled &&
                      story.code == SIGKILL && !place.killed_by_us;
  story.out_of_memory = oom_.Grew() && killed;
  story.hung = place.hung;
  Forget(index);
  Tell(ChildEnded{index, std::move(story)});
}

void KeeperShell::Forget(ChildIndex index) {
  std::optional<Child>& child = places_[index].child;
  if (!child.has_value()) return;
  for (const int fd : {child->lifeline(), child->log(), child->pidfd()}) {
    loop_.Remove(fd);
  }
  child.reset();
}

void KeeperShell::SignalArrived() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof(info)) ==
         static_cast<ssize_t>(sizeof(info))) {
    const bool interrupted = info.ssi_signo == SIGINT;
    if (!interrupted && options_.hands_over) {
      Tell(LeaveAsked{});
      continue;
    }
    Tell(StopAsked{.exit_status = interrupted ? 130 : 0, .at_once = false});
  }
}

}  // namespace

int RunKeeper(KeeperOptions options) {
  return KeeperShell(std::move(options)).Run();
}

}  // namespace hearth::worker
