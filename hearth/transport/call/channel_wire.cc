#include "hearth/transport/call/channel_wire.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/transport/call/outbox.h"
#include "protos/object.grpc.pb.h"

namespace hearth {
namespace {

// gRPC's completions, by their tags.
enum Tag : std::intptr_t { kStarted = 1, kRead, kWritten, kFinished };
void* TagOf(Tag tag) { return reinterpret_cast<void*>(tag); }

// The calling end, on a completion queue of its own: what waits for an answer
// polls it.
class ChannelWire final : public Wire {
 public:
  ChannelWire(std::shared_ptr<grpc::Channel> channel,
              std::weak_ptr<Conversation> conversation, ObjectHost& host)
      : conversation_(std::move(conversation)),
        host_(host),
        channel_(std::move(channel)),
        stub_(proto::Objects::NewStub(channel_)) {
    stream_ = stub_->PrepareAsyncSession(&context_, &queue_);
    stream_->StartCall(TagOf(kStarted));
  }
  ~ChannelWire() override {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  bool Send(proto::Frame frame, AttachmentPtr attached) override {
    std::scoped_lock lock(mutex_);
    if (closed_) return true;
    waiting_.Add(std::move(frame), std::move(attached));
    if (writing_) return false;
    Write();
    return true;
  }

  bool is_polled() const override { return true; }

  void Poll(absl::Time until) override {
    void* tag = nullptr;
    bool ok = false;
    const auto status =
        queue_.AsyncNext(&tag, &ok,
                         until == absl::InfiniteFuture()
                             ? std::chrono::system_clock::time_point::max()
                             : absl::ToChronoTime(until));
    if (status != grpc::CompletionQueue::GOT_EVENT) {
      if (status == grpc::CompletionQueue::SHUTDOWN) Broken();
      return;
    }
    switch (static_cast<Tag>(reinterpret_cast<std::intptr_t>(tag))) {
      case kStarted:
        if (!ok) return Broken();
        stream_->Read(&incoming_, TagOf(kRead));
        {
          std::scoped_lock lock(mutex_);
          writing_ = false;
          if (!waiting_.empty()) Write();
        }
        break;
      case kRead: {
        if (!ok) return Broken();
        proto::Envelope envelope;
        envelope.Swap(&incoming_);
        stream_->Read(&incoming_, TagOf(kRead));
        const auto conversation = conversation_.lock();
        if (conversation == nullptr) return;
        Work work;
        for (proto::Frame& frame : *envelope.mutable_frames()) {
          conversation->OnFrame(frame, work);
        }
        for (auto& part : work) host_.crew().Post(std::move(part));
        break;
      }
      case kWritten: {
        std::scoped_lock lock(mutex_);
        writing_ = false;
        if (ok && !waiting_.empty()) Write();
        break;
      }
      case kFinished: {
        const auto conversation = conversation_.lock();
        if (conversation == nullptr) return;
        Work work;
        const absl::Status why =
            Error(Reason::kObjectGone,
                  absl::StrCat("the connection broke", status_.ok() ? "" : ": ",
                               status_.error_message()));
        conversation->OnBroken(why, work);
        for (auto& part : work) host_.crew().Post(std::move(part));
        break;
      }
    }
  }

  std::int64_t waiting_bytes() const override {
    std::scoped_lock lock(mutex_);
    return waiting_.bytes();
  }

  void Close() override {
    {
      std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    context_.TryCancel();
  }

 private:
  // Under the lock.
  void Write() {
    writing_ = true;
    waiting_.Take(outgoing_, nullptr);
    stream_->Write(outgoing_, TagOf(kWritten));
  }

  // What gRPC says of it comes with kFinished.
  void Broken() {
    {
      std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    if (!std::exchange(finishing_, true)) {
      stream_->Finish(&status_, TagOf(kFinished));
    }
  }

  const std::weak_ptr<Conversation> conversation_;
  ObjectHost& host_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<proto::Objects::Stub> stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<
      grpc::ClientAsyncReaderWriter<proto::Envelope, proto::Envelope>>
      stream_;
  proto::Envelope incoming_;  // whoever polls
  grpc::Status status_;
  bool finishing_ = false;

  mutable std::mutex mutex_;
  Outbox waiting_;
  proto::Envelope outgoing_;
  bool writing_ = true;  // until the call has started
  bool closed_ = false;
};

}  // namespace

absl::StatusOr<std::shared_ptr<Conversation>> OpenConversation(
    std::shared_ptr<grpc::Channel> channel, ObjectHost& host,
    absl::Time deadline) {
  auto conversation = std::make_shared<Conversation>(host);
  conversation->Start(
      std::make_shared<ChannelWire>(std::move(channel), conversation, host));
  HEARTH_RETURN_IF_ERROR(conversation->Greet(deadline));
  return conversation;
}

}  // namespace hearth
