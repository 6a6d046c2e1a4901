#include "hearth/transport/bulk/bulk_server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>
#include <utility>

#include "hearth/base/crc32c.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/bulk/bulk_method.h"
#include "hearth/transport/bulk/bulk_request.h"
#include "hearth/transport/bulk/chunk.h"
#include "hearth/transport/control/codec.h"
#include "protos/bulk.pb.h"

namespace hearth {
namespace {

constexpr int kPauseMs = 10;
// A connection is a host's, its calls are the threads of its workers.
constexpr int kCallsOfAConnectionMax = 1024;
// A token and four numbers.
constexpr int kRequestBytesMax = 1024;

std::span<const std::byte> BytesOf(const grpc::Slice& slice) {
  return {reinterpret_cast<const std::byte*>(slice.begin()), slice.size()};
}

}  // namespace

struct BulkServer::Impl {
  Find find;
  TcpListener listener;
  UniqueFd wake;  // an eventfd: written once, to stop accepting
  grpc::AsyncGenericService service;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;
  int calls = 0;  // alive; the serving thread's
  std::thread accepting;
  std::thread serving;

  void Accept() {
    for (;;) {
      std::array<pollfd, 2> waits = {
          {{listener.fd.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}}};
      if (poll(waits.data(), waits.size(), -1) < 0) continue;
      if (waits[1].revents != 0) return;
      UniqueFd connection = AcceptTcp(listener.fd.get());
      if (!connection.valid()) {
        poll(&waits[1], 1, kPauseMs);  // out of descriptors: not again at once
        continue;
      }
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
          parameters;
      parameters.fd = connection.Release();
      acceptor->HandleNewConnection(&parameters);
    }
  }
  void Serve();
};

// One range, from its request to its last chunk. Owns itself; lives while the
// queue has a tag of it.
class BulkServer::Call {
 public:
  explicit Call(Impl& server) : server_(server), stream_(&context_) {
    ++server_.calls;
    server_.service.RequestCall(&context_, &stream_, server_.queue.get(),
                                server_.queue.get(), this);
  }

  ~Call() { --server_.calls; }

  void Proceed(bool ok) {
    switch (step_) {
      case Step::kAccepting:
        if (!ok) return delete this;  // the server ends
        new Call(server_);
        if (context_.method() != kBulkMethod) {
          return Finish(
              grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no such method"));
        }
        step_ = Step::kReading;
        return stream_.Read(&request_bytes_, this);
      case Step::kReading:
        return Finish(ok ? Begin() : absl::CancelledError("no request came"));
      case Step::kWriting:
        if (!ok) return Finish(absl::CancelledError("the reader is gone"));
        return WriteNext();
      case Step::kFinishing:
        return delete this;
    }
  }

 private:
  enum class Step { kAccepting, kReading, kWriting, kFinishing };

  // OK: the first chunk is on its way.
  absl::Status Begin() {
    grpc::ProtoBufferReader reader(&request_bytes_);
    if (!request_.ParseFromZeroCopyStream(&reader)) {
      return Error(Reason::kBadUsage, "read a bulk request: it is none");
    }
    HEARTH_ASSIGN_OR_RETURN(source_, server_.find(FromProto(request_.token())));
    HEARTH_RETURN_IF_ERROR(CheckRange(request_, source_.bytes));
    offset_ = request_.offset();
    end_ = offset_ + request_.bytes();
    step_ = Step::kWriting;
    WriteNext();
    return absl::OkStatus();
  }

  void WriteNext() {
    if (offset_ == end_) return Finish(grpc::Status::OK);
    const std::int64_t bytes =
        NextChunkBytes(offset_, end_, request_.cut_origin(), request_.cut());
    absl::StatusOr<grpc::Slice> data = source_.read(offset_, bytes);
    if (!data.ok()) return Finish(ToGrpc(data.status()));
    const EncodedChunkHead head =
        Encode({offset_, Crc32c(BytesOf(*data)), bytes});
    const std::array<grpc::Slice, 2> parts = {
        grpc::Slice(head.bytes.data(), head.size), *std::move(data)};
    offset_ += bytes;
    stream_.Write(grpc::ByteBuffer(parts.data(), parts.size()), this);
  }

  // An OK status here means that the call goes on.
  void Finish(const absl::Status& status) {
    if (!status.ok()) Finish(ToGrpc(status));
  }
  void Finish(const grpc::Status& status) {
    step_ = Step::kFinishing;
    stream_.Finish(status, this);
  }

  Impl& server_;
  Step step_ = Step::kAccepting;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  grpc::ByteBuffer request_bytes_;
  proto::BulkRequest request_;
  BulkSource source_;
  std::int64_t offset_ = 0;
  std::int64_t end_ = 0;
};

void BulkServer::Impl::Serve() {
  new Call(*this);
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
    static_cast<Call*>(tag)->Proceed(ok);
    // The last one to go was the one that waited for a call to accept: the
    // server ends, and nothing starts on this queue any more.
    if (calls == 0) queue->Shutdown();
  }
}

absl::StatusOr<std::unique_ptr<BulkServer>> BulkServer::Start(
    TcpListener listener, std::shared_ptr<grpc::ServerCredentials> credentials,
    Find find) {
  auto impl = std::make_unique<Impl>();
  impl->find = std::move(find);
  impl->listener = std::move(listener);
  impl->wake = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!impl->wake.valid()) return ErrnoStatus("make an eventfd");
  grpc::ServerBuilder builder;
  impl->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      std::move(credentials));
  builder.RegisterAsyncGenericService(&impl->service);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             kCallsOfAConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             kHandshakeMsMax);
  builder.SetMaxReceiveMessageSize(kRequestBytesMax);
  impl->queue = builder.AddCompletionQueue();
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr) {
    return Error(Reason::kInternal, "start a bulk server: gRPC refused to");
  }
  impl->serving = std::thread([self = impl.get()] { self->Serve(); });
  impl->accepting = std::thread([self = impl.get()] { self->Accept(); });
  return std::unique_ptr<BulkServer>(new BulkServer(std::move(impl)));
}

BulkServer::BulkServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

BulkServer::~BulkServer() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written =
      write(impl_->wake.get(), &one, sizeof(one));
  impl_->accepting.join();
  impl_->server->Shutdown(std::chrono::system_clock::now());
  impl_->serving.join();
}

const Address& BulkServer::address() const { return impl_->listener.address; }

}  // namespace hearth
