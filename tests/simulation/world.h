#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/core/coordinator_core.h"
#include "tests/simulation/model.h"
#include "tests/simulation/scenario.h"
#include "worker/core/task_queue_core.h"

namespace hearth::simulation {

server::CoordinatorOptions OptionsFor(const Scenario& scenario);

// A cluster in one thread: the very cores that the shells link, and everything
// around them (processes, threads, streams, keepers, segments, time) played.
//
// Streams are gRPC's: in order, nothing lost but with the stream, whose two
// ends notice at different times. What was not acknowledged is sent again in
// the next one, so messages come twice. A process dies without a word; its
// keeper tells its story later. Same scenario, same run, to the last event.
class World {
 public:
  explicit World(Scenario scenario);
  ~World();

  // Plays until every job has ended and all is quiet. What was wrong, one
  // sentence each; none when all promises were kept.
  std::vector<std::string> Run();

  // How often what the promises are about did happen.
  struct Counts {
    std::int64_t assigns = 0;
    std::int64_t combines = 0;
    std::int64_t revokes = 0;
    std::int64_t shrinks = 0;
    std::int64_t inputs_missing = 0;
    std::int64_t deaths = 0;
    std::int64_t breaks = 0;
    std::int64_t coordinator_deaths = 0;
    std::int64_t adopted = 0;  // jobs that ran on after one
    std::int64_t sent_again = 0;
    std::int64_t jobs_done = 0;
    std::int64_t jobs_failed = 0;
    std::int64_t copies = 0;
    std::int64_t host_deaths = 0;
    std::int64_t drains = 0;
    std::int64_t pieces = 0;    // made
    std::int64_t gathered = 0;  // runs of results
    Counts& operator+=(const Counts& other);
  };
  const Counts& counts() const { return counts_; }

  int deaths_by_leaf(std::size_t job) const {
    return jobs_[job].deaths_by_leaf;
  }
  const std::optional<server::JobRecord>& ended(std::size_t job) const {
    return jobs_[job].ended;
  }
  std::int64_t leaves_computed() const { return leaves_computed_; }
  absl::Duration elapsed() const { return now_ - absl::UnixEpoch(); }

