#include "hearth/transport/control/listener.h"

#include <grpcpp/security/server_credentials.h>
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

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(
    UniqueFd socket, grpc::Service& service) {
  std::unique_ptr<Listener> listener(new Listener);
  listener->socket_ = std::move(socket);
  listener->wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!listener->wake_.valid()) return ErrnoStatus("make an eventfd");

  grpc::ServerBuilder builder;
  listener->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(limits::kMessageBytesMax);
  listener->server_ = builder.BuildAndStart();
  if (listener->server_ == nullptr) {
    return Error(Reason::kInternal, "start a server: gRPC refused to");
  }
  listener->thread_ = std::thread([self = listener.get()] { self->Accept(); });
  return listener;
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::StartTcp(
    const std::string& address, grpc::Service& service) {
  std::unique_ptr<Listener> listener(new Listener);
  grpc::ServerBuilder builder;
  int port = 0;
  // SO_REUSEPORT would let two coordinators share a port and split its workers.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(limits::kMessageBytesMax);
  listener->server_ = builder.BuildAndStart();
  if (listener->server_ == nullptr || port == 0) {
    return Error(Reason::kNameTaken,
                 absl::StrCat("listen on ", address,
                              ": the address is taken or not this host's; "
                              "choose another one"));
  }
  listener->address_ =
      absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
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
