#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/object/call_context.h"
#include "hearth/object/value.h"

namespace hearth {

struct CallOptions {
  // Of the whole call, retries included; the rest of a chain's own deadline if
  // that is less.
  absl::Duration timeout = absl::InfiniteDuration();
  std::map<std::string, std::string> metadata = {};
  std::string correlation = {};  // empty: the chain's, or a fresh one
  // Of the call, and of taking the items that it gives.
  std::optional<Cancellation> cancellation = std::nullopt;
  // For how long an object that can't be reached is looked for again; none: as
  // the process does for all.
  std::optional<absl::Duration> patience = std::nullopt;
  // Of CallLater: `done` never waits, and is spared a thread of its own.
  bool done_is_quick = false;
};

struct CallStep {
  std::string method;
  std::vector<Value> arguments;
};

struct BatchResult {
  std::vector<Value> values;  // of the steps before the first that failed
  absl::Status status;        // of that one, which is number values.size()
};

// What calls of one object go through. A transport implements it; users hold
// it as a Proxy.
//
// Threads: any.
class Target {
 public:
  using Done = std::function<void(absl::StatusOr<Value>)>;

  virtual ~Target() = default;
  virtual absl::StatusOr<Value> Call(CallStep step,
                                     const CallOptions& options) = 0;
  // `done` is called once, from any thread.
  virtual void CallLater(CallStep step, const CallOptions& options,
                         Done done) = 0;
  // Returns once it is on its way.
  virtual absl::Status Send(CallStep step, const CallOptions& options) = 0;
  // In one message, in order, until the first that fails.
  virtual BatchResult CallAll(std::vector<CallStep> steps,
                              const CallOptions& options) = 0;
  // What the object's class declares.
  virtual absl::StatusOr<Value> Describe(const CallOptions& options) = 0;
  virtual ObjectHandle handle() const = 0;
  // Where handles in results lead to.
  virtual Surroundings* surroundings() = 0;
};

}  // namespace hearth
