#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"

namespace hearth {

using CallNumber = std::uint64_t;  // one call at its host

struct ObjectCoreOptions {
  std::string name;  // for messages
  int waiting_max = 1024;
  absl::Duration call_time_max = absl::InfiniteDuration();
};

// --- what happens to an object -----------------------------------------------

struct CallArrived {
  CallNumber call = 0;
  Id chain{};
  bool concurrent = false;  // may run beside others
  absl::Time deadline = absl::InfiniteFuture();
  bool idempotent = false;  // may be done again elsewhere
};
// The method has returned.
struct CallEnded {
  CallNumber call = 0;
};
// It begins, or ends, to wait for a call that it made itself.
struct CallWaits {
  CallNumber call = 0;
};
struct CallGoesOn {
  CallNumber call = 0;
};
struct CallCancelled {
  CallNumber call = 0;
};
// The object is taken away: what waits is refused, what runs is stopped. Only
// what never ran, or may run twice, hears object-gone: its caller then asks
// whoever has the name next.
struct ObjectEnded {};
struct ObjectTimePassed {};
using ObjectEvent = std::variant<CallArrived, CallEnded, CallWaits, CallGoesOn,
                                 CallCancelled, ObjectEnded, ObjectTimePassed>;

// --- what is to be done ------------------------------------------------------

struct StartCall {
  CallNumber call = 0;
  friend bool operator==(const StartCall&, const StartCall&) = default;
};
// It never ran: answer it so.
struct RefuseCall {
  CallNumber call = 0;
  absl::Status status;
  friend bool operator==(const RefuseCall&, const RefuseCall&) = default;
};
// It runs still: answer its caller so, tell the method, and wait for CallEnded.
struct StopCall {
  CallNumber call = 0;
  absl::Status status;
  friend bool operator==(const StopCall&, const StopCall&) = default;
};
using ObjectAction = std::variant<StartCall, RefuseCall, StopCall>;

// The mailbox of one object: which of its calls run, which wait. One at a time,
// in the order of their arrival, but for those marked concurrent; and a call of
// a chain that comes back to an object whose running calls all wait for that
// same chain goes first, or nothing would ever go on.
//
// Kind:   resource, single-threaded, pure. Its host holds the lock.
// Bound:  ObjectCoreOptions::waiting_max calls that wait.
// Cost:   O(1) a call, and O(log n) for the calls that run or wait.
class ObjectCore {
 public:
  explicit ObjectCore(ObjectCoreOptions options)
      : options_(std::move(options)) {}

  std::vector<ObjectAction> Handle(const ObjectEvent& event, absl::Time now);

  // When time passing would make a difference.
  absl::Time next_deadline() const;
  int running_count() const { return static_cast<int>(running_.size()); }
  int waiting_count() const { return static_cast<int>(waiting_.size()); }

 private:
  struct Running {
    Id chain{};
    bool concurrent = false;
    bool idempotent = false;
    int waits = 0;
    bool stopped = false;
    absl::Time deadline;
  };
  using Actions = std::vector<ObjectAction>;

  void On(const CallArrived& event, absl::Time now, Actions& actions);
  void On(const CallEnded& event, absl::Time now, Actions& actions);
  void On(const CallWaits& event, absl::Time now, Actions& actions);
  void On(const CallGoesOn& event, absl::Time now, Actions& actions);
  void On(const CallCancelled& event, absl::Time now, Actions& actions);
  void On(const ObjectEnded& event, absl::Time now, Actions& actions);
  void On(const ObjectTimePassed& event, absl::Time now, Actions& actions);

  bool MayStart(const CallArrived& call) const;
  void Start(const CallArrived& call, absl::Time now, Actions& actions);
  void StartWaiting(absl::Time now, Actions& actions);

  const ObjectCoreOptions options_;
  std::map<CallNumber, Running> running_;
  std::deque<CallArrived> waiting_;
  int exclusive_ = 0;  // of those that run
  bool ended_ = false;
};

}  // namespace hearth
