#include "worker/service/worker_server.h"

#include <unistd.h>
#include <xmmintrin.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/log.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"
#include "hearth/base/version.h"
#include "hearth/shm/process_memory.h"
#include "hearth/transport/bulk/bulk_server.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/reach/segment_reach.h"
#include "worker/core/task_queue_core.h"
#include "worker/segments/copier.h"
#include "worker/segments/fragment.h"
#include "worker/segments/host_memory.h"
#include "worker/segments/kept_segments.h"
#include "worker/segments/leftovers.h"
#include "worker/segments/segment_server.h"
#include "worker/segments/segment_store.h"
#include "worker/service/coordinator_link.h"
#include "worker/service/job_context.h"
#include "worker/service/task_runner.h"
#include "worker/service/wire.h"

namespace hearth::worker {
namespace {

// Before the coordinator said how long.
constexpr absl::Duration kReconnectFor = absl::Seconds(10);
constexpr absl::Duration kReconnectForMax = absl::Hours(24);
constexpr absl::Duration kLeftoversEvery = absl::Seconds(5);
// One that was asked to leave does not wait that long.
constexpr absl::Duration kLeaveWithout = absl::Seconds(3);
constexpr absl::Duration kReconnectPause = absl::Milliseconds(50);
// What IEEE says: every exception masked, denormals kept, to nearest.
constexpr unsigned kPlainFloatingPoint = 0x1f80;

}  // namespace

class WorkerServer::Impl {
 public:
  Impl(WorkerServerOptions options, const Clock& clock)
      : options_(std::move(options)),
        clock_(clock),
        incarnation_(Id::Random()),
        reach_(options_.keeper, options_.security),
        leftovers_(options_.keeper),
        memory_(options_.keeper, options_.segment_bytes_max),
        store_(reach_),
        kept_(reach_),
        jobs_(reach_, kept_, store_),
        next_leftovers_(clock_.Now() + kLeftoversEvery),
        queue_(options_.threads),
        copier_(reach_, options_.threads, [this](const SegmentCopied& copied) {
          std::scoped_lock lock(mutex_);
          Apply(queue_.Handle(CopyEnded{copied}, clock_.Now()));
        }) {
    for (int i = 0; i < options_.threads; ++i) {
      runners_.push_back(std::make_unique<TaskRunner>(
          jobs_, store_, [this](const StreamPace& pace) { TellPace(pace); }));
    }
    for (int i = 0; i < options_.threads; ++i) {
      threads_.emplace_back([this, i] { Work(i); });
    }
  }

  ~Impl() {
    copier_.StopAll();
    {
      std::scoped_lock lock(mutex_);
      stopping_ = true;
      for (const auto& runner : runners_) runner->Interrupt();
    }
    wake_threads_.notify_all();
    wake_main_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    link_.reset();
  }

  absl::StatusOr<std::string> Run() {
    if (options_.listen.has_value()) {
      HEARTH_ASSIGN_OR_RETURN(
          server_,
          ServeSegments(*options_.listen, options_.security, reach_.own()));
    }
    absl::Time unreachable_since = clock_.Now();
    while (true) {
      const absl::Status connected = Connect();
      if (connected.ok()) {
        Log(absl::StrCat("works for ", options_.coordinator.ToString()));
        const absl::Status ended = Serve();
        Log("the connection to the coordinator has ended");
        if (!ended.ok()) return ended;
        unreachable_since = clock_.Now();
        std::scoped_lock lock(mutex_);
        if (dismissed_.has_value()) return *dismissed_;
      } else if (ReasonOf(connected) != Reason::kClusterUnreachable ||
                 clock_.Now() - unreachable_since > PatienceWithout()) {
        return connected;
      }
      absl::SleepFor(kReconnectPause);
    }
  }

  void Leave() {
    std::scoped_lock lock(mutex_);
    leaving_ = true;
    SayLeave();
  }

  void ReportStory(std::int64_t pid, const std::string& text) {
    std::scoped_lock lock(mutex_);
    stories_.emplace_back(pid, text);
    SendStories();
  }

 private:
  // What others are told: the port is the real one where none was given.
  std::string AdvertisedAddress() const {
    Address address = server_->address();
    const auto told = Address::Parse(options_.advertise);
    if (told.ok()) return options_.advertise;
    if (!options_.advertise.empty()) address.name = options_.advertise;
    return address.ToString();
  }

  // For how long a coordinator that can't be reached is waited for.
  absl::Duration PatienceWithout() {
    std::scoped_lock lock(mutex_);
    return leaving_ ? kLeaveWithout : reconnect_for_;
  }

