#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/object/target.h"
#include "hearth/transport/call/conversation.h"
#include "hearth/transport/call/object_host.h"

namespace hearth {

// Numbers of this process's calls, and up to which they are settled: what
// exactly-once calls go by.
//
// Kind: resource. Threads: any.
class CallNumbers {
 public:
  std::uint64_t Next() ABSL_LOCKS_EXCLUDED(mutex_);
  void Settle(std::uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  // All up to this one are settled.
  std::uint64_t confirmed() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::uint64_t confirmed_ ABSL_GUARDED_BY(mutex_) = 0;
  // Those after confirmed_ that are settled, as bits of a ring.
  std::map<std::uint64_t, bool> open_ ABSL_GUARDED_BY(mutex_);
};

// Finds the way to one object, again where the last way broke.
//
// Threads: any.
class Route {
 public:
  struct Place {
    std::shared_ptr<Conversation> conversation;
    std::string key;
  };
  virtual ~Route() = default;
  // `fresh`: what was found before leads nowhere.
  // Fails: object-gone, which may pass; what else, doesn't.
  virtual absl::StatusOr<Place> Find(bool fresh, absl::Time deadline) = 0;
  virtual ObjectHandle handle() const = 0;
};

struct CallTargetOptions {
  // For how long an object that can't be reached is looked for again.
  absl::Duration patience = absl::Seconds(10);
};

// What proxies call through: packs a call, sends it by its route, and sends it
// again where the connection broke. Whether it may run again then, the host
// decides, who knows the method's marks.
std::shared_ptr<Target> MakeCallTarget(std::unique_ptr<Route> route,
                                       ObjectHost& host, CallNumbers& numbers,
                                       Surroundings& surroundings,
                                       CallTargetOptions options = {});

}  // namespace hearth
