// What a coordinator makes of the journal that an earlier one left.
#include <limits>
#include <utility>

#include "server/core/coordinator_impl.h"

namespace hearth::server {

void CoordinatorCore::Impl::On(Recovered& recovered) {
  scheduler_.StartLife(recovered.life);
  copies_.StartLife(recovered.life);
  members_.StartNumbersAt(recovered.next_worker);
  next_job_ = recovered.next_job;
  for (MatrixRecord& matrix : recovered.matrices) {
    // What an earlier coordinator accepted is accepted again.
    catalog_.Put(std::move(matrix), /*replace=*/true).IgnoreError();
  }
  for (KeptJob& kept : recovered.jobs) Adopt(kept);
  adopts_at_ = now_ + options_.adopt_wait;
  rejoined_by_ = now_ + options_.rejoin_wait;
}

void CoordinatorCore::Impl::Adopt(KeptJob& kept) {
  const JobId job = kept.record.id;
  if (!kept.record.client_key.empty()) {
    by_client_key_[kept.record.client_key] = job;
  }
  if (HasEnded(kept.record.state)) {
    for (const BytesRef& result : kept.record.results) tokens_.Hold(result);
    // Nobody has said yet what memory its host has: not a reason to let go.
    for (const JobRecord& evicted :
         ended_.Add(std::move(kept.record),
                    std::numeric_limits<std::int64_t>::max(), now_)) {
      Evict(evicted);
    }
    return;
  }
  catalog_.Use(kept.record.order->matrix);
  for (const auto& [name, parameter] : kept.record.order->parameters) {
    catalog_.Use(parameter);
  }
  auto live = std::make_unique<Live>(
      Live{.core = JobCore(kept.record, options_, tokens_),
           .last_update = now_,
           .failing = {},
           .is_waiting = true});
  live->core.Resume(std::move(kept.record), std::move(kept.round_state));
  live_[job] = std::move(live);
  updated_.insert(job);
}

void CoordinatorCore::Impl::GiveOutAdopted() {
  adopts_at_.reset();
  for (const auto& [job, live] : live_) {
    if (std::exchange(live->is_waiting, false)) {
      scheduler_.AddJob(job, &live->core);
    }
  }
}

}  // namespace hearth::server
