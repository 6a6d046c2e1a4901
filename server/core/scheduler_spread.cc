// A matrix in pieces, or with fragments: each host computes what it has, and
// something of another only where that ends sooner.
#include <algorithm>
#include <utility>

#include "server/core/scheduler.h"

namespace hearth::server {
namespace {

// Of a matrix that has been shared out before: the second half of a job is not
// shared out anew. Who has fragments computes them, and but a fortieth moves on
// in each job, towards what the hosts' speeds are now.
constexpr std::int64_t kSharePart = 2;
constexpr std::int64_t kSettlePart = 40;

// Rows of a result that another host holds until they are gathered, of one
// task: enough for a stream at full speed.
constexpr std::int64_t kPartBytes = 16 << 20;

}  // namespace

const Homes* Scheduler::HomesOf(Seat& seat) const {
  const JobRecord& job = seat.core->record();
  if (job.plan == nullptr || job.state != JobState::kRunning ||
      job.plan->needs_whole_matrix) {
    return nullptr;
  }
  if (seat.homes_version != seat.core->brief_version()) {
    seat.homes_version = seat.core->brief_version();
    seat.homes.reset();
    const auto* segment = std::get_if<SegmentSource>(&seat.matrix->source);
    const std::vector<SegmentPart> parts = SegmentsOf(*seat.matrix);
    if (!parts.empty() &&
        (segment == nullptr || fragments_.Find(segment->token) != nullptr)) {
      seat.homes.emplace(parts, fragments_, parts.back().block_end,
                         job.leaves_total);
    }
  }
  return seat.homes.has_value() ? &*seat.homes : nullptr;
}

const std::string& Scheduler::HomeNear(const Seat& seat,
                                       const std::string& host) const {
  const auto* segment = std::get_if<SegmentSource>(&seat.matrix->source);
  if (segment == nullptr) return host;
  const auto home = std::find_if(
      segment->replicas.begin(), segment->replicas.end(),
      [&](const Replica& one) { return members_.AreNear(one.host, host); });
  return home == segment->replicas.end() ? host : home->host;
}

bool Scheduler::IsAllowedNear(const Seat& seat, const SpreadSource& spread,
                              const WorkerLoad& load) const {
  const JobRecord& job = seat.core->record();
  int home_workers = 0;
  for (const Piece& piece : spread.pieces) {
    if (piece.segment.IsAt(load.host())) return true;
  }
  for (const Piece& piece : spread.pieces) {
    for (const Replica& one : piece.segment.replicas) {
      home_workers += members_.ready_count_at(one.host);
    }
    if (home_workers > 0) break;
  }
  if (home_workers == 0) return true;
  // Others help with the leaves alone.
  return job.state == JobState::kRunning && !job.plan->needs_whole_matrix;
}

bool Scheduler::HasEnough(const Seat& seat, const Homes& homes,
                          const std::string& host) const {
  const JobRecord& job = seat.core->record();
  const auto* segment = std::get_if<SegmentSource>(&seat.matrix->source);
  if (segment == nullptr || homes.At(host).empty()) return false;
  if (seat.core->pending_leaves() > job.leaves_total / kSharePart) return false;
  return seat.crossed_leaves + seat.core->min_run_leaves() >
         std::max<std::int64_t>(1, job.leaves_total / kSettlePart);
}

bool Scheduler::MayCross(const Seat& seat, const Homes& homes,
                         const WorkerLoad& load) const {
  const JobRecord& job = seat.core->record();
  if (seat.max_workers > 0 && BriefedCount(seat) >= seat.max_workers) {
    return true;
  }
  const int workers = homes.WorkersElsewhere(load.host(), members_);
  if (workers == 0) return true;
  if (!seat.core->is_measured()) return false;
  if (HasEnough(seat, homes, load.host())) return false;
  const std::int64_t leaves = seat.core->min_run_leaves();
  return locality_.Pays(
      load.host(),
      {.bytes = seat.matrix->layout.bytes() / job.leaves_total * leaves +
                ResultBytes(seat, leaves),
       .leaf_time = seat.core->leaf_time(),
       .task_leaves = leaves,
       .leaves_left = job.leaves_total - job.leaves_done,
       .home_threads = workers * load.thread_count()});
}

bool Scheduler::IsAtHome(Seat& seat, const std::string& host,
                         LeafRun run) const {
  const Homes* homes = HomesOf(seat);
  return homes == nullptr ? IsHome(seat, host)
                          : homes->IsAt(HomeNear(seat, host), run);
}

bool Scheduler::MayHave(Seat& seat, const WorkerLoad& load,
                        const InFlight& task) const {
  if (task.kind != TaskKind::kCompute && !IsAtResult(seat, load)) return false;
  const Homes* homes = HomesOf(seat);
  return homes == nullptr || task.kind != TaskKind::kCompute ||
         homes->IsAt(HomeNear(seat, load.host()), task.run) ||
         MayCross(seat, *homes, load);
}

std::optional<Work> Scheduler::TakeFor(
    Seat& seat, const WorkerLoad& load, Care care, int thread_count,
    std::optional<std::int64_t> place) const {
  JobCore::Wish wish{.thread_count = thread_count, .place = place};
  if (!IsAtResult(seat, load)) {
    wish.elsewhere_leaves_max =
        std::max(seat.core->min_run_leaves(),
                 kPartBytes / std::max<std::int64_t>(1, ResultBytes(seat, 1)));
  }
  const Homes* homes = HomesOf(seat);
  if (homes == nullptr) return seat.core->Take(care, wish);
  wish.place.reset();
  const std::string& host = HomeNear(seat, load.host());
  for (const auto* runs : {&homes->OnlyAt(host), &homes->At(host)}) {
    wish.within = runs;
    auto work = seat.core->Take(care, wish);
    if (work.has_value()) return work;
  }
  const std::vector<LeafRun> others = MayCross(seat, *homes, load)
                                          ? homes->Served(members_)
                                          : homes->Unattended(members_);
  wish.within = &others;
  return seat.core->Take(care, wish);
}

}  // namespace hearth::server
