#include "hearth/transport/call/object_listener.h"

#include <grpcpp/alarm.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/base/tcp_socket.h"
#include "hearth/transport/call/frame_socket.h"
#include "hearth/transport/call/outbox.h"
#include "hearth/transport/call/socket_sessions.h"
#include "hearth/transport/call/value_codec.h"
#include "hearth/transport/control/listener.h"
#include "protos/object.grpc.pb.h"

namespace hearth {
namespace {

constexpr int kReadersMax = 64;

// What a completion is for. `Proceed` may leave work that blocks.
class Completion {
 public:
  virtual ~Completion() = default;
  virtual void Proceed(bool ok, Work& work) = 0;
};

struct Part : Completion {
  explicit Part(std::function<void(bool, Work&)> of) : run(std::move(of)) {}
  void Proceed(bool ok, Work& work) override { run(ok, work); }
  const std::function<void(bool, Work&)> run;
};

}  // namespace

class ObjectListener::Impl {
 public:
  explicit Impl(ObjectHost& host) : host_(host) {}

  absl::Status Start(ObjectListenerOptions options) {
    ListenerOptions listener{
        .local = std::move(options.local),
        .tcp = std::move(options.tcp),
        .credentials = std::move(options.credentials),
        .message_bytes_max = static_cast<int>(limits::kCallBytesMax),
        .prepare =
            [this](grpc::ServerBuilder& builder) {
              queue_ = builder.AddCompletionQueue();
            },
        .plain_byte = kGreeting[0],
        .plain =
            [this](UniqueFd connection, bool is_local) {
              if (!is_local) NoticeSilence(connection.get());
              plain_->Admit(std::move(connection), is_local);
            },
        .is_tcp_plain = options.is_tcp_plain,
        .is_discoverable = true};
    HEARTH_ASSIGN_OR_RETURN(plain_, SocketSessions::Start(host_));
    HEARTH_ASSIGN_OR_RETURN(listener_,
                            Listener::Start(std::move(listener), service_));
    AcceptSession();
    AcceptCall();
    AcceptList();
    for (int i = 0; i < 2; ++i) AddReader();
    return absl::OkStatus();
  }

  ~Impl() {
    if (listener_ != nullptr) {
      ending_ = true;
      listener_->Shutdown();
      plain_.reset();
      // Nothing may be begun on a queue that is shut down.
      while (live_ > 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      queue_->Shutdown();
    }
    while (true) {
      std::vector<std::thread> readers;
      {
        std::scoped_lock lock(mutex_);
        readers.swap(readers_);
      }
      if (readers.empty()) break;
      for (std::thread& reader : readers) reader.join();
    }
  }

  void Refuse() {
    ending_ = true;
    listener_->Shutdown();
    plain_->Refuse();
  }

  Listener& listener() { return *listener_; }

 private:
  class Session;
  class PlainCall;

  void AcceptSession();
  void AcceptCall();
  void AcceptList();

  bool AddReader() {
    std::scoped_lock lock(mutex_);
    if (ending_) return false;
    ++reader_count_;
    ++waiting_;  // at once, so that no second one is started for the same lack
    readers_.emplace_back([this] { Read(); });
    return true;
  }

  void Read() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
      const int others = --waiting_;
      Work work;
      static_cast<Completion*>(tag)->Proceed(ok, work);
      if (!work.empty()) {
        // One reads on, whatever the methods wait for.
        const bool is_read =
            others > 0 || (reader_count_ < kReadersMax && AddReader());
        if (is_read) {
          RunHere(std::move(work), host_.crew());
        } else {
          for (auto& part : work) host_.crew().Post(std::move(part));
        }
      }
      ++waiting_;
    }
    --waiting_;
  }

  ObjectHost& host_;
  proto::Objects::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<SocketSessions> plain_;
  std::unique_ptr<Listener> listener_;
  std::atomic<int> waiting_ = 0;
  std::atomic<int> reader_count_ = 0;
  std::atomic<int> live_ = 0;  // sessions and calls that gRPC may come back to
  std::atomic<bool> ending_ = false;
  std::mutex mutex_;
  std::vector<std::thread> readers_;
};