  absl::Status Connect() {
    proto::Hello hello;
    hello.set_free_bytes(memory_.Free());
    hello.set_version(kVersion);
    hello.set_host(options_.keeper.ToString());
    hello.set_slot(options_.slot);
    hello.set_neighbourhood(NeighbourhoodOf(options_.keeper));
    *hello.mutable_incarnation() = ToProto(incarnation_);
    hello.set_pid(getpid());
    if (server_ != nullptr) hello.set_address(AdvertisedAddress());
    hello.set_worker(called_);
    // What a coordinator that was started anew is not told of in the reports to
    // come, nobody wants. Looked at before it can have asked for more.
    made_before_ = called_ == 0 ? std::vector<Id>() : leftovers_.Own();
    hello.set_thread_count(options_.threads);
    {
      std::scoped_lock lock(mutex_);
      broken_ = false;
      welcome_ = false;
      connecting_ = true;
    }
    auto link = CoordinatorLink::Open(
        options_.coordinator, options_.security, hello,
        {.on_message = [this](const auto& message) { OnMessage(message); },
         .on_broken =
             [this](const absl::Status&) {
               std::scoped_lock lock(mutex_);
               broken_ = true;
               wake_main_.notify_all();
             }});
    std::scoped_lock lock(mutex_);
    connecting_ = false;
    wake_main_.notify_all();
    if (!link.ok()) return link.status();
    link_ = *std::move(link);
    SendStories();
    SayLeave();
    return absl::OkStatus();
  }

  // Until the stream breaks (OK: try again) or this worker is refused.
  absl::Status Serve() {
    std::unique_lock lock(mutex_);
    absl::Time next_heartbeat = clock_.Now() + heartbeat_;
    while (!broken_ && refused_.ok() && !dismissed_.has_value() && !stopping_) {
      const absl::Time now = clock_.Now();
      if (queue_.flush_at() <= now) Apply(queue_.Handle(TimePassed{}, now));
      if (now >= next_heartbeat) {
        next_heartbeat = now + heartbeat_;
        lock.unlock();
        proto::FromWorker message;
        message.mutable_heartbeat()->set_free_bytes(memory_.Free());
        message.mutable_heartbeat()->set_is_copying(copier_.TakeProgress());
        lock.lock();
        if (welcome_) link_->Send(std::move(message));
        if (leaving_) options_.on_leaving();
        continue;
      }
      if (now >= next_leftovers_) {
        next_leftovers_ = now + kLeftoversEvery;
        lock.unlock();
        ReportLeftovers();
        lock.lock();
        continue;
      }
      const absl::Time until =
          std::min({queue_.flush_at(), next_heartbeat, next_leftovers_});
      main_sleeps_until_ = until;
      wake_main_.wait_for(lock, absl::ToChronoMicroseconds(
                                    std::max(until - now, absl::Duration())));
      main_sleeps_until_ = absl::InfinitePast();
    }
    std::unique_ptr<CoordinatorLink> ended = std::move(link_);
    Apply(queue_.Handle(Disconnected{}, clock_.Now()));
    copier_.StopAll();
    const absl::Status refused = refused_;
    lock.unlock();
    ended.reset();
    return refused;
  }

  // Under the lock, once the link is there and this worker welcome.
  void Join(absl::Time now) {
    Apply(queue_.Handle(Joined{is_new_coordinator_}, now));
    if (is_new_coordinator_) next_leftovers_ = absl::InfinitePast();
    wake_main_.notify_all();
  }

  void ReportLeftovers() {
    std::vector<Id> tokens = leftovers_.Look();
    {
      std::scoped_lock lock(mutex_);
      if (std::exchange(is_new_coordinator_, false)) {
        tokens.insert(tokens.end(), made_before_.begin(), made_before_.end());
      }
    }
    if (tokens.empty()) return;
    proto::FromWorker message;
    for (const Id& token : tokens) {
      *message.mutable_leftovers()->add_tokens() = ToProto(token);
    }
    std::scoped_lock lock(mutex_);
    if (link_ != nullptr && welcome_) link_->Send(std::move(message));
  }

  // ------------------------------------------------ what the coordinator says

