#include "hearth/transport/call/object_space.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/transport/call/channel_wire.h"

namespace hearth {
namespace {

constexpr std::chrono::milliseconds kTick(50);
constexpr absl::Duration kConnectAtMost = absl::Seconds(5);
// The address by which a process reaches itself.
constexpr char kSelf[] = "";

// Who is gone is an object that is gone; credentials are another thing.
absl::Status Gone(const absl::Status& why) {
  const bool is_gone = ReasonOf(why) == Reason::kClusterUnreachable ||
                       ReasonOf(why) == Reason::kDeadlineExceeded;
  return is_gone ? Error(Reason::kObjectGone, why.message()) : why;
}

// To one object, wherever its handle says that it is.
class HandleRoute final : public Route {
 public:
  HandleRoute(std::shared_ptr<ObjectSpace> space, ObjectHandle handle)
      : space_(std::move(space)), handle_(std::move(handle)) {}
  absl::StatusOr<Place> Find(bool, absl::Time deadline) override {
    HEARTH_ASSIGN_OR_RETURN(auto conversation,
                            space_->ConversationTo(handle_, deadline));
    return Place{std::move(conversation), handle_.key};
  }
  ObjectHandle handle() const override { return handle_; }

 private:
  const std::shared_ptr<ObjectSpace> space_;
  const ObjectHandle handle_;
};

// To whatever has a name, looked up when it is first called and again when it
// is not there any more.
class NameRoute final : public Route {
 public:
  NameRoute(std::shared_ptr<ObjectSpace> space, std::string name)
      : space_(std::move(space)), found_{.name = std::move(name)} {}

  absl::StatusOr<Place> Find(bool fresh, absl::Time deadline) override {
    ObjectHandle handle;
    {
      MutexLock lock(mutex_);
      auto known = conversation_.lock();
      if (!fresh && known != nullptr && !known->broken()) {
        return Place{std::move(known), found_.key};
      }
      handle = found_;
    }
    // What is known may hold still: a connection breaks more often than objects
    // move. Who has the object is asked first, then the directory.
    if (fresh || handle.key.empty()) {
      HEARTH_ASSIGN_OR_RETURN(handle, space_->Find(handle.name));
    }
    HEARTH_ASSIGN_OR_RETURN(auto conversation,
                            space_->ConversationTo(handle, deadline));
    MutexLock lock(mutex_);
    found_ = handle;
    conversation_ = conversation;
    return Place{std::move(conversation), handle.key};
  }
  ObjectHandle handle() const override {
    MutexLock lock(mutex_);
    return found_;
  }

 private:
  const std::shared_ptr<ObjectSpace> space_;
  mutable Mutex mutex_;
  ObjectHandle found_ ABSL_GUARDED_BY(mutex_);
  // Weak: a proxy that nobody uses keeps no broken connection.
  std::weak_ptr<Conversation> conversation_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<ObjectSpace> ObjectSpace::Make(ObjectSpaceOptions options) {
  std::shared_ptr<ObjectSpace> space(new ObjectSpace(std::move(options)));
  space->host_.SetSurroundings(
      [weak = std::weak_ptr(space)](const ObjectHandle& handle,
                                    const Id& session) {
        const auto alive = weak.lock();
        if (alive == nullptr) return std::shared_ptr<Target>();
        ObjectHandle full = handle;
        if (full.server.zero() && full.name.empty()) full.server = session;
        return alive->Bind(full);
      },
      *space);
  return space;
}

ObjectSpace::ObjectSpace(ObjectSpaceOptions options)
    : options_(std::move(options)),
      host_(options_.host, Clock::Real()),
      ticker_([this] { Tick(); }) {}

ObjectSpace::~ObjectSpace() { End(); }

void ObjectSpace::End() {
  {
    std::scoped_lock lock(mutex_);
    if (std::exchange(ending_, true)) return;
  }
  wake_.notify_all();
  if (ticker_.get_id() == std::this_thread::get_id()) {
    ticker_.detach();
  } else {
    ticker_.join();
  }
  host_.Stop();
  BreakConnections();
  // A method that does not return goes on with what it stands on; the process
  // is not held up by it.
  if (const auto self = weak_from_this().lock();
      self != nullptr && host_.running_count() > 0) {
    static auto& kept = *new std::vector<std::shared_ptr<ObjectSpace>>();
    static auto& mutex = *new std::mutex();
    std::scoped_lock lock(mutex, mutex_);
    if (listener_ != nullptr) listener_->Refuse();
    kept.push_back(self);
    return;
  }
  StopListening();
  host_.LetGo();
}

void ObjectSpace::Tick() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kTick, [this] { return ending_; })) {
    lock.unlock();
    host_.Tick();
    LetGoOfBroken();
    lock.lock();
  }
}

