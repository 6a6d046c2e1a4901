#include "hearth/transport/call/call_target.h"

#include <atomic>
#include <chrono>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/object/call_error.h"
#include "hearth/transport/call/item_reader.h"
#include "hearth/transport/call/value_codec.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(20);

class CallTarget final : public Target,
                         public std::enable_shared_from_this<CallTarget> {
 public:
  CallTarget(std::unique_ptr<Route> route, ObjectHost& host,
             CallNumbers& numbers, Surroundings& surroundings,
             CallTargetOptions options)
      : route_(std::move(route)),
        host_(host),
        numbers_(numbers),
        surroundings_(surroundings),
        options_(options) {}

  absl::StatusOr<Value> Call(CallStep step,
                             const CallOptions& options) override {
    const std::string method = step.method;
    Attempt attempt = Pack(std::move(step), options);
    absl::StatusOr<Answer> answer = AskChecked(attempt, options);
    if (!answer.ok()) return answer.status();
    return Result(*answer, options);
  }

  void CallLater(CallStep step, const CallOptions& options,
                 Done done) override {
    // The first attempt takes no thread; if it breaks, the rest of the work
    // waits on one of the crew's.
    const std::shared_ptr<Attempt> attempt(
        new Attempt(Pack(std::move(step), options)));
    if (absl::Status fits = CheckArguments(*attempt); !fits.ok()) {
      return done(std::move(fits));
    }
    // Arrays are the caller's again when this returns.
    if (attempt->attached != nullptr && attempt->attached->is_borrowed()) {
      if (absl::Status shared = attempt->attached->Share(); !shared.ok()) {
        numbers_.Settle(attempt->call.number());
        return done(std::move(shared));
      }
    }
    auto place = route_->Find(false, attempt->deadline);
    absl::Status prepared =
        place.ok() ? place->conversation->Prepare(attempt->attached)
                   : absl::OkStatus();
    if (!prepared.ok()) {
      numbers_.Settle(attempt->call.number());
      return done(std::move(prepared));
    }
    if (!place.ok()) {
      return host_.crew().Post([self = shared_from_this(), attempt, options,
                                done] { self->GoOn(*attempt, options, done); });
    }
    auto pending = std::make_shared<Conversation::Pending>();
    pending->is_quick = options.done_is_quick;
    pending->on_done = [self = shared_from_this(), attempt, options, done,
                        conversation =
                            std::weak_ptr(place->conversation)](auto& ended) {
      attempt->has_ended = true;
      Unhook(*attempt, options);
      if (ended.broken.ok()) {
        self->numbers_.Settle(attempt->call.number());
        Answer answer{std::move(ended.reply), std::move(ended.attached),
                      conversation};
        return done(self->Result(answer, options));
      }
      attempt->Broke(conversation.lock());
      self->host_.crew().Post([self, attempt, options, done] {
        self->GoOn(*attempt, options, done);
      });
    };
    proto::MethodCall call = attempt->call;
    Address(call, *place, attempt->deadline);
    place->conversation->Begin(std::move(call), pending, attempt->attached);
    if (options.cancellation.has_value()) {
      // Nothing that the call holds: it holds the cancellation itself.
      attempt->hook = options.cancellation->Hook(
          [conversation = std::weak_ptr(place->conversation),
           id = pending->id] {
            if (const auto alive = conversation.lock()) {
              alive->Abandon(id, Cancelled());
            }
          });
      if (attempt->has_ended) Unhook(*attempt, options);
    }
  }

  absl::Status Send(CallStep step, const CallOptions& options) override {
    Attempt attempt = Pack(std::move(step), options);
    const absl::Time deadline = attempt.deadline;
    proto::MethodCall& call = attempt.call;
    if (absl::Status fits = CheckArguments(attempt); !fits.ok()) return fits;
    numbers_.Settle(call.number());
    call.set_number(0);
    call.set_oneway(true);
    const absl::Time give_up =
        std::min(deadline, absl::Now() + options_.patience);
    for (bool fresh = false;; fresh = true) {
      auto place = route_->Find(fresh, give_up);
      if (place.ok()) {
        if (!place->conversation->WaitForRoom(give_up)) {
          return Error(
              Reason::kQueueFull,
              absl::StrCat("send ", Quoted(call.object()), ".", call.method(),
                           ": ", limits::kOnewayBytesMax >> 20,
                           " MiB of oneway calls wait to be sent, and its host "
                           "does not read them; send fewer, or calls that "
                           "wait"));
        }
        Address(call, *place, deadline);
        HEARTH_RETURN_IF_ERROR(place->conversation->Prepare(attempt.attached));
        auto pending = std::make_shared<Conversation::Pending>();
        place->conversation->Begin(call, pending, attempt.attached);
        if (!pending->done) return absl::OkStatus();
      } else if (ReasonOf(place.status()) != Reason::kObjectGone ||
                 absl::Now() >= give_up) {
        return place.status();
      }
      absl::SleepFor(kPause);
    }
  }

  BatchResult CallAll(std::vector<CallStep> steps,
                      const CallOptions& options) override {
    if (steps.empty()) return {};
    if (std::ssize(steps) > limits::kBatchCallsMax) {
      return {.values = {},
              .status = Error(
                  Reason::kTooLarge,
                  absl::StrCat("call a batch of ", steps.size(),
                               ": the limit is ", limits::kBatchCallsMax))};
    }
    Attempt attempt = Pack({}, options);
    for (CallStep& step : steps) {
      proto::Step& message = *attempt.call.add_steps();
      message.set_method(ValidUtf8(std::move(step.method)));
      for (Value& argument : step.arguments) {
        ToProto(std::move(argument), *message.add_arguments(),
                &attempt.attached);
      }
    }
    auto answer = AskChecked(attempt, options);
    if (!answer.ok()) return {.values = {}, .status = answer.status()};
    proto::MethodReply& reply = answer->reply;
    BatchResult result;
    if (reply.has_error()) result.status = FromProto(reply.error());
    result.values.reserve(static_cast<std::size_t>(reply.results_size()));
    for (proto::Value& value : *reply.mutable_results()) {
      auto read = Result(value, *answer, options);
      if (!read.ok()) {
        result.status = read.status();
        break;
      }
      result.values.push_back(*std::move(read));
    }
    return result;
  }

  absl::StatusOr<Value> Describe(const CallOptions& options) override {
    return Call({kDescribe, {}}, options);
  }
  ObjectHandle handle() const override { return route_->handle(); }
  Surroundings* surroundings() override { return &surroundings_; }

 private:
  // What is known of a call that is asked more than once.
  struct Attempt {
    proto::MethodCall call;
    absl::Time deadline;
    std::shared_ptr<Attachment> attached = nullptr;
    // Of one that no thread waits for: at its caller's cancellation.
    std::atomic<std::uint64_t> hook = 0;
    std::atomic<bool> has_ended = false;
    void Broke(const std::shared_ptr<Conversation>& conversation) {
      if (call.again()) return;
      call.set_again(true);
      if (conversation != nullptr) {
        *call.mutable_first_host() = ToProto(conversation->peer());
      }
    }
  };

  struct Answer {
    proto::MethodReply reply;
    Attached attached;
    std::weak_ptr<Conversation> from;
  };

  static void Unhook(Attempt& attempt, const CallOptions& options) {
    const std::uint64_t hook = attempt.hook.exchange(0);
    if (hook != 0) options.cancellation->Unhook(hook);
  }

  static absl::Status Cancelled() {
    return Error(Reason::kCallCancelled, "call: its caller cancelled it");
  }

  absl::StatusOr<Value> Result(Answer& answer, const CallOptions& options) {
    if (answer.reply.has_error()) return FromProto(answer.reply.error());
    return Result(*answer.reply.mutable_result(), answer, options);
  }

  absl::StatusOr<Value> Result(proto::Value& message, const Answer& answer,
                               const CallOptions& options) {
    absl::StatusOr<Value> value = FromProto(message, answer.attached);
    if (!value.ok()) return value;
    if (auto* stream = value->get<ValueStream>()) {
      stream->source =
          ReadItems(stream->id, route_, options.cancellation, answer.from);
    }
    return value;
  }

  static absl::Time DeadlineOf(const CallOptions& options) {
    absl::Time deadline = absl::InfiniteFuture();
    if (const CallContext* current = CallContext::Current()) {
      deadline = current->deadline;
    }
    if (options.timeout == absl::InfiniteDuration()) return deadline;
    return std::min(deadline, absl::Now() + options.timeout);
  }

  Attempt Pack(CallStep step, const CallOptions& options) {
    static std::atomic<std::uint64_t> chains = 1;
    proto::MethodCall call;
    std::shared_ptr<Attachment> attached;
    call.set_method(ValidUtf8(std::move(step.method)));
    for (Value& argument : step.arguments) {
      ToProto(std::move(argument), *call.add_arguments(), &attached);
    }
    if (const CallContext* current = CallContext::Current()) {
      call.set_chain_high(current->chain.high);
      call.set_chain_low(current->chain.low);
      call.set_correlation(current->correlation);
      for (const auto& [key, text] : current->metadata) {
        (*call.mutable_metadata())[key] = text;  // came by a message
      }
    } else {
      call.set_chain_high(host_.id().high);
      call.set_chain_low(chains++);
    }
    if (!options.correlation.empty()) {
      call.set_correlation(ValidUtf8(options.correlation));
    }
    for (const auto& [key, text] : options.metadata) {
      (*call.mutable_metadata())[ValidUtf8(key)] = ValidUtf8(text);
    }
    call.set_number(numbers_.Next());
    return {std::move(call), DeadlineOf(options), std::move(attached)};
  }

  // Of one that is too large for a message, nobody will ever hear.
  absl::Status CheckArguments(const Attempt& attempt) {
    const proto::MethodCall& call = attempt.call;
    absl::Status fits = CheckFitsMessage(
        call, call.steps().empty()
                  ? absl::StrCat("call ", call.method(), ": its arguments")
                  : absl::StrCat("call a batch of ", call.steps_size(),
                                 ": their arguments"));
    if (!fits.ok()) numbers_.Settle(call.number());
    return fits;
  }

  void Address(proto::MethodCall& call, const Route::Place& place,
               absl::Time deadline) {
    call.set_object(ValidUtf8(place.key));
    call.set_confirmed(numbers_.confirmed());
    if (deadline != absl::InfiniteFuture()) {
      call.set_timeout_us(std::max<std::int64_t>(
          1, absl::ToInt64Microseconds(deadline - absl::Now())));
    }
  }

  // The answer to a call, asked for again while that makes sense.
  absl::StatusOr<Answer> AskChecked(Attempt& attempt,
                                    const CallOptions& options) {
    HEARTH_RETURN_IF_ERROR(CheckArguments(attempt));
    return Ask(attempt, options);
  }

  absl::StatusOr<Answer> Ask(Attempt& attempt, const CallOptions& options) {
    const absl::Cleanup settle = [&] {
      numbers_.Settle(attempt.call.number());
    };
    CallContext* current = CallContext::Current();
    if (current != nullptr && current->on_wait != nullptr) {
      current->on_wait(true);
    }
    const absl::Cleanup go_on = [current] {
      if (current != nullptr && current->on_wait != nullptr) {
        current->on_wait(false);
      }
    };
    const absl::Duration patience =
        options.patience.value_or(options_.patience);
    std::optional<absl::Time> give_up;
    for (bool fresh = attempt.call.again();; fresh = true) {
      if ((options.cancellation.has_value() &&
           options.cancellation->cancelled()) ||
          (give_up.has_value() && InterruptScope::Interrupted())) {
        return Cancelled();
      }
      auto place = route_->Find(
          fresh, std::min(attempt.deadline,
                          give_up.value_or(absl::Now() + options_.patience)));
      absl::Status failed = place.status();
      if (place.ok()) {
        HEARTH_RETURN_IF_ERROR(place->conversation->Prepare(attempt.attached));
        auto pending = std::make_shared<Conversation::Pending>();
        proto::MethodCall message = attempt.call;
        Address(message, *place, attempt.deadline);
        place->conversation->Begin(std::move(message), pending,
                                   attempt.attached);
        const bool was_sent = pending->id != 0;
        if (Await(*place->conversation, pending, attempt.deadline, options)) {
          if (pending->broken.ok()) {
            if (!IsMoved(pending->reply, place->key)) {
              return Answer{std::move(pending->reply),
                            std::move(pending->attached), place->conversation};
            }
            failed = FromProto(pending->reply.error());
          } else {
            failed = pending->broken;
            if (was_sent) attempt.Broke(place->conversation);
          }
        } else {
          return Late(attempt);
        }
      } else if (ReasonOf(failed) != Reason::kObjectGone) {
        if (!attempt.call.again()) return failed;
        return Error(
            Reason::kOutcomeUnknown,
            absl::StrCat("call ", Named(), ".", attempt.call.method(), ": ",
                         failed.message(),
                         "; it may have run before the connection broke"));
      }
      const absl::Time now = absl::Now();
      if (!give_up.has_value()) give_up = now + patience;
      if (now >= attempt.deadline) return Late(attempt);
      if (now >= *give_up) {
        return Error(
            attempt.call.again() ? Reason::kOutcomeUnknown
                                 : Reason::kObjectGone,
            absl::StrCat(
                "call ", Named(), ".", attempt.call.method(), ": ",
                failed.message(), "; it was not there again within ",
                absl::FormatDuration(patience),
                attempt.call.again() ? ", and the call may have run" : ""));
      }
      absl::SleepFor(kPause);
    }
  }

  // The host is there and has no such object: one that has a name may have
  // moved.
  bool IsMoved(const proto::MethodReply& reply, const std::string&) const {
    return reply.has_error() && !route_->handle().name.empty() &&
           reply.error().failure().reason() ==
               static_cast<std::uint32_t>(Reason::kObjectGone) &&
           reply.error().stack().empty();
  }

  std::string Named() const {
    const ObjectHandle handle = route_->handle();
    return Quoted(handle.name.empty() ? handle.key : handle.name);
  }

  absl::Status Late(const Attempt& attempt) const {
    return Error(Reason::kDeadlineExceeded,
                 absl::StrCat("call ", Named(), ".", attempt.call.method(),
                              ": no answer came before its deadline; it may "
                              "have run"));
  }

  static bool Await(Conversation& conversation,
                    const std::shared_ptr<Conversation::Pending>& pending,
                    absl::Time deadline, const CallOptions& options) {
    CallContext* current = CallContext::Current();
    if (!options.cancellation.has_value() && current == nullptr) {
      return conversation.Wait(*pending, deadline);
    }
    const auto abandon = [weak = conversation.weak_from_this(),
                          id = pending->id] {
      if (const auto alive = weak.lock()) alive->Abandon(id, Cancelled());
    };
    std::uint64_t own = 0;
    std::uint64_t outer = 0;
    if (options.cancellation.has_value()) {
      own = options.cancellation->Hook(abandon);
    }
    if (current != nullptr) outer = current->cancellation.Hook(abandon);
    const bool is_there = conversation.Wait(*pending, deadline);
    if (own != 0) options.cancellation->Unhook(own);
    if (outer != 0) current->cancellation.Unhook(outer);
    return is_there;
  }

  // The rest of a call that began without a thread.
  void GoOn(Attempt& attempt, const CallOptions& options, const Done& done) {
    auto answer = Ask(attempt, options);
    if (!answer.ok()) return done(answer.status());
    done(Result(*answer, options));
  }

  const std::shared_ptr<Route> route_;
  ObjectHost& host_;
  CallNumbers& numbers_;
  Surroundings& surroundings_;
  const CallTargetOptions options_;
};

}  // namespace

std::uint64_t CallNumbers::Next() {
  MutexLock lock(mutex_);
  open_.emplace_hint(open_.end(), next_, true);
  return next_++;
}

void CallNumbers::Settle(std::uint64_t number) {
  MutexLock lock(mutex_);
  open_.erase(number);
  confirmed_ = open_.empty() ? next_ - 1 : open_.begin()->first - 1;
}

std::uint64_t CallNumbers::confirmed() {
  MutexLock lock(mutex_);
  return confirmed_;
}

std::shared_ptr<Target> MakeCallTarget(std::unique_ptr<Route> route,
                                       ObjectHost& host, CallNumbers& numbers,
                                       Surroundings& surroundings,
                                       CallTargetOptions options) {
  return std::make_shared<CallTarget>(std::move(route), host, numbers,
                                      surroundings, options);
}

}  // namespace hearth
