// The coordinator's death, its journal, and its next life.
#include <utility>

#include "tests/simulation/world.h"

namespace hearth::simulation {

// What is journalled is on disk before the answer is given: nothing of it is
// lost, and nothing else is kept.
void World::Keep(const server::Action& action) {
  if (const auto* matrix = std::get_if<server::KeepMatrix>(&action)) {
    kept_matrices_[matrix->matrix->name] = *matrix->matrix;
  } else if (const auto* gone = std::get_if<server::ForgetMatrix>(&action)) {
    kept_matrices_.erase(gone->name);
  } else if (const auto* job = std::get_if<server::KeepJob>(&action)) {
    auto kept = core_->KeptJobOf(job->job);
    journal_.next_job =
        std::max(journal_.next_job, server::NumberOf(job->job) + 1);
    if (kept.has_value()) kept_jobs_[job->job] = *std::move(kept);
  } else if (const auto* evicted = std::get_if<server::JobEvicted>(&action)) {
    kept_jobs_.erase(evicted->job);
  } else if (const auto* welcome = std::get_if<server::Welcome>(&action)) {
    journal_.next_worker =
        std::max(journal_.next_worker, server::NumberOf(welcome->worker) + 1);
  }
}

void World::TellLater(server::Event event, std::uint64_t stream) {
  if (std::holds_alternative<server::Heartbeat>(event) ||
      std::holds_alternative<server::WorkerReported>(event) ||
      std::holds_alternative<server::WorkerLost>(event) ||
      std::holds_alternative<server::TimePassed>(event)) {
    return;
  }
  if (std::holds_alternative<server::WorkerJoined>(event)) {
    return Break(stream, /*coordinator_knows=*/true);
  }
  // Clients and keepers try again.
  After(absl::Milliseconds(200),
        [this, event = std::move(event), stream] { Tell(event, stream); });
}

void World::KillCoordinator() {
  if (core_ == nullptr) return;
  core_.reset();
  ++counts_.coordinator_deaths;
  stream_by_worker_.clear();
  while (!streams_.empty()) {
    Break(streams_.begin()->first, /*coordinator_knows=*/true);
  }
  After(UpTo(absl::Seconds(2)), [this] { StartCoordinator(); });
}

void World::StartCoordinator() {
  last_restart_ = now_;
  ++life_;
  core_ = std::make_unique<server::CoordinatorCore>(OptionsFor(scenario_));
  server::Recovered past = journal_;
  past.life = life_;
  for (const auto& [name, matrix] : kept_matrices_) {
    past.matrices.push_back(matrix);
  }
  if (!scenario_.lose_journal) {
    for (const auto& [id, job] : kept_jobs_) {
      past.jobs.push_back(job);
      if (!server::HasEnded(job.record.state)) ++counts_.adopted;
    }
  }
  Tell(std::move(past));
}

void World::TellWhatItMade(const ProcessPtr& process) {
  server::TokensLeft left{"a", {}};
  for (const auto& [token, segment] : segments_) {
    if (segment.maker == process->incarnation) left.tokens.push_back(token);
  }
  SendUp(process->stream, [this, left] { Tell(left); });
}

}  // namespace hearth::simulation