void ObjectSpace::LetGoOfBroken() {
  std::vector<std::shared_ptr<Conversation>> broken;
  {
    std::scoped_lock lock(mutex_);
    std::erase_if(links_, [&](const auto& entry) {
      const std::shared_ptr<Link>& link = entry.second;
      if (link.use_count() > 1) return false;  // somebody connects by it
      const std::unique_lock connecting(link->connecting, std::try_to_lock);
      if (!connecting.owns_lock()) return false;
      if (link->conversation == nullptr) return true;
      if (!link->conversation->broken()) return false;
      broken.push_back(std::move(link->conversation));
      return true;
    });
  }
  for (const auto& conversation : broken) conversation->End();
}

// -------------------------------------------------------------------- serving

absl::Status ObjectSpace::Listen(ObjectListenerOptions options) {
  HEARTH_ASSIGN_OR_RETURN(auto listener,
                          ObjectListener::Start(std::move(options), host_));
  std::scoped_lock lock(mutex_);
  listener_ = std::move(listener);
  return absl::OkStatus();
}

void ObjectSpace::StopListening() {
  std::unique_ptr<ObjectListener> listener;
  std::shared_ptr<Link> self;
  {
    std::scoped_lock lock(mutex_);
    listener = std::move(listener_);
  }
  listener.reset();
}

void ObjectSpace::SetAddresses(std::vector<std::string> addresses) {
  std::scoped_lock lock(mutex_);
  addresses_ = std::move(addresses);
}

std::string ObjectSpace::tcp_address() const {
  std::scoped_lock lock(mutex_);
  return listener_ == nullptr ? "" : listener_->tcp_address();
}

std::shared_ptr<grpc::Channel> ObjectSpace::InProcessChannel() const {
  std::scoped_lock lock(mutex_);
  return listener_ == nullptr ? nullptr : listener_->InProcessChannel();
}

ObjectHandle ObjectSpace::HandleOf(const std::string& key,
                                   const std::string& name) {
  const auto of = host_.ClassOfKey(key);
  std::scoped_lock lock(mutex_);
  return {.name = name,
          .key = key,
          .server = host_.id(),
          .class_name = of == nullptr ? "" : of->name,
          .addresses = addresses_};
}

absl::StatusOr<std::shared_ptr<MatrixSource>> ObjectSpace::OpenMatrix(
    const MatrixHandle& handle) {
  if (options_.open_matrix == nullptr) return Surroundings::OpenMatrix(handle);
  return options_.open_matrix(handle);
}

absl::StatusOr<ObjectHandle> ObjectSpace::Expose(Instance instance) {
  const std::string key = host_.FreshKey();
  HEARTH_RETURN_IF_ERROR(host_.Add(key, std::move(instance)));
  return HandleOf(key);
}

// -------------------------------------------------------------------- reaching

Proxy ObjectSpace::Named(const std::string& name) {
  return Proxy(Bind({.name = name}));
}

std::shared_ptr<Target> ObjectSpace::Bind(const ObjectHandle& handle) {
  std::unique_ptr<Route> route;
  if (handle.key.empty() ||
      (!handle.name.empty() && options_.find != nullptr)) {
    route = std::make_unique<NameRoute>(shared_from_this(), handle.name);
  } else {
    route = std::make_unique<HandleRoute>(shared_from_this(), handle);
  }
  return MakeCallTarget(std::move(route), host_, numbers_, *this,
                        options_.calls);
}

absl::StatusOr<ObjectHandle> ObjectSpace::Find(const std::string& name) const {
  if (name.empty()) {  // to the directory, that is any of them
    return Error(Reason::kBadUsage,
                 "look up an object: its name is empty; give the one it is "
                 "served by");
  }
  if (options_.find == nullptr) {
    return Error(Reason::kNameUnknown,
                 absl::StrCat("look up ", Quoted(name),
                              ": there is no directory here; connect to a "
                              "cluster"));
  }
  return options_.find(name);
}

