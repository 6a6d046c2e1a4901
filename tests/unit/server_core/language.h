// The small language of the coordinator's tests: a cluster in a few words.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/coordinator_core.h"

namespace hearth::server {

inline absl::Time At(absl::Duration since_start) {
  return absl::UnixEpoch() + since_start;
}

inline MatrixRecord FileMatrix(std::string path = "/data/x.npy") {
  MatrixRecord matrix;
  matrix.layout.shape = {1000, 8};
  matrix.source = FileSource{.path = std::move(path)};
  return matrix;
}

inline MatrixRecord MemoryMatrix(std::string name, std::uint64_t token,
                                 std::string host = "a") {
  MatrixRecord matrix = FileMatrix();
  matrix.name = std::move(name);
  matrix.source = SegmentAt(Id{0, token}, std::move(host));
  return matrix;
}

// More memory than any segment here needs.
inline constexpr std::int64_t kRoomy = std::int64_t{1} << 40;

// A coordinator, and everything it said since it was last asked.
class Cluster {
 public:
  explicit Cluster(CoordinatorOptions options = {}) : core_(options) {}

  CoordinatorCore& core() { return core_; }
  void Wait(absl::Duration time) { now_ += time; }
  absl::Time now() const { return now_; }

  std::vector<Action> Tell(Event event) {
    std::vector<Action> actions = core_.Handle(std::move(event), now_);
    said_.insert(said_.end(), actions.begin(), actions.end());
    return actions;
  }
  void PassTime(absl::Duration time) {
    Wait(time);
    Tell(TimePassed{});
  }

  WorkerId Join(int threads = 1, std::uint64_t incarnation = 0) {
    return JoinAt("a", threads, incarnation);
  }
  WorkerId JoinAt(absl::string_view host, int threads = 1,
                  std::uint64_t incarnation = 0) {
    ++joined_;
    if (incarnation == 0) incarnation = joined_;
    WorkerIdentity identity;
    identity.host = std::string(host);
    identity.slot = absl::StrCat("s", incarnation);
    identity.incarnation = Id{1, incarnation};
    identity.pid = static_cast<std::int64_t>(1000 + incarnation);
    identity.thread_count = threads;
    const auto actions = Tell(WorkerJoined{0, std::move(identity), kRoomy});
    for (const Action& action : actions) {
      if (const auto* welcome = std::get_if<Welcome>(&action)) {
        return welcome->worker;
      }
    }
    return {};
  }
  void Lose(WorkerId worker, std::string what = "stream broke") {
    Tell(WorkerLost{worker, core_.members().Find(worker)->epoch,
                    std::move(what)});
  }
  void TellStory(WorkerId worker, std::string story) {
    Tell(WorkerStory{"a", core_.members().Find(worker)->identity.pid,
                     std::move(story)});
  }

  Answer Submit(JobSpec spec, std::string key = "") {
    for (const Action& action : Tell(SubmitJob{7, key, std::move(spec)})) {
      if (const auto* answer = std::get_if<Answer>(&action)) return *answer;
    }
    return {};
  }
  JobId Submit() {
    return Submit(JobSpec{.operation = "sum", .matrix = FileMatrix()}).job;
  }
  // Submitted, and planned by whoever was asked to.
  JobId SubmitPlanned(JobPlan plan, JobSpec spec) {
    const JobId job = Submit(std::move(spec)).job;
    for (const auto& [worker, task] : TakeTasks()) {
      if (task.kind == TaskKind::kPlan && task.job == job) {
        TellReport(worker, PlanReady{task.id, job, plan});
      } else {
        kept_.emplace_back(worker, task);
      }
    }
    return job;
  }
  JobId SubmitPlanned(JobPlan plan) {
    return SubmitPlanned(std::move(plan),
                         {.operation = "sum", .matrix = FileMatrix()});
  }

  void TellReport(WorkerId worker, Report report) {
    Tell(WorkerReported{worker,
                        core_.members().Find(worker)->epoch,
                        ++sequence_,
                        {std::move(report)}});
  }
  Id ResultOf(JobId job) const {
    const auto record = core_.FindJob(job);
    return record.has_value() && record->plan != nullptr
               ? record->plan->result.token
               : Id{};
  }
  void CommitTask(WorkerId worker, const Task& task, BytesRef partial = {"p"}) {
    TellReport(worker,
               Commit{.task = task.id,
                      .job = task.job,
                      .round = task.round,
                      .run = task.run,
                      .partial = std::move(partial),
                      .written_to = ResultOf(task.job),
                      .busy = absl::Milliseconds(1) * task.run.leaf_count()});
  }
  void FinishTask(WorkerId worker, const Task& task) {
    TellReport(worker, FinishDone{.task = task.id,
                                  .job = task.job,
                                  .round = task.round,
                                  .results = {{"result"}}});
  }

  // What has been assigned since this was last asked, in order.
  std::vector<std::pair<WorkerId, Task>> TakeTasks() {
    std::vector<std::pair<WorkerId, Task>> tasks = std::exchange(kept_, {});
    for (const Assign& assign : Take<Assign>()) {
      for (const Task& task : assign.tasks) {
        tasks.emplace_back(assign.worker, task);
      }
    }
    return tasks;
  }
  // Works until nothing is left to do; true when the job is done.
  bool Finish(JobId job) {
    while (true) {
      const auto tasks = TakeTasks();
      if (tasks.empty()) break;
      for (const auto& [worker, task] : tasks) {
        if (task.kind == TaskKind::kFinish) {
          FinishTask(worker, task);
        } else {
          CommitTask(worker, task);
        }
      }
    }
    return core_.FindJob(job)->state == JobState::kDone;
  }

  // Every action of that kind since it was last asked for.
  template <class Kind>
  std::vector<Kind> Take() {
    std::vector<Kind> found;
    std::vector<Action> rest;
    for (Action& action : said_) {
      if (auto* kind = std::get_if<Kind>(&action)) {
        found.push_back(std::move(*kind));
      } else {
        rest.push_back(std::move(action));
      }
    }
    said_ = std::move(rest);
    return found;
  }
  std::vector<Id> TakeDropped() {
    std::vector<Id> tokens;
    for (const DropTokens& drop : Take<DropTokens>()) {
      tokens.insert(tokens.end(), drop.tokens.begin(), drop.tokens.end());
    }
    return tokens;
  }

 private:
  CoordinatorCore core_;
  absl::Time now_ = absl::UnixEpoch();
  std::uint64_t joined_ = 0;
  std::uint64_t sequence_ = 0;
  std::vector<Action> said_;
  std::vector<std::pair<WorkerId, Task>> kept_;
};

inline BytesRef Token(std::uint64_t number) {
  return {.inline_bytes = "", .token = Id{9, number}};
}

}  // namespace hearth::server
