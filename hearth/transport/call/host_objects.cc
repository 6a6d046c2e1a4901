// What a host serves: objects by their keys, and the instances behind them; and
// what it tells of what it keeps.
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/transport/call/host_job.h"
#include "hearth/transport/call/object_host.h"

namespace hearth {
namespace {

absl::Status NoSuchServedObject(absl::string_view key) {
  return Error(Reason::kObjectGone,
               absl::StrCat("take away ", Quoted(key),
                            ": this process serves no such object"));
}

}  // namespace

std::shared_ptr<ObjectHost::Served> ObjectHost::MakeServed(
    const std::string& key, Instance instance) {
  auto served = std::make_shared<Served>();
  served->key = key;
  served->of = std::move(instance.of);
  if (instance.object == nullptr) return served;
  const ClassOptions& options = served->of->options;
  served->single = std::make_shared<Box>(
      std::move(instance.object),
      ObjectCoreOptions{.name = key,
                        .waiting_max = options.waiting_max,
                        .call_time_max = options.call_time_max});
  served->single->is_made = true;
  return served;
}

absl::Status ObjectHost::Add(const std::string& key, Instance instance) {
  MutexLock lock(mutex_);
  if (served_.contains(key)) {
    return Error(Reason::kNameTaken,
                 absl::StrCat("serve ", Quoted(key),
                              ": this process serves an object of that name; "
                              "choose another, or ask to replace it"));
  }
  if (served_.size() >= limits::kObjectsMax) {
    return Error(Reason::kTooLarge,
                 absl::StrCat("serve ", Quoted(key), ": this process serves ",
                              served_.size(),
                              " objects, the most there may "
                              "be"));
  }
  served_[key] = MakeServed(key, std::move(instance));
  return absl::OkStatus();
}

absl::Status ObjectHost::Replace(const std::string& key, Instance instance) {
  Work work;
  std::shared_ptr<Served> served = MakeServed(key, std::move(instance));
  {
    MutexLock lock(mutex_);
    const auto found = served_.find(key);
    if (found == served_.end()) return NoSuchServedObject(key);
    found->second.swap(served);
    EndServed(*served, work);
  }
  for (auto& part : work) crew_.Post(std::move(part));
  return absl::OkStatus();
}

void ObjectHost::LetGo() {
  // Theirs are the user's destructors: outside of the lock.
  std::map<std::string, std::shared_ptr<Served>> served;
  std::map<std::uint64_t, std::shared_ptr<ItemJob>> streams;
  MutexLock lock(mutex_);
  served.swap(served_);
  streams.swap(streams_);
}

absl::Status ObjectHost::Remove(const std::string& key) {
  Work work;
  {
    MutexLock lock(mutex_);
    const auto found = served_.find(key);
    if (found == served_.end()) return NoSuchServedObject(key);
    const std::shared_ptr<Served> served = std::move(found->second);
    served_.erase(found);
    EndServed(*served, work);
  }
  for (auto& part : work) crew_.Post(std::move(part));
  return absl::OkStatus();
}

void ObjectHost::EndServed(Served& served, Work& work) {
  if (served.single != nullptr) Tell(served.single, ObjectEnded{}, work);
  for (auto& [session, box] : served.sessions) Tell(box, ObjectEnded{}, work);
}

bool ObjectHost::Has(const std::string& key) const {
  MutexLock lock(mutex_);
  return served_.contains(key);
}

std::string ObjectHost::FreshKey() {
  MutexLock lock(mutex_);
  return absl::StrCat("#", next_key_++);
}

std::shared_ptr<const Class> ObjectHost::ClassOfKey(
    const std::string& key) const {
  MutexLock lock(mutex_);
  const auto found = served_.find(key);
  return found == served_.end() ? nullptr : found->second->of;
}

Value ObjectHost::List() const {
  MutexLock lock(mutex_);
  Value::List list;
  for (const auto& [key, served] : served_) {
    list.push_back(Value(Value::Map{{Value("object"), Value(key)},
                                    {Value("class"), Describe(*served->of)}}));
  }
  return Value(std::move(list));
}

absl::StatusOr<std::shared_ptr<ObjectHost::Box>> ObjectHost::BoxFor(
    Served& served, const Id& session) {
  if (served.single != nullptr) return served.single;
  const ClassOptions& options = served.of->options;
  const auto fresh = [&] {
    return std::make_shared<Box>(
        nullptr, ObjectCoreOptions{.name = served.key,
                                   .waiting_max = options.waiting_max,
                                   .call_time_max = options.call_time_max});
  };
  switch (options.mode) {
    case InstanceMode::kPerCall:
      return fresh();
    case InstanceMode::kSession: {
      std::shared_ptr<Box>& box = served.sessions[session];
      if (box == nullptr) box = fresh();
      return box;
    }
    case InstanceMode::kSingle:
      served.single = fresh();
      return served.single;
  }
  return Error(Reason::kInternal, "serve an object: unknown mode");
}

std::shared_ptr<Conversation> ObjectHost::ConversationWith(
    const Id& session) const {
  MutexLock lock(mutex_);
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : found->second.conversation.lock();
}

std::size_t ObjectHost::stream_count() const {
  MutexLock lock(mutex_);
  return streams_.size();
}
std::size_t ObjectHost::session_count() const {
  MutexLock lock(mutex_);
  return sessions_.size();
}
std::size_t ObjectHost::once_count() const {
  MutexLock lock(mutex_);
  return once_.size();
}
int ObjectHost::running_count() const {
  MutexLock lock(mutex_);
  return running_;
}

}  // namespace hearth