// The serving end of one stream.
//
// Kind: lives as long as gRPC or its conversation holds it.
class ObjectListener::Impl::Session final
    : public Wire,
      public std::enable_shared_from_this<Session> {
 public:
  explicit Session(Impl& impl)
      : impl_(impl),
        stream_(&context_),
        started_([this](bool ok, Work&) { Started(ok); }),
        read_([this](bool ok, Work& work) { Read(ok, work); }),
        written_([this](bool ok, Work& work) { Written(ok, work); }),
        finished_([this](bool, Work& work) { Finished(work); }) {
    ++impl_.live_;
  }

  void Accept() {
    self_ = shared_from_this();
    impl_.service_.RequestSession(&context_, &stream_, impl_.queue_.get(),
                                  impl_.queue_.get(), &started_);
  }

  bool Send(proto::Frame frame, AttachmentPtr attached) override {
    std::scoped_lock lock(mutex_);
    if (closed_) return true;
    waiting_.Add(std::move(frame), std::move(attached));
    if (!writing_) Write();
    return true;  // the listener's threads go on with it
  }

  std::int64_t waiting_bytes() const override {
    std::scoped_lock lock(mutex_);
    return waiting_.bytes();
  }

  void Close() override {
    std::scoped_lock lock(mutex_);
    closed_ = true;
    if (has_started_) context_.TryCancel();
  }

 private:
  void Started(bool ok) {
    if (!ok) {  // the server ends
      --impl_.live_;
      self_ = nullptr;
      return;
    }
    impl_.AcceptSession();
    conversation_ = std::make_shared<Conversation>(impl_.host_);
    conversation_->Start(shared_from_this());
    {
      std::scoped_lock lock(mutex_);
      has_started_ = true;
    }
    stream_.Read(&incoming_, &read_);
  }

  void Read(bool ok, Work& work) {
    if (!ok) return End(work);
    proto::Envelope envelope;
    envelope.Swap(&incoming_);
    // Frames are handed in before the next are read, and so in their order.
    for (proto::Frame& frame : *envelope.mutable_frames()) {
      conversation_->OnFrame(frame, work);
    }
    stream_.Read(&incoming_, &read_);
  }

  void Write() {
    writing_ = true;
    waiting_.Take(outgoing_, nullptr);
    stream_.Write(outgoing_, &written_);
  }

  void Written(bool ok, Work& work) {
    bool finish = false;
    {
      std::scoped_lock lock(mutex_);
      writing_ = false;
      if (ok && !closed_ && !waiting_.empty()) Write();
      finish = read_ended_ && !writing_ && !std::exchange(finishing_, true);
    }
    if (finish) Finish(work);
  }

  void End(Work& work) {
    conversation_->OnBroken(Error(Reason::kObjectGone, "the connection broke"),
                            work);
    bool finish = false;
    {
      std::scoped_lock lock(mutex_);
      closed_ = true;
      read_ended_ = true;
      finish = !writing_ && !std::exchange(finishing_, true);
    }
    if (finish) Finish(work);
  }

  void Finish(Work&) { stream_.Finish(grpc::Status::OK, &finished_); }

  void Finished(Work& work) {
    // The last that gRPC has of this. What runs still may hold the
    // conversation, and it this.
    work.push_back(
        [self = std::move(self_)] { self->conversation_ = nullptr; });
    --impl_.live_;
  }

  Impl& impl_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<proto::Envelope, proto::Envelope> stream_;
  Part started_, read_, written_, finished_;
  std::shared_ptr<Session> self_;
  std::shared_ptr<Conversation> conversation_;
  proto::Envelope incoming_;

  mutable std::mutex mutex_;
  Outbox waiting_;
  proto::Envelope outgoing_;
  bool has_started_ = false;
  bool writing_ = false;
  bool closed_ = false;
  bool read_ended_ = false;
  bool finishing_ = false;
};

// A unary call: Call or List.
class ObjectListener::Impl::PlainCall {
 public:
  explicit PlainCall(Impl& impl)
      : impl_(impl),
        responder_(&context_),
        started_([this](bool ok, Work& work) { Started(ok, work); }),
        finished_([this](bool, Work&) { delete this; }) {
    ++impl_.live_;
  }
  ~PlainCall() { --impl_.live_; }

  void AcceptCall() {
    impl_.service_.RequestCall(&context_, &call_, &responder_,
                               impl_.queue_.get(), impl_.queue_.get(),
                               &started_);
  }
  void AcceptList() {
    is_list_ = true;
    impl_.service_.RequestList(&context_, &list_, &responder_,
                               impl_.queue_.get(), impl_.queue_.get(),
                               &started_);
  }

 private:
  void Started(bool ok, Work& work) {
    if (!ok) {
      delete this;
      return;
    }
    if (is_list_) {
      impl_.AcceptList();
      proto::MethodReply reply;
      ToProto(impl_.host_.List(), *reply.mutable_result());
      responder_.Finish(reply, grpc::Status::OK, &finished_);
      return;
    }
    impl_.AcceptCall();
    impl_.host_.CallPlainly(
        std::move(call_),
        [this](proto::MethodReply reply) {
          responder_.Finish(reply, grpc::Status::OK, &finished_);
        },
        work);
  }

  Impl& impl_;
  grpc::ServerContext context_;
  proto::MethodCall call_;
  proto::ListHostRequest list_;
  bool is_list_ = false;
  grpc::ServerAsyncResponseWriter<proto::MethodReply> responder_;
  Part started_, finished_;
};

void ObjectListener::Impl::AcceptSession() {
  std::make_shared<Session>(*this)->Accept();
}
void ObjectListener::Impl::AcceptCall() {
  (new PlainCall(*this))->AcceptCall();
}
void ObjectListener::Impl::AcceptList() {
  (new PlainCall(*this))->AcceptList();
}

ObjectListener::ObjectListener(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
ObjectListener::~ObjectListener() = default;

absl::StatusOr<std::unique_ptr<ObjectListener>> ObjectListener::Start(
    ObjectListenerOptions options, ObjectHost& host) {
  auto impl = std::make_unique<Impl>(host);
  HEARTH_RETURN_IF_ERROR(impl->Start(std::move(options)));
  return std::unique_ptr<ObjectListener>(new ObjectListener(std::move(impl)));
}

void ObjectListener::Refuse() { impl_->Refuse(); }

const std::string& ObjectListener::tcp_address() const {
  return impl_->listener().tcp_address();
}

std::shared_ptr<grpc::Channel> ObjectListener::InProcessChannel() {
  return impl_->listener().InProcessChannel();
}

}  // namespace hearth
