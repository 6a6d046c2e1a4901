#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/core/actions.h"
#include "server/core/coordinator_options.h"
#include "server/core/host_book.h"
#include "server/core/matrix_record.h"
#include "server/core/membership_core.h"

namespace hearth::server {

// Segments that are to lie on more hosts, or are to be made: which host gets
// one, which of its workers fetches or makes it, what happens when that fails.
//
// A copy goes to the host that was planned for it, or to the one with the most
// free memory that has none of it yet. A worker that is lost or brings nothing
// for copy_stall is replaced; a host that says it has no room is left out.
//
// Kind: resource, single-threaded. Cost: O(hosts) for each copy's begin.
class CopyCore {
 public:
  // Copies that a host fetches at once: more would only share its link. What is
  // made there, every worker of it helps with.
  static constexpr int kAtOnce = 2;
  static constexpr int kAttemptsMax = 3;

  CopyCore(const CoordinatorOptions& options, const MembershipCore& members,
           HostBook& hosts)
      : options_(options), members_(members), hosts_(hosts) {}

  struct Want {
    Id segment;
    std::vector<Replica> from;
    std::int64_t bytes = 0;
    int count = 1;         // so many hosts, all different, none of `from`
    std::string attempt;   // "put \"m\"", for the error
    bool is_move = false;  // the error speaks of another host, not of replicas
    // What is to be made: `from` is empty then.
    OriginPtr origin{};
    std::int64_t offset = 0;
    std::vector<std::string> planned{};  // hosts, one for each replica
  };
  // OK when as many hosts are ready and have room, as things are now.
  absl::Status Check(const Want& want) const;

  CopyId Begin(Want want, absl::Time now);
  // What of it is made already is returned: nobody counts on it any more.
  std::vector<Replica> Cancel(CopyId copy);

  // False when nobody asked for it (any more): its token is to be dropped.
  bool OnCopied(WorkerId worker, const SegmentCopied& copied);
  void OnProgress(WorkerId worker, absl::Time now);
  void OnWorkerLost(WorkerId worker);
  // What was made there of something that is not complete yet is made again
  // elsewhere; returned: nobody counts on it any more.
  std::vector<Replica> OnHostLost(const std::string& host);
  void OnTimePassed(absl::Time now);

  struct Ended {
    CopyId copy{};
    absl::Status status;
    std::vector<Replica> made;  // all of them, or fewer with a status
  };
  // Finds hosts and workers for what waits, appends what is to be said, and
  // returns what has ended since the last call.
  std::vector<Ended> Fill(absl::Time now, std::vector<Action>& actions);

  // A report of an earlier life of the coordinator answers none of this one's.
  void StartLife(std::uint64_t life) { next_order_ = (life << 40) + 1; }

  bool empty() const { return wants_.empty(); }

 private:
  struct Part {
    std::string planned;  // host; empty: the one with the most room
    std::string host;     // empty: it waits for one
    WorkerId worker{};
    std::uint64_t order = 0;  // 0: not under way
    absl::Time moved_at;
    std::optional<Replica> made;
  };
  struct Entry {
    Want want;
    std::vector<Part> parts;
    std::set<std::string> full;  // hosts that had no room after all
    int failures = 0;
    absl::Status last_failure;
  };

  struct Choice {
    std::string host;         // empty: none now
    bool may_come = false;    // one that is busy with other copies
    absl::Status why_none{};  // else
  };
  Choice Choose(const Entry& entry, const Part& part) const;
  bool IsBusy(const std::string& host, const Entry& entry) const;
  void Stop(Entry& entry, Part& part, bool tell);
  absl::Status NoHost(const Want& want, int ready, int found,
                      std::int64_t most) const;

  const CoordinatorOptions& options_;
  const MembershipCore& members_;
  HostBook& hosts_;
  std::uint64_t next_copy_ = 1;
  std::uint64_t next_order_ = 1;
  std::map<CopyId, Entry> wants_;
  std::map<std::uint64_t, CopyId> by_order_;
  std::map<std::string, int> at_host_;
  std::map<WorkerId, std::set<std::uint64_t>> at_worker_;
  std::vector<Action> stops_;
  bool look_ = false;  // something has changed for those that wait
};

}  // namespace hearth::server
