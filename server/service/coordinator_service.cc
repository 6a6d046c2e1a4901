#include "server/service/coordinator_service.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/crash_point.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/version.h"
#include "hearth/transport/control/codec.h"
#include "server/service/summary.h"
#include "server/service/wire.h"

namespace hearth::server {
namespace {

constexpr std::int64_t kHeartbeatMs = 1000;
// How long workers wait for a coordinator that broke off: one that has a
// journal comes back, and what they hold is worth waiting for.
constexpr absl::Duration kReconnectFor = absl::Seconds(10);
constexpr absl::Duration kReconnectForDurable = absl::Hours(1);

}  // namespace

CoordinatorService::CoordinatorService(CoordinatorOptions options,
                                       const Clock& clock)
    : clock_(clock), core_(options) {}

absl::Status CoordinatorService::Resume(std::unique_ptr<Journal> journal,
                                        const std::vector<Journal::Row>& rows) {
  Errands errands;
  MutexLock lock(mutex_);
  HEARTH_ASSIGN_OR_RETURN(Recovered past, FromRows(rows, Now()));
  journaling_ = Journaling(std::move(journal));
  journaling_.NoteNumber(kLife, past.life);
  journaling_.NoteNumber(kNextWorker, past.next_worker);
  Ask(std::move(past), errands);
  return absl::OkStatus();
}

void CoordinatorService::NotePort(std::uint16_t port) {
  MutexLock lock(mutex_);
  journaling_.NoteNumber(kPort, port);
  journaling_.Flush().IgnoreError();
}

void CoordinatorService::Tick() {
  Errands errands;
  {
    MutexLock lock(mutex_);
    Ask(TimePassed{}, errands);
    AnswerMemoryQuestions(clock_.Now(), errands);
  }
  Run(std::move(errands));
}

void CoordinatorService::TellStory(const std::string& host, std::int64_t pid,
                                   const std::string& story) {
  Errands errands;
  {
    MutexLock lock(mutex_);
    Ask(WorkerStory{.host = host, .pid = pid, .story = story}, errands);
  }
  Run(std::move(errands));
}

void CoordinatorService::Run(Errands errands) {
  for (const auto& session : errands.pump) session->Pump();
  for (const auto& session : errands.end) session->End();
  for (const auto& call : errands.calls) call();
}

// ------------------------------------------------------------------- the core

std::optional<Answer> CoordinatorService::Ask(Event event, Errands& errands) {
  std::optional<Answer> answer;
  log_.Hear(event);
  const bool is_of_members = !std::holds_alternative<WorkerReported>(event) &&
                             !std::holds_alternative<Heartbeat>(event);
  for (Action& action : core_.Handle(std::move(event), clock_.Now())) {
    journaling_.Note(action, core_, Now());
    log_.Note(action, core_);
    Carry(action, errands, answer);
  }
  if (is_of_members) log_.LookAtMembers(core_);
  const bool is_kept = journaling_.has_changes();
  const absl::Status kept = journaling_.Flush();
  if (is_kept && answer.has_value()) CrashPoint("coordinator.kept");
  if (!kept.ok() && answer.has_value() && answer->status.ok()) {
    answer->status = kept;
  }
  for (Answer& later : std::exchange(answered_later_, {})) {
    const auto found = later_.find(later.call);
    const Later waiting = std::move(found->second);
    later_.erase(found);
    if (is_kept) CrashPoint("coordinator.kept");
    if (later.status.ok()) {
      later.status = kept;
      if (waiting.settle != nullptr && journaling_.is_on()) {
        waiting.settle(later.call, kept.ok(), errands);
      }
    }
    if (waiting.reactor == nullptr) continue;
    const absl::Status status =
        later.status.ok() ? waiting.fill(later) : later.status;
    errands.calls.push_back([reactor = waiting.reactor, status] {
      reactor->Finish(ToGrpc(status));
    });
  }
  return answer;
}

void CoordinatorService::SendTo(WorkerId worker, proto::ToWorker message,
                                Errands& errands) {
  const auto found = sessions_.find(worker);
  if (found == sessions_.end()) return;  // its stream is gone
  found->second->Send(std::move(message));
  errands.pump.push_back(found->second);
}

void CoordinatorService::Carry(Action& action, Errands& errands,
                               std::optional<Answer>& answer) {
  proto::ToWorker message;
  if (auto* answered = std::get_if<Answer>(&action)) {
    if (later_.contains(answered->call)) {
      answered_later_.push_back(std::move(*answered));
    } else {
      answer = std::move(*answered);
    }
  } else if (const auto* welcome = std::get_if<Welcome>(&action)) {
    WelcomeOne(*welcome, errands);
  } else if (const auto* brief = std::get_if<Brief>(&action)) {
    *message.mutable_brief() = ToWire(*brief, core_.members());
    SendTo(brief->worker, std::move(message), errands);
  } else if (const auto* assign = std::get_if<Assign>(&action)) {
    for (const Task& task : assign->tasks) {
      *message.mutable_assign()->add_tasks() = ToWire(task, core_.members());
    }
    SendTo(assign->worker, std::move(message), errands);
  } else if (const auto* revoke = std::get_if<Revoke>(&action)) {
    for (const TaskId task : revoke->tasks) {
      message.mutable_revoke()->add_tasks(NumberOf(task));
    }
    SendTo(revoke->worker, std::move(message), errands);
  } else if (const auto* shrink = std::get_if<Shrink>(&action)) {
    message.mutable_shrink()->set_task(NumberOf(shrink->task));
    message.mutable_shrink()->set_new_end(shrink->new_end);
    SendTo(shrink->worker, std::move(message), errands);
  } else if (const auto* release = std::get_if<ReleaseJob>(&action)) {
    message.mutable_release_job()->set_job(NumberOf(release->job));
    SendTo(release->worker, std::move(message), errands);
  } else if (const auto* acknowledge = std::get_if<Acknowledge>(&action)) {
    message.mutable_acknowledge()->set_sequence(acknowledge->sequence);
    SendTo(acknowledge->worker, std::move(message), errands);
  } else if (const auto* copy = std::get_if<CopySegment>(&action)) {
    message.mutable_copy_segment()->set_order(copy->order);
    message.mutable_copy_segment()->set_bytes(copy->bytes);
    *message.mutable_copy_segment()->mutable_segment() = ToProto(copy->segment);
    if (copy->origin != nullptr) {
      *message.mutable_copy_segment()->mutable_origin() =
          ToWire(*copy->origin, core_.members());
      message.mutable_copy_segment()->set_offset(copy->offset);
    }
    for (const Replica& replica : copy->from) {
      *message.mutable_copy_segment()->add_from() =
          ToWire(replica, core_.members());
    }
    SendTo(copy->worker, std::move(message), errands);
  } else if (const auto* stop = std::get_if<StopCopy>(&action)) {
    message.mutable_stop_copy()->set_order(stop->order);
    SendTo(stop->worker, std::move(message), errands);
  } else if (const auto* dismiss = std::get_if<Dismiss>(&action)) {
    message.mutable_dismiss()->set_lost(dismiss->lost);
    EndWith(dismiss->worker, dismiss->epoch, std::move(message), errands);
  } else if (const auto* drop = std::get_if<DropTokens>(&action)) {
    for (const Id& token : drop->tokens) {
      *message.mutable_drop_tokens()->add_tokens() = ToProto(token);
    }
    for (const auto& [worker, session] : sessions_) {
      const WorkerRecord* record = core_.members().Find(worker);
      if (record == nullptr || record->identity.host != drop->host) continue;
      SendTo(worker, std::move(message), errands);
      break;  // one worker tells the keeper of its host
    }
  } else if (const auto* gone = std::get_if<MatrixGone>(&action)) {
    *message.mutable_drop_copies()->add_tokens() = ToProto(gone->token);
    for (const auto& [worker, session] : sessions_) {
      SendTo(worker, proto::ToWorker(message), errands);
    }
  } else if (const auto* updated = std::get_if<JobUpdated>(&action)) {
    ShowJob(updated->job, errands);
  } else if (const auto* refuse = std::get_if<Refuse>(&action)) {
    *message.mutable_refuse()->mutable_failure() = ToProto(refuse->status);
    EndWith(refuse->worker, refuse->epoch, std::move(message), errands);
  }
  // What is to be kept is noted; nothing waits for JobEvicted.
}

void CoordinatorService::WelcomeOne(const Welcome& welcome, Errands& errands) {
  joining_->worker = NumberOf(welcome.worker);
  joining_->epoch = welcome.epoch;
  sessions_[welcome.worker] = joining_->shared_from_this();
  proto::ToWorker message;
  proto::Welcome& to = *message.mutable_welcome();
  to.set_worker(NumberOf(welcome.worker));
  to.set_epoch(welcome.epoch);
  to.set_heartbeat_ms(kHeartbeatMs);
  *to.mutable_coordinator() = ToProto(id_);
  to.set_reconnect_ms(absl::ToInt64Milliseconds(
      journaling_.is_on() ? kReconnectForDurable : kReconnectFor));
  SendTo(welcome.worker, std::move(message), errands);
}

void CoordinatorService::EndWith(WorkerId worker, std::uint64_t epoch,
                                 proto::ToWorker last_words, Errands& errands) {
  const auto found = sessions_.find(worker);
  if (found == sessions_.end() || found->second->epoch != epoch) return;
  errands.end.push_back(found->second);
  SendTo(worker, std::move(last_words), errands);
  sessions_.erase(worker);
}

// -------------------------------------------------------------------- workers

grpc::ServerBidiReactor<proto::FromWorker, proto::ToWorker>*
CoordinatorService::WorkerSession(grpc::CallbackServerContext*) {
  return server::WorkerSession::Open(*this).get();
}

void CoordinatorService::Join(server::WorkerSession& session,
                              const proto::Hello& hello, Errands& errands) {
  const absl::Status compatible = CheckVersion(hello.version());
  if (!compatible.ok()) {
    proto::ToWorker refusal;
    *refusal.mutable_refuse()->mutable_failure() = ToProto(compatible);
    session.Send(std::move(refusal));
    errands.pump.push_back(session.shared_from_this());
    errands.end.push_back(session.shared_from_this());
    return;
  }
  WorkerJoined joined{
      .call = next_call_++,
      .identity = {.host = hello.host(),
                   .slot = hello.slot(),
                   .incarnation = FromProto(hello.incarnation()),
                   .pid = hello.pid(),
                   .address = hello.address(),
                   .thread_count = hello.thread_count(),
                   .neighbourhood = hello.neighbourhood(),
                   .called = WorkerId{hello.worker()}},
      .free_bytes = hello.free_bytes()};
  joining_ = &session;
  Ask(std::move(joined), errands);
  joining_ = nullptr;
  AnswerReadyWaiters(errands);
}

void CoordinatorService::OnMessage(server::WorkerSession& session,
                                   const proto::FromWorker& message) {
  Errands errands;
  {
    MutexLock lock(mutex_);
    const WorkerId worker{session.worker.load()};
    const std::uint64_t epoch = session.epoch;
    if (message.has_hello()) {
      if (NumberOf(worker) == 0) Join(session, message.hello(), errands);
    } else if (NumberOf(worker) == 0) {
      errands.end.push_back(session.shared_from_this());  // Hello comes first
    } else if (message.has_heartbeat()) {
      Ask(Heartbeat{worker, epoch, message.heartbeat().free_bytes(),
                    message.heartbeat().is_copying()},
          errands);
    } else if (message.has_stream_pace()) {
      Ask(StreamPaced{worker, epoch, message.stream_pace().bytes(),
                      absl::Nanoseconds(message.stream_pace().took_ns())},
          errands);
    } else if (message.has_leave()) {
      Ask(HostLeaves{worker, epoch}, errands);
    } else if (message.has_reports()) {
      CrashPoint("coordinator.report");
      auto reports = FromWire(message.reports());
      if (reports.ok()) {
        Ask(WorkerReported{worker, epoch, message.reports().sequence(),
                           *std::move(reports)},
            errands);
      } else {
        errands.end.push_back(session.shared_from_this());
      }
    } else if (message.has_story()) {
      const WorkerRecord* record = core_.members().Find(worker);
      Ask(WorkerStory{.host = record == nullptr ? "" : record->identity.host,
                      .pid = message.story().pid(),
                      .story = message.story().text()},
          errands);
    } else if (message.has_leftovers()) {
      const WorkerRecord* record = core_.members().Find(worker);
      TokensLeft left{.host = record == nullptr ? "" : record->identity.host,
                      .tokens = {}};
      for (const auto& token : message.leftovers().tokens()) {
        left.tokens.push_back(FromProto(token));
      }
      Ask(std::move(left), errands);
    } else if (message.has_memory()) {
      const auto question = questions_.find(message.memory().question());
      if (question != questions_.end()) {
        question->second.unanswered.erase(NumberOf(worker));
        question->second.answers[NumberOf(worker)] = message.memory().memory();
        AnswerMemoryQuestions(clock_.Now(), errands);
      }
    }
  }
  Run(std::move(errands));
}

void CoordinatorService::OnBroken(server::WorkerSession& session) {
  Errands errands;
  {
    MutexLock lock(mutex_);
    const WorkerId worker{session.worker.load()};
    const auto found = sessions_.find(worker);
    if (found != sessions_.end() && found->second.get() == &session) {
      sessions_.erase(found);
    }
    if (NumberOf(worker) != 0) {
      Ask(WorkerLost{worker, session.epoch, "its connection broke"}, errands);
    }
  }
  Run(std::move(errands));
}

void CoordinatorService::AnswerReadyWaiters(Errands& errands) {
  const int ready = core_.members().ready_count();
  std::erase_if(ready_waiters_, [&](ReadyWaiter& waiter) {
    if (ready < waiter.workers) return false;
    waiter.reply->set_version(kVersion);
    waiter.reply->set_workers(ready);
    waiter.reply->set_pid(getpid());
    waiter.reply->set_durable(journaling_.is_on());
    std::set<std::string> hosts;
    for (const WorkerRecord& record : core_.members().List()) {
      if (record.state == WorkerState::kReady) {
        hosts.insert(record.identity.host);
      }
    }
    for (const std::string& host : hosts) waiter.reply->add_hosts(host);
    errands.calls.push_back(
        [reactor = waiter.reactor] { reactor->Finish(grpc::Status::OK); });
    return true;
  });
}

void CoordinatorService::AnswerMemoryQuestions(absl::Time now,
                                               Errands& errands) {
  for (auto entry = questions_.begin(); entry != questions_.end();) {
    MemoryQuestion& question = entry->second;
    if (!question.unanswered.empty() && now < question.deadline) {
      ++entry;
      continue;
    }
    for (const WorkerRecord& record : core_.members().List()) {
      proto::WorkerSummary& summary = *question.reply->add_workers();
      summary = SummaryOf(record);
      const auto memory = question.answers.find(NumberOf(record.id));
      if (memory != question.answers.end()) {
        *summary.mutable_memory() = memory->second;
      }
    }
    errands.calls.push_back(
        [reactor = question.reactor] { reactor->Finish(grpc::Status::OK); });
    entry = questions_.erase(entry);
  }
}

}  // namespace hearth::server
