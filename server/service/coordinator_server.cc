#include "server/service/coordinator_server.h"

#include <condition_variable>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "hearth/base/awake_clock.h"
#include "hearth/base/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/control/listener.h"
#include "server/service/coordinator_service.h"
#include "server/service/directory_service.h"

namespace hearth::server {
namespace {

constexpr std::chrono::milliseconds kTick(50);
// Longer without a tick, and a coordinator did not hear who was there.
constexpr absl::Duration kStill = absl::Seconds(1);

// Calls Tick until it is destroyed.
class Ticker {
 public:
  Ticker(CoordinatorService& service, DirectoryService& directory)
      : thread_([this, &service, &directory] { Run(service, directory); }) {}
  ~Ticker() {
    {
      std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  void Run(CoordinatorService& service, DirectoryService& directory) {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kTick, [this] { return stopping_; })) {
      lock.unlock();
      service.Tick();
      directory.Tick();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

// In the order of building; ended in the reverse one.
struct CoordinatorServer::Parts {
  // First: the listener waits for all calls.
  ~Parts() { service.End(); }

  // One each: either may stand still alone, at its own disk.
  const AwakeClock service_clock{Clock::Real(), kStill};
  const AwakeClock directory_clock{Clock::Real(), kStill};
  CoordinatorService service{CoordinatorOptions(), service_clock};
  DirectoryService directory{DirectoryOptions(), directory_clock};
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Ticker> ticker;
};

CoordinatorServer::CoordinatorServer() : parts_(std::make_unique<Parts>()) {}
CoordinatorServer::~CoordinatorServer() = default;

void CoordinatorServer::TellStory(const std::string& host, std::int64_t pid,
                                  const std::string& story) {
  parts_->service.TellStory(host, pid, story);
}

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(
    CoordinatorServerOptions options) {
  std::unique_ptr<CoordinatorServer> server(new CoordinatorServer);
  Parts& parts = *server->parts_;
  const auto add_directory = [&parts](grpc::ServerBuilder& builder) {
    builder.RegisterService(&parts.directory);
  };
  ListenerOptions listener{.local = std::move(options.listener),
                           .prepare = add_directory,
                           .is_discoverable = true};
  if (options.local.has_value()) {
    server->address_ = options.local->ToString();
    if (!listener.local.valid()) {
      HEARTH_ASSIGN_OR_RETURN(listener.local,
                              ListenUnix(*options.local, SocketType::kStream));
    }
  }
  // A port that the kernel chooses is the one of before, if that is free still:
  // workers and clients know it.
  std::uint64_t port_before = 0;
  if (!options.state_dir.empty()) {
    HEARTH_ASSIGN_OR_RETURN(auto journal, Journal::Open(options.state_dir));
    HEARTH_ASSIGN_OR_RETURN(const auto rows, journal->Read());
    port_before = NumberIn(rows, kPort);
    HEARTH_RETURN_IF_ERROR(parts.service.Resume(std::move(journal), rows));
    HEARTH_ASSIGN_OR_RETURN(auto names,
                            Journal::Open(options.state_dir + "/objects"));
    HEARTH_RETURN_IF_ERROR(parts.directory.Resume(std::move(names)));
  }
  if (!options.tcp.has_value()) {
    HEARTH_ASSIGN_OR_RETURN(
        parts.listener, Listener::Start(std::move(listener), parts.service));
  } else {
    HEARTH_ASSIGN_OR_RETURN(const TcpSecurity security,
                            TcpSecurity::Open(options.security));
    listener.credentials = security.ForServer();
    Address tcp = *options.tcp;
    if (tcp.port == 0 && port_before > 0 && port_before <= 65535) {
      tcp.port = static_cast<std::uint16_t>(port_before);
      listener.tcp = tcp.ToString();
      auto again = Listener::Start({.tcp = listener.tcp,
                                    .credentials = listener.credentials,
                                    .prepare = add_directory,
                                    .is_discoverable = true},
                                   parts.service);
      if (again.ok()) parts.listener = *std::move(again);
    }
    if (parts.listener == nullptr) {
      listener.tcp = options.tcp->ToString();
      HEARTH_ASSIGN_OR_RETURN(
          parts.listener, Listener::Start(std::move(listener), parts.service));
    }
    server->address_ = parts.listener->tcp_address();
    HEARTH_ASSIGN_OR_RETURN(const Address bound,
                            Address::Parse(server->address_));
    parts.service.NotePort(bound.port);
  }
  parts.ticker = std::make_unique<Ticker>(parts.service, parts.directory);
  return server;
}

}  // namespace hearth::server
