#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"
#include "hearth/base/mutex.h"
#include "hearth/object/value.h"

namespace hearth {

class MatrixSource;
class Target;
struct Class;

// A live object and what may be called of it.
struct Instance {
  std::shared_ptr<const Class> of;
  std::shared_ptr<void> object;
};

// A switch that ends calls. Copies share it.
//
// Kind:    value-like handle. Threads: any.
class Cancellation {
 public:
  Cancellation() : state_(std::make_shared<State>()) {}
  void Cancel() const;
  bool cancelled() const { return state_->cancelled; }
  // `hook` is called once it is cancelled, at once if it is already; until
  // Unhook with the number that this returns.
  std::uint64_t Hook(std::function<void()> hook) const;
  void Unhook(std::uint64_t number) const;

 private:
  struct State {
    Mutex mutex;
    std::atomic<bool> cancelled = false;
    std::uint64_t next ABSL_GUARDED_BY(mutex) = 1;
    std::map<std::uint64_t, std::function<void()>> hooks ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_;
};

// Where handles of objects lead to: what a process needs to call others and to
// be called back. The transports implement it.
//
// Threads: any.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  // What calls to `handle` go through. Never null: what can't be reached says
  // so when it is called.
  virtual std::shared_ptr<Target> Bind(const ObjectHandle& handle) = 0;
  // Makes an object callable by whoever gets the handle.
  virtual absl::StatusOr<ObjectHandle> Expose(Instance instance) = 0;
  // The matrix that a handle stands for. NOT_ALLOWED where nothing leads to
  // matrices.
  virtual absl::StatusOr<std::shared_ptr<MatrixSource>> OpenMatrix(
      const MatrixHandle& handle);
};

// What a method may know of the call that it serves. A method asks for it by a
// first parameter of type CallContext&.
//
// Kind:    lives as long as the call. Threads: `cancelled` from any.
struct CallContext {
  absl::Time deadline = absl::InfiniteFuture();
  Id chain{};               // of this call and all that it makes
  std::string correlation;  // a person's name for the chain
  std::map<std::string, std::string> metadata;  // travels along the chain
  Id session{};                                 // of the caller's process
  Cancellation cancellation;
  Surroundings* surroundings = nullptr;
  // Told when this call begins and ends to wait for another one: meanwhile the
  // chain may come back to the same object.
  std::function<void(bool waits)> on_wait;

  bool cancelled() const { return cancellation.cancelled(); }

  // Of the call that this thread serves; null outside of any.
  static CallContext* Current();
};

// Makes `context` the thread's current one.
class CallScope {
 public:
  explicit CallScope(CallContext* context);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  CallContext* const before_;
};

// Where the handles that this thread reads lead to: those of the current call,
// or of a scope around the reading of a result.
class SurroundingsScope {
 public:
  explicit SurroundingsScope(Surroundings* surroundings);
  ~SurroundingsScope();
  SurroundingsScope(const SurroundingsScope&) = delete;
  SurroundingsScope& operator=(const SurroundingsScope&) = delete;
  static Surroundings* Current();

 private:
  Surroundings* const before_;
};

// While it lives, what this thread waits for of remote objects asks `asked`,
// ten times a second, whether to give up: how a Ctrl-C ends a wait.
class InterruptScope {
 public:
  explicit InterruptScope(std::function<bool()> asked);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  // Whether this thread's waits are to ask.
  static bool Any();
  // Asks; once it was told yes, that is the answer. Not under a lock.
  static bool Interrupted();

 private:
  const std::function<bool()> asked_;
  bool interrupted_ = false;
  InterruptScope* const before_;
};

}  // namespace hearth
