#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"
#include "server/core/ids.h"

namespace hearth::server {

enum class WorkerState : std::uint8_t { kReady, kDraining, kLost };
absl::string_view NameOf(WorkerState state);  // "ready", "draining", "lost"

struct WorkerIdentity {
  std::string host{};
  std::string slot{};  // the keeper's name for this seat; survives restarts
  Id incarnation{};    // random, one a process
  std::int64_t pid = 0;
  std::string address{};
  int thread_count = 1;
  std::string neighbourhood{};  // see Hello; empty: of its host alone
  // What an earlier coordinator called it; none: this is its first.
  WorkerId called{};
};

// Kind: value.
struct WorkerRecord {
  WorkerId id{};
  WorkerIdentity identity{};
  std::uint64_t epoch = 0;  // grows with each time this process joins
  WorkerState state = WorkerState::kReady;
  absl::Time lease_ends{};
  absl::Time lost_at{};
  std::string lost_why{};  // what the coordinator saw
  // Lost for its silence alone: it may live, behind a link that is cut.
  bool is_silent = false;
  std::optional<std::string> story{};  // what its keeper says: signal, OOM, log
};

// Who belongs to the cluster, and who has ended and how.
//
// A process that lost its stream and comes back keeps its id and gets the next
// epoch; a process started anew in the same slot gets a new id. What an older
// epoch says is refused.
//
// Kind:  resource, single-threaded.
// Bound: live workers, and the last kEndedMax that ended.
class MembershipCore {
 public:
  static constexpr std::size_t kEndedMax = 1024;
  static constexpr std::size_t kAddressesMax = 2;

  explicit MembershipCore(absl::Duration lease) : lease_(lease) {}

  struct Joined {
    WorkerId worker{};
    std::uint64_t epoch = 0;
    // Seats that this one takes: an older stream of the same process, or an
    // older process in the same slot. Already marked lost.
    std::vector<WorkerId> lost;
  };
  Joined Join(const WorkerIdentity& identity, absl::Time now);

  // Numbers below this one were given out before a restart: workers that had
  // them may have them again, nobody else.
  void StartNumbersAt(std::uint64_t next) { next_number_ = next; }

  // False when the epoch is not this worker's current one.
  bool Renew(WorkerId worker, std::uint64_t epoch, absl::Time now);
  bool IsCurrent(WorkerId worker, std::uint64_t epoch) const;

  // False when it was not current any more.
  bool Lose(WorkerId worker, std::uint64_t epoch, absl::string_view why,
            absl::Time now);
  // It is to take nothing new; or may again. False when it is lost.
  bool Drain(WorkerId worker);
  bool Undrain(WorkerId worker);
  // Workers whose lease has run out; now lost. They are found until the next
  // call of this or of Join, however many they are.
  std::vector<WorkerId> Expire(absl::Time now);

  // The story is kept with the newest worker of that host and pid.
  void Tell(absl::string_view host, std::int64_t pid, absl::string_view story);

  const WorkerRecord* Find(WorkerId worker) const;
  std::vector<WorkerRecord> List() const;  // by id
  int ready_count() const { return ready_count_; }
  int ready_count_at(absl::string_view host) const;
  std::vector<std::string> ReadyHosts() const;
  std::vector<WorkerId> ReadyAt(absl::string_view host) const;
  // One host, or two that say that they can map each other's segments.
  bool AreNear(absl::string_view one, absl::string_view other) const;
  // Ready or draining: those that can serve what their host holds.
  int live_count_at(absl::string_view host) const;
  std::vector<WorkerId> LiveAt(absl::string_view host) const;
  // Where up to kAddressesMax workers of the host serve its segments: live
  // ones, or else those that fell silent and may be heard again.
  std::vector<std::string> AddressesAt(absl::string_view host) const;
  bool ever_joined() const { return next_number_ > 1; }

 private:
  void MarkLost(WorkerRecord& record, absl::string_view why, absl::Time now);
  // Of the lost ones, so that the rest is bounded.
  void ForgetOldest();
  using ByHost = std::map<std::string, std::set<WorkerId>, std::less<>>;
  void CountReady(const WorkerRecord& record, int by);
  static void File(ByHost& hosts, const WorkerRecord& record, bool is_in);

  std::map<std::string, std::string, std::less<>> neighbourhoods_;  // by host
  const absl::Duration lease_;
  std::uint64_t next_number_ = 1;
  int ready_count_ = 0;
  std::map<WorkerId, WorkerRecord> workers_;
  std::map<Id, WorkerId> by_incarnation_;
  std::map<std::pair<std::string, std::string>, WorkerId> by_slot_;
  ByHost ready_by_host_;
  ByHost live_by_host_;
  std::map<absl::Time, std::vector<WorkerId>> leases_;  // checked lazily
  std::deque<WorkerId> ended_;
};

}  // namespace hearth::server
