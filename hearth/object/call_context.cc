#include "hearth/object/call_context.h"

#include <utility>

#include "hearth/base/error.h"

namespace hearth {
namespace {

thread_local CallContext* current_call = nullptr;
thread_local Surroundings* current_surroundings = nullptr;
thread_local InterruptScope* current_interrupt = nullptr;

}  // namespace

void Cancellation::Cancel() const {
  std::map<std::uint64_t, std::function<void()>> hooks;
  {
    MutexLock lock(state_->mutex);
    if (state_->cancelled.exchange(true)) return;
    hooks.swap(state_->hooks);
  }
  for (const auto& [number, hook] : hooks) hook();
}

std::uint64_t Cancellation::Hook(std::function<void()> hook) const {
  {
    MutexLock lock(state_->mutex);
    if (!state_->cancelled) {
      state_->hooks[state_->next] = std::move(hook);
      return state_->next++;
    }
  }
  hook();
  return 0;
}

void Cancellation::Unhook(std::uint64_t number) const {
  MutexLock lock(state_->mutex);
  state_->hooks.erase(number);
}

absl::StatusOr<std::shared_ptr<MatrixSource>> Surroundings::OpenMatrix(
    const MatrixHandle&) {
  return Error(Reason::kNotAllowed,
               "open a matrix: this process has no cluster to find it in");
}

CallContext* CallContext::Current() { return current_call; }

CallScope::CallScope(CallContext* context)
    : before_(std::exchange(current_call, context)) {}
CallScope::~CallScope() { current_call = before_; }

SurroundingsScope::SurroundingsScope(Surroundings* surroundings)
    : before_(std::exchange(current_surroundings, surroundings)) {}
SurroundingsScope::~SurroundingsScope() { current_surroundings = before_; }
Surroundings* SurroundingsScope::Current() {
  if (current_surroundings != nullptr) return current_surroundings;
  return current_call == nullptr ? nullptr : current_call->surroundings;
}

InterruptScope::InterruptScope(std::function<bool()> asked)
    : asked_(std::move(asked)),
      before_(std::exchange(current_interrupt, this)) {}
InterruptScope::~InterruptScope() { current_interrupt = before_; }
bool InterruptScope::Any() { return current_interrupt != nullptr; }
bool InterruptScope::Interrupted() {
  InterruptScope* const scope = current_interrupt;
  if (scope == nullptr) return false;
  scope->interrupted_ = scope->interrupted_ || scope->asked_();
  return scope->interrupted_;
}

}  // namespace hearth
