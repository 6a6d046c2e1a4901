#include "hearth/transport/call/object_host.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/base/version.h"
#include "hearth/object/call_error.h"
#include "hearth/transport/call/host_job.h"
#include "hearth/transport/call/value_codec.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

constexpr absl::Duration kStopAtMost = absl::Seconds(10);

absl::Status NoSuchObject(absl::string_view key) {
  return Error(Reason::kObjectGone,
               absl::StrCat("call ", Quoted(key),
                            ": this process serves no such object (any more); "
                            "look its name up again"));
}

proto::MethodReply Refusal(const absl::Status& status) {
  proto::MethodReply reply;
  *reply.mutable_error() = ToCallError(status);
  return reply;
}

}  // namespace

void RunHere(Work work, Crew& crew) {
  for (std::size_t i = 1; i < work.size(); ++i) crew.Post(std::move(work[i]));
  if (!work.empty()) work.front()();
}

ObjectHost::ObjectHost(ObjectHostOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      once_(options_.once_bytes_max),
      crew_(limits::kCallThreadsMax) {}
ObjectHost::~ObjectHost() { Stop(); }

void ObjectHost::SetSurroundings(Bind bind, Surroundings& expose) {
  bind_ = std::move(bind);
  expose_ = &expose;
}

// ---------------------------------------------------------------------- calls

void ObjectHost::OnHello(const std::shared_ptr<Conversation>& from,
                         proto::SessionWelcome& welcome) {
  welcome.set_version(kVersion);
  *welcome.mutable_host() = ToProto(id_);
  MutexLock lock(mutex_);
  sessions_[from->peer()] = {.conversation = from};
}

void ObjectHost::OnCall(const std::shared_ptr<Conversation>& from,
                        proto::MethodCall call, Attached attached, Work& work) {
  Serve(nullptr, from, std::move(call), std::move(attached), work);
}

void ObjectHost::CallPlainly(proto::MethodCall call,
                             std::function<void(proto::MethodReply)> answer,
                             Work& work) {
  if (call.oneway()) {
    // One message is always answered: that it came is all that this one says.
    proto::MethodReply reply;
    reply.set_id(call.id());
    std::exchange(answer, [](const proto::MethodReply&) {})(std::move(reply));
  }
  Serve(std::move(answer), nullptr, std::move(call), nullptr, work);
}

void ObjectHost::Serve(std::function<void(proto::MethodReply)> answer,
                       const std::shared_ptr<Conversation>& from,
                       proto::MethodCall call, Attached attached, Work& work) {
  auto job = std::make_shared<Job>();
  job->from = from;
  job->answer = std::move(answer);
  job->id = call.id();
  job->session = from == nullptr ? Id() : from->peer();
  job->call = std::move(call);
  job->attached = std::move(attached);
  const proto::MethodCall& message = job->call;
  const absl::Time now = clock_.Now();
  if (message.timeout_us() > 0) {
    const absl::Duration left = absl::Microseconds(message.timeout_us());
    job->deadline = now + left;
    job->wall_deadline = absl::Now() + left;
  }
  MutexLock lock(mutex_);
  if (message.confirmed() > 0 && !job->session.zero()) {
    once_.Confirm(job->session, message.confirmed());
  }
  if (absl::Status admitted = Admit(job, work); !admitted.ok()) {
    Answer(*job, admitted, work);
  }
}

absl::Status ObjectHost::Admit(const JobPtr& job, Work& work) {
  const proto::MethodCall& call = job->call;
  if (stopping_) {
    return Error(Reason::kObjectGone,
                 absl::StrCat("call ", Quoted(call.object()),
                              ": its process is ending"));
  }
  if (call.steps_size() > limits::kBatchCallsMax) {
    return Error(Reason::kTooLarge,
                 absl::StrCat("call a batch of ", call.steps_size(),
                              ": the limit is ", limits::kBatchCallsMax));
  }
  const auto found = served_.find(call.object());
  if (found == served_.end()) return NoSuchObject(call.object());
  Served& served = *found->second;
  job->of = served.of;
  if (call.method() == kDescribe) {
    Outcome outcome;
    ToProto(Describe(*served.of), *outcome.reply.mutable_result());
    Answer(*job, std::move(outcome), work);
    return absl::OkStatus();
  }
  bool concurrent = served.of->options.concurrent;
  bool idempotent = true;
  if (call.steps().empty()) {
    HEARTH_ASSIGN_OR_RETURN(
        const Method* method,
        FindMethod(*served.of, call.object(), call.method()));
    concurrent = concurrent || method->marks.concurrent;
    idempotent = method->marks.idempotent;
    // Numbers are a session's: those of no session are of many callers.
    if (method->marks.exactly_once && call.number() > 0 &&
        !job->session.zero()) {
      job->once = OnceId{job->session, call.number()};
    }
  } else {
    bool all = true;
    for (const proto::Step& step : call.steps()) {
      const Method* method = served.of->Find(step.method());
      all = all && method != nullptr && method->marks.concurrent;
      idempotent =
          idempotent && (method == nullptr || method->marks.idempotent);
    }
    concurrent = concurrent || all;
  }
  if (call.again() && !idempotent) {
    const bool is_first_host = FromProto(call.first_host()) == id_;
    if (!job->once.has_value() || !is_first_host) {
      return Error(
          Reason::kOutcomeUnknown,
          absl::StrCat(
              "call ", served.of->name, ".", call.method(), " again: ",
              is_first_host
                  ? "it may have run when the connection broke, and is marked "
                    "neither idempotent nor exactly-once"
                  : "it may have run in a process that is gone",
              "; look at the object to see whether it did"));
    }
  }
  HEARTH_ASSIGN_OR_RETURN(job->box, BoxFor(served, job->session));
  job->number = next_call_++;
  if (job->once.has_value()) {
    auto verdict = once_.Ask(*job->once, job->number);
    if (auto* known = std::get_if<absl::StatusOr<Value>>(&verdict)) {
      if (!known->ok()) return known->status();
      Outcome outcome;
      ToProto(**known, *outcome.reply.mutable_result(), &outcome.attached);
      Answer(*job, std::move(outcome), work);
      return absl::OkStatus();
    }
    jobs_[job->number] = job;
    if (std::holds_alternative<OnceTable::IsRunning>(verdict)) {
      return absl::OkStatus();
    }
  } else {
    jobs_[job->number] = job;
  }
  Tell(job->box,
       CallArrived{.call = job->number,
                   .chain = {call.chain_high(), call.chain_low()},
                   .concurrent = concurrent,
                   .deadline = job->deadline,
                   .idempotent = idempotent},
       work);
  return absl::OkStatus();
}

void ObjectHost::Tell(const std::shared_ptr<Box>& box, const ObjectEvent& event,
                      Work& work) {
  for (ObjectAction& action : box->core.Handle(event, clock_.Now())) {
    if (const auto* start = std::get_if<StartCall>(&action)) {
      const auto job = jobs_.find(start->call);
      if (job == jobs_.end()) continue;
      ++running_;
      work.push_back([this, of = job->second] { Run(of); });
    } else if (const auto* refuse = std::get_if<RefuseCall>(&action)) {
      const auto found = jobs_.find(refuse->call);
      if (found == jobs_.end()) continue;
      const JobPtr job = std::move(found->second);
      jobs_.erase(found);
      std::vector<std::uint64_t> waiters;
      if (job->once.has_value()) waiters = once_.Withdraw(*job->once);
      Answer(*job, refuse->status, work);
      for (const std::uint64_t waiter : waiters) {
        const auto waiting = jobs_.find(waiter);
        if (waiting == jobs_.end()) continue;
        Answer(*waiting->second, refuse->status, work);
        jobs_.erase(waiting);
      }
    } else if (const auto* stop = std::get_if<StopCall>(&action)) {
      const auto found = jobs_.find(stop->call);
      if (found == jobs_.end()) continue;
      Answer(*found->second, stop->status, work);
      work.push_back([cancellation = found->second->cancellation] {
        cancellation.Cancel();
      });
    }
  }
}

void ObjectHost::Run(const JobPtr& job) { Finish(job, Perform(*job)); }

absl::StatusOr<ObjectHost::Outcome> ObjectHost::Perform(Job& job) {
  proto::MethodCall& call = job.call;
  Box& box = *job.box;
  if (!box.is_made) {
    // Nobody else runs here: a mailbox lets its first call in alone, unless it
    // is concurrent.
    MutexLock lock(job.box->making);
    if (!box.is_made) {
      std::vector<Value> none;
      auto made = Construct(*job.of, none);
      if (!made.ok()) return made.status();
      box.object = *std::move(made);
      box.is_made = true;
    }
  }
  CallContext context;
  context.deadline = job.wall_deadline;
  context.chain = {call.chain_high(), call.chain_low()};
  context.correlation = call.correlation();
  context.metadata = {call.metadata().begin(), call.metadata().end()};
  context.session = job.session;
  context.cancellation = job.cancellation;
  context.on_wait = [this, &job](bool waits) {
    Work work;
    {
      MutexLock lock(mutex_);
      Tell(job.box,
           waits ? ObjectEvent(CallWaits{job.number})
                 : ObjectEvent(CallGoesOn{job.number}),
           work);
    }
    for (auto& part : work) crew_.Post(std::move(part));
  };
  SessionSurroundings surroundings(bind_, expose_, job.session);
  context.surroundings = &surroundings;
  const CallScope scope(&context);
  Outcome outcome;
  proto::MethodReply& reply = outcome.reply;
  // A call of no session is one message, and so is its answer.
  auto* const beside = job.answer == nullptr ? &outcome.attached : nullptr;
  const Attached attached = std::exchange(job.attached, nullptr);
  if (call.steps().empty()) {
    HEARTH_ASSIGN_OR_RETURN(auto arguments,
                            FromProto(*call.mutable_arguments(), attached));
    HEARTH_ASSIGN_OR_RETURN(
        Value value, PerformStep(job, call.method(), std::move(arguments)));
    if (!value.is_null()) {
      ToProto(std::move(value), *reply.mutable_result(), beside);
    }
    return Packed(job, std::move(outcome), "what it gives");
  }
  for (proto::Step& step : *call.mutable_steps()) {
    absl::StatusOr<Value> value = [&]() -> absl::StatusOr<Value> {
      if (context.cancelled()) {
        return Error(Reason::kCallCancelled, "call a batch: it was cancelled");
      }
      HEARTH_ASSIGN_OR_RETURN(auto arguments,
                              FromProto(*step.mutable_arguments(), attached));
      return PerformStep(job, step.method(), std::move(arguments));
    }();
    if (!value.ok()) {
      *reply.mutable_error() = ToCallError(value.status());
      break;
    }
    ToProto(*std::move(value), *reply.add_results(), beside);
  }
  return Packed(job, std::move(outcome), "what its calls give");
}

// While it is still the object's turn: arrays may be its own.
absl::StatusOr<ObjectHost::Outcome> ObjectHost::Packed(Job& job,
                                                       Outcome outcome,
                                                       absl::string_view what) {
  HEARTH_RETURN_IF_ERROR(CheckFitsMessage(
      outcome.reply,
      absl::StrCat("call ", job.call.steps().empty() ? "" : "a batch of ",
                   Quoted(job.call.object()),
                   job.call.steps().empty() ? "." : "", job.call.method(), ": ",
                   what)));
  if (outcome.attached == nullptr) return outcome;
  const auto from = job.from.lock();
  HEARTH_RETURN_IF_ERROR(job.once.has_value() || from == nullptr
                             ? outcome.attached->Share()
                             : from->Prepare(outcome.attached));
  return outcome;
}

absl::StatusOr<Value> ObjectHost::PerformStep(Job& job,
                                              const std::string& method,
                                              std::vector<Value> arguments) {
  HEARTH_ASSIGN_OR_RETURN(const Method* found,
                          FindMethod(*job.of, job.call.object(), method));
  absl::StatusOr<Value> value = Invoke(*job.of, *found, job.box->object.get(),
                                       *CallContext::Current(), arguments);
  if (value.ok()) {
    HEARTH_RETURN_IF_ERROR(KeepStreams(job, *value));
    return value;
  }
  absl::Status status = WithHop(
      value.status(),
      absl::StrCat(job.call.object(), ".", method, " at ", options_.process));
  if (!job.call.correlation().empty() && CorrelationOf(status).empty()) {
    status = WithCorrelation(status, job.call.correlation());
  }
  return status;
}

void ObjectHost::Finish(const JobPtr& job, absl::StatusOr<Outcome> result) {
  Work work;
  {
    MutexLock lock(mutex_);
    jobs_.erase(job->number);
    if (job->once.has_value()) {
      absl::StatusOr<Value> kept = Value();
      if (!result.ok()) {
        kept = result.status();
      } else {
        proto::MethodReply copy = result->reply;
        kept = FromProto(*copy.mutable_result(), Attached(result->attached));
      }
      for (const std::uint64_t waiter : once_.Finish(*job->once, kept)) {
        const auto waiting = jobs_.find(waiter);
        if (waiting == jobs_.end()) continue;
        Answer(*waiting->second, result, work);
        jobs_.erase(waiting);
      }
    }
    Answer(*job, std::move(result), work);
    Tell(job->box, CallEnded{job->number}, work);
    --running_;
  }
  RunHere(std::move(work), crew_);
}

// Once a call: what comes later is for nobody.
void ObjectHost::Answer(Job& job, absl::StatusOr<Outcome> result, Work& work) {
  const auto from = job.from.lock();
  const bool is_heard =
      job.answer != nullptr || (from != nullptr && !from->broken());
  const bool is_done = std::exchange(job.answered, true) || job.call.oneway();
  // One that is kept may be asked for again.
  if ((is_done || !is_heard) && !job.once.has_value() && result.ok()) {
    DropStreams(result->reply, work);
  }
  if (is_done) return;
  proto::MethodReply reply =
      result.ok() ? std::move(result->reply) : Refusal(result.status());
  reply.set_id(job.id);
  if (job.answer != nullptr) {
    work.insert(work.begin(), [answer = job.answer, reply] { answer(reply); });
    return;
  }
  // A wire's Send does not block and calls nobody back.
  proto::Frame frame;
  *frame.mutable_reply() = std::move(reply);
  if (from != nullptr) {
    from->Send(std::move(frame), result.ok() ? result->attached : nullptr);
  }
}

void ObjectHost::OnCancel(const Conversation& from, std::uint64_t id,
                          Work& work) {
  MutexLock lock(mutex_);
  for (const auto& [number, job] : jobs_) {
    if (job->id == id && job->from.lock().get() == &from) {
      return Tell(job->box, CallCancelled{number}, work);
    }
  }
}

// ------------------------------------------------------------ time and endings

void ObjectHost::OnBroken(const Conversation& from, Work& work) {
  MutexLock lock(mutex_);
  const auto found = sessions_.find(from.peer());
  if (found == sessions_.end()) return;
  const auto current = found->second.conversation.lock();
  if (current != nullptr && current.get() != &from) return;  // a newer one
  found->second.gone_at = clock_.Now() + options_.session_grace;
  if (stopping_) EndSession(from.peer(), work);
}

void ObjectHost::OnBye(const Conversation& from, Work& work) {
  MutexLock lock(mutex_);
  EndSession(from.peer(), work);
}

void ObjectHost::Tick() {
  Work work;
  {
    MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    std::vector<std::shared_ptr<Box>> boxes;
    for (const auto& [number, job] : jobs_) {
      if (boxes.empty() || boxes.back() != job->box) boxes.push_back(job->box);
    }
    for (const auto& box : boxes) {
      if (box->core.next_deadline() <= now) {
        Tell(box, ObjectTimePassed{}, work);
      }
    }
    std::vector<Id> over;
    for (const auto& [id, session] : sessions_) {
      if (session.gone_at <= now) over.push_back(id);
    }
    for (const Id& id : over) EndSession(id, work);
  }
  for (auto& part : work) crew_.Post(std::move(part));
  SendHeldItems();
}

void ObjectHost::EndSession(const Id& session, Work& work) {
  sessions_.erase(session);
  once_.Forget(session);
  std::erase_if(streams_, [&](const auto& entry) {
    if (entry.second->session != session) return false;
    entry.second->dropped = true;
    // The source is the user's: it is let go of outside of the lock.
    work.push_back([items = entry.second] {});
    return true;
  });
  for (const auto& [key, served] : served_) {
    const auto box = served->sessions.find(session);
    if (box == served->sessions.end()) continue;
    Tell(box->second, ObjectEnded{}, work);
    work.push_back([of = box->second] {});
    served->sessions.erase(box);
  }
}

void ObjectHost::Stop() {
  Work work;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [key, served] : served_) {
      if (served->single != nullptr) Tell(served->single, ObjectEnded{}, work);
      for (auto& [session, box] : served->sessions) {
        Tell(box, ObjectEnded{}, work);
      }
    }
  }
  for (auto& part : work) part();
  const absl::Time until = absl::Now() + kStopAtMost;
  while (running_count() > 0 && absl::Now() < until) {
    absl::SleepFor(absl::Milliseconds(1));
  }
}

}  // namespace hearth
