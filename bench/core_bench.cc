// How many tasks a second the two pure cores can handle, with no wire between.
//
// Held against DESIGN 9's 100,000 tasks a second over real sockets: the cores
// must be a small part of that, so ten times as much at least.
//
// A million row blocks on 10 to 10,000 workers, four to a host: what a task
// costs the coordinator, in time and memory, must not grow with the cluster.
//
//   build/bench/bench/core_bench [tasks]
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/core/coordinator_core.h"
#include "worker/core/task_queue_core.h"

namespace {

using hearth::LeafRun;
namespace server = hearth::server;
namespace worker = hearth::worker;

// Of this thread alone: what else runs on the machine does not count.
double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) * 1e-9;
}

std::size_t BytesInUse() {
  const auto now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

struct Cost {
  double tasks_a_second = 0;  // of the coordinator's CPU alone
  std::size_t bytes_max = 0;  // of its core, while the job ran
};

// One coordinator, `workers`, four to a host, that commit what they are given
// at once, in batches of 64.
Cost CostOf(std::int64_t tasks, int workers, std::size_t partial,
            bool on_one_host) {
  const std::size_t bytes_before = BytesInUse();
  Cost cost;
  std::uint64_t reported = 0;
  server::CoordinatorCore core;
  absl::Time now = absl::UnixEpoch();
  std::deque<std::pair<server::WorkerId, std::vector<server::Task>>> given;
  double spent = 0;
  const auto tell = [&](server::Event event) {
    now += absl::Microseconds(10);
    const double start = CpuSeconds();
    auto actions = core.Handle(std::move(event), now);
    spent += CpuSeconds() - start;
    for (server::Action& action : actions) {
      if (auto* assign = std::get_if<server::Assign>(&action)) {
        given.emplace_back(assign->worker, std::move(assign->tasks));
      }
    }
  };
  for (int i = 0; i < workers; ++i) {
    server::WorkerIdentity identity;
    identity.host = std::to_string(i / 4);
    identity.slot = std::to_string(i);
    identity.incarnation = {1, static_cast<std::uint64_t>(i)};
    identity.thread_count = 4;
    tell(server::WorkerJoined{0, identity});
  }
  server::SubmitJob submit;
  server::MatrixRecord matrix;
  if (on_one_host) {
    matrix.source = server::SegmentAt(hearth::Id{1, 1}, "0");
  } else {
    matrix.source = server::FileSource{.path = "/m.npy"};
  }
  submit.spec.matrix = std::move(matrix);
  tell(std::move(submit));

  std::uint64_t sequence = 0;
  const auto report = [&](server::WorkerId id,
                          std::vector<server::Report> reports) {
    tell(server::WorkerReported{id, 1, ++sequence, std::move(reports)});
    if (++reported % 1000 == 0) {
      cost.bytes_max = std::max(cost.bytes_max, BytesInUse() - bytes_before);
    }
  };
  while (!given.empty()) {
    const auto [id, list] = std::move(given.front());
    given.pop_front();
    std::vector<server::Report> reports;
    for (const server::Task& task : list) {
      switch (task.kind) {
        case server::TaskKind::kPlan: {
          server::PlanReady ready;
          ready.task = task.id;
          ready.job = task.job;
          ready.plan.leaf_count = tasks;
          ready.plan.max_run_leaves = 1;
          reports.emplace_back(std::move(ready));
          break;
        }
        case server::TaskKind::kFinish: {
          server::FinishDone done;
          done.task = task.id;
          done.job = task.job;
          reports.emplace_back(std::move(done));
          break;
        }
        default: {
          server::Commit commit;
          commit.task = task.id;
          commit.job = task.job;
          commit.round = task.round;
          commit.run = task.run;
          commit.partial.inline_bytes.assign(partial, 'p');
          commit.busy = absl::Nanoseconds(200);
          reports.emplace_back(std::move(commit));
        }
      }
      if (reports.size() == 64) report(id, std::exchange(reports, {}));
    }
    if (!reports.empty()) report(id, std::move(reports));
  }
  const auto job = core.FindJob(server::JobId{1});
  if (job->state != server::JobState::kDone) std::abort();
  cost.tasks_a_second = static_cast<double>(tasks) / spent;
  return cost;
}

// One worker's queue, batches of 64 tasks of one leaf each.
double QueueRate(std::int64_t tasks) {
  worker::TaskQueueCore queue(1);
  const absl::Time now = absl::UnixEpoch();
  queue.Handle(worker::Joined{}, now);
  queue.Handle(worker::Briefed{1, 0, tasks, false}, now);
  const double start = CpuSeconds();
  std::int64_t leaf = 0;
  while (leaf < tasks) {
    worker::Assigned assigned;
    for (int i = 0; i < 64 && leaf < tasks; ++i, ++leaf) {
      worker::Task task;
      task.id = static_cast<std::uint64_t>(leaf + 1);
      task.job = 1;
      task.run = LeafRun{leaf, leaf + 1};
      assigned.tasks.push_back(std::move(task));
    }
    queue.Handle(assigned, now);
    worker::Outcome outcome = worker::Nothing{};
    while (true) {
      auto turn = queue.Next(0, std::move(outcome), now);
      for (const worker::QueueAction& action : turn.actions) {
        if (const auto* send = std::get_if<worker::Send>(&action)) {
          queue.Handle(worker::Acknowledged{send->sequence}, now);
        }
      }
      if (std::holds_alternative<worker::Idle>(turn.step)) break;
      if (std::holds_alternative<worker::ComputeLeaf>(turn.step)) {
        outcome = worker::LeafDone{};
      } else {
        worker::Delivered delivered;
        delivered.partials.resize(1);
        outcome = std::move(delivered);
      }
    }
  }
  return static_cast<double>(tasks) / (CpuSeconds() - start);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t tasks = argc > 1 ? std::atoll(argv[1]) : 1'000'000;
  struct Row {
    const char* name;
    int workers;
    std::size_t partial_bytes;
    bool on_one_host = false;
  };
  for (const Row& row :
       {Row{"coordinator, 4 workers, 24 bytes", 4, 24},
        Row{"coordinator, 4 workers, 4 KiB", 4, 4096},
        Row{"coordinator, 10 workers, 24 bytes", 10, 24},
        Row{"coordinator, 100 workers, 24 bytes", 100, 24},
        Row{"coordinator, 1,000 workers, 24 bytes", 1000, 24},
        Row{"coordinator, 10,000 workers, 24 bytes", 10'000, 24},
        Row{"10,000 workers, matrix on one host", 10'000, 24, true}}) {
    const Cost cost =
        CostOf(tasks, row.workers, row.partial_bytes, row.on_one_host);
    std::printf("%-40s %12.0f tasks a CPU second %8.1f MiB\n", row.name,
                cost.tasks_a_second,
                static_cast<double>(cost.bytes_max) / (1 << 20));
  }
  std::printf("%-40s %12.0f tasks a CPU second\n", "queue of one worker",
              QueueRate(tasks));
  return 0;
}
