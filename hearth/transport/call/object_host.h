#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/clock.h"
#include "hearth/base/id.h"
#include "hearth/base/limits.h"
#include "hearth/base/mutex.h"
#include "hearth/object/class.h"
#include "hearth/object/item_window.h"
#include "hearth/object/object_core.h"
#include "hearth/object/once_table.h"
#include "hearth/object/target.h"
#include "hearth/transport/call/conversation.h"
#include "hearth/transport/call/crew.h"
#include "protos/object.pb.h"

namespace hearth {

struct ObjectHostOptions {
  std::string process;  // for the stacks of errors: "hearth worker 4711"
  absl::Duration session_grace = absl::Seconds(60);
  std::int64_t once_bytes_max = limits::kOnceResultBytesMax;
};

// What one process serves: its objects, who calls them, and which calls run.
// The decisions are ObjectCore's, OnceTable's and ItemWindow's; this class
// locks, translates and carries out.
//
// Kind:    resource. Conversations that know it end before it does.
// Threads: any. Methods run on the threads that hand frames in, and the crew's;
//          never under the lock.
class ObjectHost {
 public:
  // What handles lead to that methods of this host read.
  using Bind = std::function<std::shared_ptr<Target>(const ObjectHandle& handle,
                                                     const Id& session)>;

  ObjectHost(ObjectHostOptions options, const Clock& clock);
  ~ObjectHost();
  // Before anything is served.
  void SetSurroundings(Bind bind, Surroundings& expose);

  const Id& id() const { return id_; }
  const std::string& process() const { return options_.process; }
  Crew& crew() { return crew_; }

  // Serves an object, or (without one) a class whose mode makes instances, as
  // `key`. NAME_TAKEN if there is one.
  absl::Status Add(const std::string& key, Instance instance);
  // In place of what is served as `key`, which ends as by Remove.
  absl::Status Replace(const std::string& key, Instance instance);
  absl::Status Remove(const std::string& key);
  bool Has(const std::string& key) const;
  std::string FreshKey();
  std::shared_ptr<const Class> ClassOfKey(const std::string& key) const;
  // Keys and classes.
  Value List() const;

  // Deadlines, and sessions whose time has come. About ten times a second.
  void Tick();
  // Refuses and stops everything, and waits until no method runs.
  void Stop();
  // After Stop, if nothing runs: lets go of what is served, which may keep
  // proxies, and by them what this stands on.
  void LetGo();

  // From conversations.
  void OnHello(const std::shared_ptr<Conversation>& from,
               proto::SessionWelcome& welcome);
  void OnCall(const std::shared_ptr<Conversation>& from, proto::MethodCall call,
              Attached attached, Work& work);
  void OnCancel(const Conversation& from, std::uint64_t id, Work& work);
  void OnCredit(const std::shared_ptr<Conversation>& from,
                const proto::Credit& credit, Work& work);
  void OnBye(const Conversation& from, Work& work);
  void OnBroken(const Conversation& from, Work& work);

  // A call of nobody's session: `answer` is called once, from any thread; of a
  // oneway call, at once. Nothing is kept for it, so it runs as often as it
  // comes.
  void CallPlainly(proto::MethodCall call,
                   std::function<void(proto::MethodReply)> answer, Work& work);

  // The newest stream to that process; null when there is none.
  std::shared_ptr<Conversation> ConversationWith(const Id& session) const;
  // Of what is kept for that process; for tests and listings.
  std::size_t stream_count() const;
  std::size_t session_count() const;
  std::size_t once_count() const;
  int running_count() const;

 private:
  // One instance with its mailbox.
  struct Box {
    Box(std::shared_ptr<void> of, ObjectCoreOptions options)
        : object(std::move(of)), core(std::move(options)) {}
    std::shared_ptr<void> object;  // null: made by its first call
    std::atomic<bool> is_made = false;
    Mutex making;
    ObjectCore core;
  };
  struct Served {
    std::string key;
    std::shared_ptr<const Class> of;
    std::shared_ptr<Box> single;
    std::map<Id, std::shared_ptr<Box>> sessions;
  };
  static std::shared_ptr<Served> MakeServed(const std::string& key,
                                            Instance instance);
  void EndServed(Served& served, Work& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  struct Job;
  struct ItemJob;
  struct Session {
    std::weak_ptr<Conversation> conversation;
    absl::Time gone_at = absl::InfiniteFuture();
  };
  using JobPtr = std::shared_ptr<Job>;
  // What a call gave, with its large arrays.
  struct Outcome {
    proto::MethodReply reply;
    std::shared_ptr<Attachment> attached = nullptr;
  };

  absl::Status Admit(const JobPtr& job, Work& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<Box>> BoxFor(Served& served, const Id& session)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(const std::shared_ptr<Box>& box, const ObjectEvent& event,
            Work& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run(const JobPtr& job);
  void Finish(const JobPtr& job, absl::StatusOr<Outcome> result);
  absl::StatusOr<Outcome> Perform(Job& job);
  absl::StatusOr<Outcome> Packed(Job& job, Outcome outcome,
                                 absl::string_view what);
  absl::StatusOr<Value> PerformStep(Job& job, const std::string& method,
                                    std::vector<Value> arguments);
  void Answer(Job& job, absl::StatusOr<Outcome> result, Work& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status KeepStreams(Job& job, Value& value);
  // Of an answer that reaches nobody: nobody could ask for their items.
  void DropStreams(const proto::MethodReply& reply, Work& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Produce(const std::shared_ptr<ItemJob>& items);
  // What was made, and how it ended if it has. True: something was sent.
  bool SendItems(ItemJob& items, std::optional<absl::Status> end);
  // Of streams whose next item is long in coming.
  void SendHeldItems();
  void EndSession(const Id& session, Work& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Serve(std::function<void(proto::MethodReply)> answer,
             const std::shared_ptr<Conversation>& from, proto::MethodCall call,
             Attached attached, Work& work);

  const ObjectHostOptions options_;
  const Clock& clock_;
  const Id id_ = Id::Random();
  Bind bind_;
  Surroundings* expose_ = nullptr;

  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<Served>> served_
      ABSL_GUARDED_BY(mutex_);
  std::map<CallNumber, JobPtr> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<Id, Session> sessions_ ABSL_GUARDED_BY(mutex_);
  std::map<std::uint64_t, std::shared_ptr<ItemJob>> streams_
      ABSL_GUARDED_BY(mutex_);
  OnceTable once_ ABSL_GUARDED_BY(mutex_);
  CallNumber next_call_ ABSL_GUARDED_BY(mutex_) = 1;
  std::uint64_t next_stream_ ABSL_GUARDED_BY(mutex_) = 1;
  std::uint64_t next_key_ ABSL_GUARDED_BY(mutex_) = 1;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Methods that run now, whatever became of their callers.
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  Crew crew_;  // last: its threads use the others
};

// Runs `work`: the first part here, the rest on the crew's threads, since any
// of it may block.
void RunHere(Work work, Crew& crew);

}  // namespace hearth