  void OnMessage(const proto::ToWorker& message) {
    {
      // The first words may be quicker than the assignment of the link. A brief
      // that came before this worker had joined was forgotten as it joined, and
      // every task of its job failed here.
      std::unique_lock lock(mutex_);
      wake_main_.wait(lock, [this] { return !connecting_; });
    }
    if (message.has_ask_memory()) return AnswerMemory(message.ask_memory());
    if (message.has_drop_tokens()) {
      std::vector<Id> tokens;
      for (const auto& token : message.drop_tokens().tokens()) {
        tokens.push_back(FromProto(token));
      }
      {
        std::scoped_lock lock(mutex_);
        queue_.NoteDropped(tokens);
      }
      return store_.Drop(tokens);
    }
    if (message.has_drop_copies()) {
      for (const auto& token : message.drop_copies().tokens()) {
        const Id gone = FromProto(token);
        const std::array<Id, 2> caches = {SegmentReach::CopyTokenOf(gone),
                                          Fragment::TokenOf(gone)};
        kept_.Forget(gone);
        reach_.own().Drop(caches).IgnoreError();
      }
      return;
    }
    if (message.has_copy_segment()) {
      return copier_.Start(message.copy_segment());
    }
    if (message.has_stop_copy()) {
      return copier_.Stop(message.stop_copy().order());
    }
    // What was dropped while it was away, nobody tells it.
    if (message.has_welcome()) kept_.Clear();
    if (message.has_brief()) jobs_.Brief(message.brief());
    bool first_welcome = false;
    {
      std::scoped_lock lock(mutex_);
      const absl::Time now = clock_.Now();
      if (message.has_welcome()) {
        heartbeat_ = absl::Milliseconds(std::clamp<std::int64_t>(
            message.welcome().heartbeat_ms(), 10, 60'000));
        reconnect_for_ =
            std::clamp(absl::Milliseconds(message.welcome().reconnect_ms()),
                       kReconnectFor, kReconnectForMax);
        welcome_ = true;
        called_ = message.welcome().worker();
        const Id coordinator = FromProto(message.welcome().coordinator());
        is_new_coordinator_ =
            !coordinator_.zero() && coordinator_ != coordinator;
        coordinator_ = coordinator;
        first_welcome = !std::exchange(ever_welcome_, true);
        if (link_ != nullptr) Join(now);
        SayLeave();
      } else if (message.has_dismiss()) {
        dismissed_ = message.dismiss().lost();
        wake_main_.notify_all();
      } else if (message.has_refuse()) {
        const absl::Status refused = FromProto(message.refuse().failure());
        // Given up while it could not be heard, behind a cut link for example:
        // it joins again, at the address that others know.
        if (ReasonOf(refused) == Reason::kWorkerLost) {
          broken_ = true;
        } else {
          refused_ = refused;
        }
        wake_main_.notify_all();
      } else if (const auto event = EventOf(message)) {
        Apply(queue_.Handle(*event, now));
      }
    }
    if (first_welcome) options_.on_ready();
  }

  std::optional<QueueEvent> EventOf(const proto::ToWorker& message) const {
    switch (message.message_case()) {
      case proto::ToWorker::kBrief:
        return Briefed{.job = message.brief().job(),
                       .round = message.brief().round(),
                       .leaf_count = std::max<std::int64_t>(
                           1, message.brief().leaf_count()),
                       .result = ResultWritten(message.brief(), reach_)};
      case proto::ToWorker::kAssign: {
        Assigned assigned;
        for (const auto& task : message.assign().tasks()) {
          assigned.tasks.push_back(FromWire(task));
        }
        return assigned;
      }
      case proto::ToWorker::kRevoke:
        return Revoked{
            {message.revoke().tasks().begin(), message.revoke().tasks().end()}};
      case proto::ToWorker::kShrink:
        return Shrunk{message.shrink().task(), message.shrink().new_end()};
      case proto::ToWorker::kReleaseJob:
        return Released{message.release_job().job()};
      case proto::ToWorker::kAcknowledge:
        return Acknowledged{message.acknowledge().sequence()};
      default:
        return std::nullopt;
    }
  }

  void AnswerMemory(const proto::AskMemory& question) {
    proto::FromWorker message;
    message.mutable_memory()->set_question(question.question());
    if (const auto memory = MemoryOf(getpid()); memory.ok()) {
      proto::Memory& to = *message.mutable_memory()->mutable_memory();
      to.set_own(memory->own_bytes);
      to.set_shared(memory->shared_bytes);
      to.set_proportional(memory->proportional_bytes);
    }
    std::scoped_lock lock(mutex_);
    if (link_ != nullptr) link_->Send(std::move(message));
  }

  void TellPace(const StreamPace& pace) {
    proto::FromWorker message;
    message.mutable_stream_pace()->set_bytes(pace.bytes);
    message.mutable_stream_pace()->set_took_ns(
        absl::ToInt64Nanoseconds(pace.took));
    std::scoped_lock lock(mutex_);
    if (link_ != nullptr && welcome_) link_->Send(std::move(message));
  }

  void SayLeave() {
    if (!leaving_ || link_ == nullptr || !welcome_) return;
    proto::FromWorker message;
    message.mutable_leave();
    link_->Send(std::move(message));
  }

  void SendStories() {
    if (link_ == nullptr || !welcome_) return;
    for (; !stories_.empty(); stories_.pop_front()) {
      proto::FromWorker message;
      message.mutable_story()->set_pid(stories_.front().first);
      message.mutable_story()->set_text(stories_.front().second);
      link_->Send(std::move(message));
    }
  }

  // ------------------------------------------------------- what the queue asks

  void Apply(std::vector<QueueAction> actions) {
    for (QueueAction& action : actions) {
      if (const auto* wake = std::get_if<Wake>(&action)) {
        wakes_ += wake->thread_count;
        wake_threads_.notify_all();
      } else if (const auto* interrupt = std::get_if<Interrupt>(&action)) {
        runners_[static_cast<std::size_t>(interrupt->thread)]->Interrupt();
      } else if (const auto* send = std::get_if<Send>(&action)) {
        if (link_ == nullptr) continue;
        proto::FromWorker message;
        *message.mutable_reports() = ToWire(*send, options_.keeper.ToString());
        link_->Send(std::move(message));
      } else if (const auto* forget = std::get_if<Forget>(&action)) {
        jobs_.Forget(forget->job);
      } else if (auto* drop = std::get_if<DropTokens>(&action)) {
        store_.Drop(drop->tokens);
      }
    }
    // Every leaf comes by here: the main thread is only woken to do something.
    if (queue_.flush_at() < main_sleeps_until_) wake_main_.notify_all();
  }

  void Work(int thread) {
    _mm_setcsr(kPlainFloatingPoint);
    TaskRunner& runner = *runners_[static_cast<std::size_t>(thread)];
    Outcome outcome = Nothing{};
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      runner.ClearInterrupt();
      auto turn = queue_.Next(thread, std::move(outcome), clock_.Now());
      Apply(std::move(turn.actions));
      outcome = Nothing{};
      if (std::holds_alternative<Idle>(turn.step)) {
        lock.unlock();
        runner.LetGo();
        lock.lock();
        wake_threads_.wait(lock, [this] { return wakes_ > 0 || stopping_; });
        if (wakes_ > 0) --wakes_;
        continue;
      }
      lock.unlock();
      outcome = runner.Run(turn.step);
      lock.lock();
    }
  }

  const WorkerServerOptions options_;
  const Clock& clock_;
  const Id incarnation_;
  SegmentReach reach_;
  std::unique_ptr<BulkServer> server_;
  Leftovers leftovers_;          // the main thread's
  HostMemory memory_;            // the main thread's
  std::vector<Id> made_before_;  // the main thread's: before it connected
  SegmentStore store_;
  KeptSegments kept_;
  JobCache jobs_;

  std::mutex mutex_;  // guards all below
  absl::Time next_leftovers_;
  std::condition_variable wake_threads_;
  std::condition_variable wake_main_;
  absl::Time main_sleeps_until_ = absl::InfinitePast();  // that, or it is awake
  TaskQueueCore queue_;
  std::unique_ptr<CoordinatorLink> link_;
  std::deque<std::pair<std::int64_t, std::string>> stories_;
  absl::Duration heartbeat_ = absl::Seconds(1);
  absl::Duration reconnect_for_ = kReconnectFor;
  Id coordinator_;            // the process that welcomed this one last
  std::uint64_t called_ = 0;  // by it
  bool is_new_coordinator_ = false;
  absl::Status refused_;
  std::optional<std::string> dismissed_;  // what is lost with it
  bool leaving_ = false;
  int wakes_ = 0;
  bool connecting_ = false;  // there is no link_ yet to answer by
  bool welcome_ = false;
  bool ever_welcome_ = false;
  bool broken_ = false;
  bool stopping_ = false;
  std::vector<std::unique_ptr<TaskRunner>> runners_;
  std::vector<std::thread> threads_;
  Copier copier_;  // its thread uses the others
};

WorkerServer::WorkerServer(WorkerServerOptions options, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}
WorkerServer::~WorkerServer() = default;
absl::StatusOr<std::string> WorkerServer::Run() { return impl_->Run(); }
void WorkerServer::Leave() { impl_->Leave(); }
void WorkerServer::ReportStory(std::int64_t pid, const std::string& text) {
  impl_->ReportStory(pid, text);
}

}  // namespace hearth::worker
