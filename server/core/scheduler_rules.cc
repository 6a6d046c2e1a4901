// Who may have what, and how much of it at a time.
#include <algorithm>
#include <variant>

#include "server/core/catalog_core.h"
#include "server/core/scheduler.h"

namespace hearth::server {

bool Scheduler::HasHostFor(const Seat& seat) const {
  const std::vector<std::string> hosts = members_.ReadyHosts();
  return std::any_of(hosts.begin(), hosts.end(), [&](const std::string& host) {
    return !seat.excluded.contains(host);
  });
}

bool Scheduler::IsHome(const Seat& seat, const std::string& host) const {
  const auto* segment = std::get_if<SegmentSource>(&seat.matrix->source);
  return segment == nullptr ||
         std::any_of(segment->replicas.begin(), segment->replicas.end(),
                     [&](const Replica& replica) {
                       return members_.AreNear(replica.host, host);
                     });
}

bool Scheduler::Exclude(JobId job, const std::string& host) {
  const auto seat = seats_.find(job);
  if (seat == seats_.end()) return true;  // it ends already
  seat->second.excluded.insert(host);
  return HasHostFor(seat->second);
}

int Scheduler::BriefedCount(const Seat& seat) const {
  if (seat.excluded.empty()) return static_cast<int>(seat.briefed.size());
  return static_cast<int>(std::count_if(
      seat.briefed.begin(), seat.briefed.end(), [&](const auto& one) {
        return !seat.excluded.contains(loads_.at(one.first).host());
      }));
}

bool Scheduler::IsAllowed(Seat& seat, WorkerId worker,
                          const WorkerLoad& load) const {
  if (seat.max_workers > 0 && !seat.briefed.contains(worker)) {
    const int kept = NeedsOneAtResult(seat, load) ? 1 : 0;
    if (BriefedCount(seat) + kept >= seat.max_workers) return false;
  }
  if (seat.excluded.contains(load.host())) return false;
  const JobRecord& job = seat.core->record();
  if (job.plan != nullptr && job.plan->concatenates) {
    if (IsAtResult(seat, load)) return true;
    if (!MayHandOver(seat, load)) return false;
  }
  if (const auto* spread = std::get_if<SpreadSource>(&seat.matrix->source)) {
    return IsAllowedNear(seat, *spread, load);
  }
  const auto* segment = std::get_if<SegmentSource>(&seat.matrix->source);
  if (segment == nullptr) return true;
  int home_workers = 0;
  bool is_served = false;
  for (const Replica& replica : segment->replicas) {
    if (members_.AreNear(replica.host, load.host())) return true;
    home_workers += members_.ready_count_at(replica.host);
    is_served = is_served || members_.live_count_at(replica.host) > 0;
  }
  // Its host may come back; if it does not, the job ends with that.
  if (!is_served) return false;
  if (home_workers == 0) return true;
  // Its few workers were at home once; the bytes have moved on since.
  if (seat.max_workers > 0 && BriefedCount(seat) >= seat.max_workers &&
      std::none_of(seat.briefed.begin(), seat.briefed.end(),
                   [&](const auto& one) {
                     return IsHome(seat, loads_.at(one.first).host());
                   })) {
    return true;
  }
  // It is planned where the bytes are.
  if (job.state != JobState::kRunning) return false;
  const Homes* homes = HomesOf(seat);
  if (homes != nullptr && !homes->At(load.host()).empty()) return true;
  if (!seat.core->is_measured()) return false;
  const std::int64_t leaves = seat.core->min_run_leaves();
  const std::int64_t bytes = fragments_.HasAll(segment->token, load.host(),
                                               {0, RowBlocksOf(*seat.matrix)})
                                 ? 0
                                 : seat.matrix->layout.bytes();
  return locality_.Pays(load.host(),
                        {.bytes = job.plan->needs_whole_matrix
                                      ? bytes
                                      : bytes / job.leaves_total * leaves +
                                            ResultBytes(seat, leaves),
                         .leaf_time = seat.core->leaf_time(),
                         .task_leaves = leaves,
                         .leaves_left = job.leaves_total - job.leaves_done,
                         .home_threads = home_workers * load.thread_count()});
}

bool Scheduler::IsAtResult(const Seat& seat, const WorkerLoad& load) const {
  const JobPlan* plan = seat.core->record().plan.get();
  return plan == nullptr || !plan->concatenates ||
         plan->result.host == load.host();
}

bool Scheduler::NeedsOneAtResult(const Seat& seat,
                                 const WorkerLoad& load) const {
  if (IsAtResult(seat, load)) return false;
  const std::string& host = seat.core->record().plan->result.host;
  return std::none_of(
      seat.briefed.begin(), seat.briefed.end(),
      [&](const auto& one) { return loads_.at(one.first).host() == host; });
}

std::int64_t Scheduler::ResultBytes(const Seat& seat,
                                    std::int64_t leaves) const {
  const JobRecord& job = seat.core->record();
  return job.plan->concatenates
             ? job.plan->result_bytes / job.leaves_total * leaves
             : 0;
}

bool Scheduler::MayHandOver(const Seat& seat, const WorkerLoad& load) const {
  const JobRecord& job = seat.core->record();
  if (job.state != JobState::kRunning || job.plan->needs_whole_matrix ||
      std::holds_alternative<Unmade>(seat.matrix->source)) {
    return false;
  }
  // Whether it pays to fetch the bytes, too, is asked where they lie.
  if (!std::holds_alternative<FileSource>(seat.matrix->source)) return true;
  if (!seat.core->is_measured()) return false;
  const std::int64_t leaves = seat.core->min_run_leaves();
  return locality_.Pays(
      load.host(),
      {.bytes = ResultBytes(seat, leaves),
       .leaf_time = seat.core->leaf_time(),
       .task_leaves = leaves,
       .leaves_left = job.leaves_total - job.leaves_done,
       .home_threads =
           std::max(1, members_.ready_count_at(job.plan->result.host)) *
           load.thread_count()});
}

// Among how many threads like this worker's the job is shared out: a slow one
// gets less at a time.
int Scheduler::ThreadsFor(const Seat& seat, const WorkerLoad& load) const {
  double threads = thread_count_;
  if (seat.max_workers > 0) {
    const int workers = std::max(1, members_.ready_count());
    threads *=
        static_cast<double>(std::min(seat.max_workers, workers)) / workers;
  }
  return static_cast<int>(
      std::clamp(threads * std::max(1.0, load.slowness()), 1.0, 1e9));
}

// Tasks that may wait behind the running ones: as many as last for
// queue_ahead, one while nothing is measured.
int Scheduler::QueueDepth(const Seat& seat, const WorkerLoad& load) const {
  const JobCore& job = *seat.core;
  if (job.record().state != JobState::kRunning || !job.is_measured()) return 1;
  const double task_ns = absl::ToDoubleNanoseconds(job.leaf_time()) *
                         static_cast<double>(job.min_run_leaves());
  const double wanted = absl::ToDoubleNanoseconds(options_.queue_ahead) *
                        load.thread_count() / std::max(task_ns, 1.0);
  return static_cast<int>(std::clamp(
      wanted, 1.0, static_cast<double>(options_.queue_ahead_tasks_max)));
}

}  // namespace hearth::server
