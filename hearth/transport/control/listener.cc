#include "hearth/transport/control/listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"

namespace hearth {
namespace {

constexpr int kPauseMs = 10;
// Peers ask half as often as this whether we are there.
constexpr int kPingIntervalMsMin = 5'000;
// A connection that has not come to terms by then is dropped: who connects and
// says nothing must not hold a descriptor for minutes.

constexpr int kHandshakeMsMax = 10'000;

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(
    ListenerOptions options, grpc::Service& service) {
  if (!options.tcp.empty() && options.credentials == nullptr) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat("listen on ", options.tcp,
                              " over TCP: there are no credentials; name them "
                              "with --tls-dir, or say --insecure at both ends "
                              "to go without"));
  }
  std::unique_ptr<Listener> listener(new Listener);
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(limits::kMessageBytesMax);
  if (options.local.valid()) {
    listener->socket_ = std::move(options.local);
    listener->wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
    if (!listener->wake_.valid()) return ErrnoStatus("make an eventfd");
    listener->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
  }
  int port = 0;
  if (!options.tcp.empty()) {
    // SO_REUSEPORT would let two coordinators share a port and split its
    // workers.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                               kHandshakeMsMax);
    builder.AddChannelArgument(
        GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
        kPingIntervalMsMin);
    builder.AddListeningPort(options.tcp, options.credentials, &port);
  }
  listener->server_ = builder.BuildAndStart();
  if (!options.tcp.empty() && (listener->server_ == nullptr || port == 0)) {
    return Error(Reason::kNameTaken,
                 absl::StrCat("listen on ", options.tcp,
                              ": the address is taken or not this host's; "
                              "choose another one"));
  }
  if (listener->server_ == nullptr) {
    return Error(Reason::kInternal, "start a server: gRPC refused to");
  }
  if (port != 0) {
    listener->tcp_address_ =
        absl::StrCat(options.tcp.substr(0, options.tcp.rfind(':')), ":", port);
  }
  if (listener->socket_.valid()) {
    listener->thread_ =
        std::thread([self = listener.get()] { self->Accept(); });
  }
  return listener;
}

Listener::~Listener() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof(one));
    thread_.join();
  }
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now());
  }
}

void Listener::Accept() {
  while (true) {
    std::array<pollfd, 2> waits = {
        {{socket_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    if (poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[1].revents != 0) return;
    auto connection = AcceptUnix(socket_.get());
    if (!connection.ok()) {
      // Another user's, unanswered; or out of descriptors: not again at once.
      poll(&waits[1], 1, kPauseMs);
      continue;
    }
    if (!connection->valid()) continue;
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
        parameters;
    parameters.fd = connection->Release();
    acceptor_->HandleNewConnection(&parameters);
  }
}

}  // namespace hearth
