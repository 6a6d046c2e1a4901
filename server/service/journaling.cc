#include "server/service/journaling.h"

#include <cstdio>
#include <utility>
#include <variant>
#include <vector>

namespace hearth::server {

void Journaling::Change(Journal::Change change) {
  waiting_[{change.kind, std::move(change.key)}] = std::move(change.value);
}

void Journaling::Note(const Action& action, const CoordinatorCore& core,
                      const Moment& now) {
  if (!is_on()) return;
  if (const auto* matrix = std::get_if<KeepMatrix>(&action)) {
    Change(ToRow(*matrix->matrix));
    has_noted_matrix_ = true;
  } else if (const auto* gone = std::get_if<ForgetMatrix>(&action)) {
    Change({Journal::Kind::kMatrix, gone->name, std::nullopt});
    has_noted_matrix_ = true;
  } else if (const auto* job = std::get_if<KeepJob>(&action)) {
    const auto kept = core.KeptJobOf(job->job);
    if (!kept.has_value()) return;
    Change(ToRow(*kept, now));
    NoteNumber(kNextJob, NumberOf(job->job) + 1);
  } else if (const auto* evicted = std::get_if<JobEvicted>(&action)) {
    Change({Journal::Kind::kJob, ToString(evicted->job), std::nullopt});
  } else if (const auto* welcome = std::get_if<Welcome>(&action)) {
    if (NumberOf(welcome->worker) < next_worker_) return;
    next_worker_ = NumberOf(welcome->worker) + 1;
    NoteNumber(kNextWorker, next_worker_);
  }
}

void Journaling::NoteNumber(const std::string& name, std::uint64_t number) {
  if (name == kNextWorker) next_worker_ = number;
  if (is_on()) Change(NumberRow(name, number));
}

absl::Status Journaling::Flush() {
  const bool is_asked_for_matrix = std::exchange(has_noted_matrix_, false);
  if (waiting_.empty()) return absl::OkStatus();
  std::vector<Journal::Change> changes;
  auto survives = Journal::Survives::kProcess;
  for (const auto& [place, value] : waiting_) {
    changes.push_back({place.first, place.second, value});
    if (place.first == Journal::Kind::kMatrix) {
      survives = Journal::Survives::kMachine;
    }
  }
  const absl::Status written = journal_->Write(changes, survives);
  if (written.ok()) {
    waiting_.clear();
  } else if (!is_failing_) {
    std::fprintf(stderr, "hearth coordinator: %s\n",
                 std::string(written.message()).c_str());
  }
  is_failing_ = !written.ok();
  return is_asked_for_matrix ? written : absl::OkStatus();
}

}  // namespace hearth::server