absl::StatusOr<std::shared_ptr<Conversation>> ObjectSpace::ConversationTo(
    const ObjectHandle& handle, absl::Time deadline) {
  const auto link_to = [&](const std::string& address) {
    std::scoped_lock lock(mutex_);
    std::shared_ptr<Link>& link = links_[address];
    if (link == nullptr) link = std::make_shared<Link>();
    return link;
  };
  if (handle.server == host_.id()) {
    return Connect(*link_to(kSelf), kSelf, handle.server, deadline);
  }
  if (handle.addresses.empty()) {
    // It is reached by the connection that its handle came by, whoever made it.
    if (auto theirs = host_.ConversationWith(handle.server);
        theirs != nullptr && !theirs->broken()) {
      return theirs;
    }
    std::vector<std::shared_ptr<Link>> links;
    {
      std::scoped_lock lock(mutex_);
      for (const auto& [address, link] : links_) links.push_back(link);
    }
    for (const auto& link : links) {
      std::scoped_lock lock(link->connecting);
      if (link->conversation != nullptr && !link->conversation->broken() &&
          link->conversation->peer() == handle.server) {
        return link->conversation;
      }
    }
    return Error(Reason::kObjectGone,
                 absl::StrCat("reach ", Quoted(handle.key),
                              ": the process that has it is not connected"));
  }
  absl::Status why;
  for (const std::string& address : handle.addresses) {
    auto conversation =
        Connect(*link_to(address), address, handle.server, deadline);
    if (conversation.ok()) return conversation;
    if (why.ok() || ReasonOf(conversation.status()) != Reason::kObjectGone) {
      why = conversation.status();
    }
  }
  return why;
}

absl::StatusOr<std::shared_ptr<Conversation>> ObjectSpace::Connect(
    Link& link, const std::string& address, const Id& expected,
    absl::Time deadline) {
  std::scoped_lock connecting(link.connecting);
  if (link.conversation == nullptr || link.conversation->broken()) {
    if (link.conversation != nullptr) link.conversation->End();
    link.conversation = nullptr;
    const absl::Time until = std::min(deadline, absl::Now() + kConnectAtMost);
    std::shared_ptr<grpc::Channel> channel;
    if (address == kSelf) {
      bool has_listener = false;
      {
        std::scoped_lock lock(mutex_);
        has_listener = listener_ != nullptr;
      }
      if (!has_listener) HEARTH_RETURN_IF_ERROR(Listen({}));
      channel = InProcessChannel();
    } else {
      HEARTH_ASSIGN_OR_RETURN(link.conversation,
                              ConnectPlainly(address, until));
      if (link.conversation == nullptr && options_.connect != nullptr) {
        auto made = options_.connect(address, until - absl::Now());
        if (!made.ok()) return Gone(made.status());
        channel = *std::move(made);
      }
    }
    if (link.conversation == nullptr) {
      if (channel == nullptr) {
        return Error(Reason::kObjectGone,
                     absl::StrCat("connect to ", Quoted(address),
                                  ": there is no way from here"));
      }
      HEARTH_ASSIGN_OR_RETURN(
          link.conversation,
          OpenConversation(std::move(channel), host_, until));
    }
  }
  if (!expected.zero() && link.conversation->peer() != expected) {
    return Error(Reason::kObjectGone,
                 absl::StrCat("connect to ", Quoted(address),
                              ": another process answers there now"));
  }
  return link.conversation;
}

absl::StatusOr<std::shared_ptr<Conversation>> ObjectSpace::ConnectPlainly(
    const std::string& address, absl::Time until) {
  if (options_.connect_plain == nullptr) return nullptr;
  auto socket = options_.connect_plain(address, until - absl::Now());
  if (!socket.ok()) return Gone(socket.status());
  if (!socket->fd.valid()) return nullptr;
  auto made = OpenConversation(*std::move(socket), host_, until);
  // Who is there and hangs up may want TLS: gRPC finds out what is wrong.
  if (!made.ok()) return nullptr;
  return made;
}

void ObjectSpace::BreakConnections() {
  std::vector<std::shared_ptr<Link>> links;
  {
    std::scoped_lock lock(mutex_);
    for (const auto& [address, link] : links_) links.push_back(link);
  }
  for (const auto& link : links) {
    std::shared_ptr<Conversation> conversation;
    {
      std::scoped_lock lock(link->connecting);
      conversation = link->conversation;
      link->conversation = nullptr;
    }
    if (conversation != nullptr) conversation->End();
  }
}

std::size_t ObjectSpace::connection_count() const {
  std::scoped_lock lock(mutex_);
  return links_.size();
}

}  // namespace hearth