 private:
  struct Segment {
    std::uint64_t value = 0;
    Rows rows;             // of a concatenated result, or a part of it
    Id maker;              // incarnation
    std::string host;      // whose keeper holds it
    bool is_open = false;  // a copy that is not all there yet
    bool is_partial = false;
  };
  struct Thread {
    std::uint64_t turn = 0;  // what was to happen in an earlier one does not
    bool idle = true;
    worker::Step step;
    std::vector<std::uint64_t> slots;
    std::vector<Rows> row_slots;  // of a result on another host
  };
  struct JobCache {
    std::size_t script = 0;
    std::uint64_t state = 0;
    Id missing_state;  // gone before it could be mapped
    Id result;
    bool hands_over = false;              // the result lies on another host
    std::vector<server::Replica> matrix;  // where it lies
    std::vector<server::Piece> pieces;    // or these
    std::int64_t leaf_count = 1;
  };
  struct Process {
    int slot = 0;
    std::string host;                     // its keeper's name
    std::map<std::uint64_t, Id> copying;  // orders
    Id incarnation;
    std::int64_t pid = 0;
    bool alive = true;
    std::uint64_t stream = 0;  // as it believes; 0: none
    std::uint64_t last_sequence = 0;
    std::uint64_t life = 0;     // of the coordinator that it knows
    server::WorkerId called{};  // by that one
    double slowness = 1;
    absl::Time frozen_until;
    std::unique_ptr<worker::TaskQueueCore> queue;
    std::vector<Thread> threads;
    std::map<std::uint64_t, JobCache> jobs;
  };
  using ProcessPtr = std::shared_ptr<Process>;
  struct Stream {
    ProcessPtr process;
    server::WorkerId worker{};  // once joined
    std::uint64_t epoch = 0;
    absl::Time last_up;
    absl::Time last_down;
  };
  struct JobState {
    std::optional<server::JobId> id;
    bool cancelled = false;
    int deaths_by_leaf = 0;
    std::optional<server::JobRecord> ended;
  };
  struct Happening {
    absl::Time at;
    std::uint64_t order = 0;
    std::function<void()> what;
    bool operator<(const Happening& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  // --- time and chance ---
  void At(absl::Time time, std::function<void()> what);
  void After(absl::Duration wait, std::function<void()> what) {
    At(now_ + wait, std::move(what));
  }
  absl::Duration Delay();
  absl::Duration UpTo(absl::Duration most);
  bool Happens(double probability);
  std::size_t Pick(std::size_t count);
  Id NewId();
  void Every(absl::Duration mean, void (World::*what)());

  // --- coordinator ---
  void Tell(server::Event event, std::uint64_t stream = 0);
  void Do(const server::Action& action, std::uint64_t stream);
  void Submit(std::size_t job);
  void PutMatrices();
  void CheckMatrices();
  void CheckEnded(server::JobId id);
  void CheckCancelled(std::size_t job);

  // --- the coordinator's death and its journal (world_coordinator.cc) ---
  // What is told to a dead coordinator: again later, or never.
  void TellLater(server::Event event, std::uint64_t stream);
  void KillCoordinator();
  void StartCoordinator();
  // Whatever of a process's segments a new coordinator was not told of in the
  // reports before is wanted by nobody.
  void TellWhatItMade(const ProcessPtr& process);
  void Keep(const server::Action& action);

  // --- streams ---
  void Connect(const ProcessPtr& process);
  void SendUp(std::uint64_t stream, std::function<void()> deliver);
  void SendDown(server::WorkerId worker,
                std::function<void(const ProcessPtr&)> deliver);
  void Break(std::uint64_t stream, bool coordinator_knows);

  // --- processes ---
  void Start(int slot);
  void Kill(const ProcessPtr& process, const std::string& how);
  void Do(const ProcessPtr& process,
          const std::vector<worker::QueueAction>& actions);
  void Hear(const ProcessPtr& process, const worker::QueueEvent& event);
  void Turn(const ProcessPtr& process, std::size_t thread,
            worker::Outcome outcome);
  void FinishStep(const ProcessPtr& process, std::size_t thread,
                  std::uint64_t turn);
  worker::Outcome Carry(const ProcessPtr& process, Thread& thread);
  worker::Report CarryWhole(const ProcessPtr& process,
                            const worker::Task& task);
  worker::BytesRef Keep(const Process& process, std::uint64_t value,
                        bool as_segment, bool is_partial);
  worker::BytesRef KeepRows(const Process& process, Rows rows, bool as_segment);
  worker::Report Gather(const JobCache& job, const worker::Task& task);
  absl::Duration TimeOf(const Process& process, const worker::Step& step);
  void Beat(const ProcessPtr& process);
  void Copy(const ProcessPtr& process, const server::CopySegment& copy);
  bool CanRead(const JobCache& job, std::int64_t leaf) const;
  bool IsServed(const std::vector<server::Replica>& replicas) const;
  // The bytes of a segment that a cluster was to make.
  static std::uint64_t ValueOf(const Id& origin, std::int64_t offset);
  int WholeReplicas(const server::SegmentSource& source,
                    std::uint64_t value) const;
  void LetGo(const ProcessPtr& process);
  void TellLeftovers(const ProcessPtr& process);
  std::size_t HostOf(int slot) const {
    return static_cast<std::size_t>(slot % scenario_.host_count);
  }
  std::string HostName(std::size_t host) const;

  // --- troubles ---
  ProcessPtr AnyProcess();
  void KillOne();
  void BreakOne();
  void FreezeOne();
  void LoseToken();
  void EndHost();
  void EndKeeper(std::size_t host);

  void Problem(std::string what) { problems_.push_back(std::move(what)); }

  Scenario scenario_;
  std::mt19937_64 bits_;
  absl::Time now_ = absl::UnixEpoch();
  std::uint64_t next_order_ = 0;
  std::vector<Happening> happenings_;  // a heap
  bool troubles_over_ = false;

  std::unique_ptr<server::CoordinatorCore> core_;  // null while it is dead
  std::uint64_t life_ = 1;                         // of the coordinator
  server::Recovered journal_;
  std::map<std::string, server::MatrixRecord> kept_matrices_;
  std::map<server::JobId, server::KeptJob> kept_jobs_;
  absl::Time last_restart_ = absl::InfinitePast();
  std::vector<JobState> jobs_;
  std::map<server::JobId, std::size_t> job_by_id_;
  std::map<server::CallId, std::size_t> job_by_call_;
  std::uint64_t next_call_ = 1;
  int disruptions_ = 0;  // losses and failures, as a coordinator may count them

  std::uint64_t next_stream_ = 1;
  std::map<std::uint64_t, Stream> streams_;  // those that are not broken
  std::map<server::WorkerId, std::uint64_t> stream_by_worker_;

  std::int64_t next_pid_ = 1;
  std::vector<ProcessPtr> processes_;
  std::vector<int> generations_;  // of keepers, by host
  int host_ends_ = 0;
  std::set<server::CallId> other_calls_;
  std::map<Id, Segment> segments_;
  std::int64_t leaves_computed_ = 0;
  Counts counts_;

  std::vector<std::string> problems_;
};

}  // namespace hearth::simulation
