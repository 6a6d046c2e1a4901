#include "hearth/transport/control/listener.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/base/tcp_socket.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/control/grpc_life.h"

namespace hearth {
namespace {

constexpr int kPauseMs = 10;
// How often those are looked at who have said nothing, and how many at most.
constexpr int kLookMs = 500;
constexpr std::size_t kNewcomersMax = 256;
// Peers ask half as often as this whether we are there.
constexpr int kPingIntervalMsMin = 5'000;

// For every server of this process that is built from now on: gRPC has no other
// way.
void Discover() {
  static const bool once = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  static_cast<void>(once);
}
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
  KeepGrpcForLife();
  std::unique_ptr<Listener> listener(new Listener);
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(options.message_bytes_max);
  if (options.is_discoverable) Discover();
  if (options.prepare != nullptr) options.prepare(builder);
  listener->plain_byte_ = options.plain_byte;
  listener->plain_ = std::move(options.plain);
  const auto add = [&](UniqueFd socket,
                       std::shared_ptr<grpc::ServerCredentials> credentials,
                       bool is_sorted) {
    return Door{std::move(socket),
                builder.experimental().AddExternalConnectionAcceptor(
                    grpc::ServerBuilder::experimental_type::
                        ExternalConnectionType::FROM_FD,
                    std::move(credentials)),
                is_sorted};
  };
  if (options.local.valid()) {
    listener->local_ =
        add(std::move(options.local), grpc::InsecureServerCredentials(),
            listener->plain_ != nullptr);
  }
  if (!options.tcp.empty()) {
    HEARTH_ASSIGN_OR_RETURN(const Address address, Address::Parse(options.tcp));
    HEARTH_ASSIGN_OR_RETURN(TcpListener tcp, ListenTcp(address));
    listener->tcp_address_ = tcp.address.ToString();
    listener->tcp_ = add(std::move(tcp.fd), std::move(options.credentials),
                         listener->plain_ != nullptr && options.is_tcp_plain);
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                               kHandshakeMsMax);
    builder.AddChannelArgument(
        GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
        kPingIntervalMsMin);
  }
  listener->wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!listener->wake_.valid()) return ErrnoStatus("make an eventfd");
  listener->server_ = builder.BuildAndStart();
  if (listener->server_ == nullptr) {
    return Error(Reason::kInternal, "start a server: gRPC refused to");
  }
  listener->thread_ = std::thread([self = listener.get()] { self->Accept(); });
  return listener;
}

Listener::~Listener() { Shutdown(); }

void Listener::Shutdown() {
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
    // poll() passes over a descriptor of -1: a door that is not there.
    std::vector<pollfd> waits = {{wake_.get(), POLLIN, 0},
                                 {local_.socket.get(), POLLIN, 0},
                                 {tcp_.socket.get(), POLLIN, 0}};
    for (const Newcomer& one : newcomers_) {
      waits.push_back({one.connection.get(), POLLIN, 0});
    }
    if (poll(waits.data(), waits.size(), newcomers_.empty() ? -1 : kLookMs) <
        0) {
      continue;
    }
    if (waits[0].revents != 0) return;
    bool pause = false;
    if (waits[1].revents != 0) {
      auto connection = AcceptUnix(local_.socket.get());
      // Another user's, unanswered; or out of descriptors: not again at once.
      pause = !connection.ok();
      if (connection.ok()) Admit(local_, *std::move(connection));
    }
    if (waits[2].revents != 0) {
      UniqueFd connection = AcceptTcp(tcp_.socket.get());
      pause = pause || !connection.valid();
      Admit(tcp_, std::move(connection));
    }
    Sort();
    if (pause) poll(waits.data(), 1, kPauseMs);
  }
}

void Listener::Admit(Door& door, UniqueFd connection) {
  if (!connection.valid()) return;
  if (!door.is_sorted || newcomers_.size() >= kNewcomersMax) {
    return door.Admit(std::move(connection));
  }
  newcomers_.push_back({std::move(connection), &door,
                        std::chrono::steady_clock::now() +
                            std::chrono::milliseconds(kHandshakeMsMax)});
}

// Hands on who has said something, and lets go of who does not.
void Listener::Sort() {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(newcomers_, [&](Newcomer& one) {
    char first = 0;
    const ssize_t count = recv(one.connection.get(), &first, sizeof(first),
                               MSG_PEEK | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      return now >= one.until;
    }
    if (count <= 0) return true;
    if (first == plain_byte_) {
      plain_(std::move(one.connection), one.door == &local_);
    } else {
      one.door->Admit(std::move(one.connection));
    }
    return true;
  });
}

void Listener::Door::Admit(UniqueFd connection) {
  if (!connection.valid()) return;
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
      parameters;
  parameters.fd = connection.Release();
  acceptor->HandleNewConnection(&parameters);
}

}  // namespace hearth
