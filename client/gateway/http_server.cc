#include "client/gateway/http_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/base/tcp_socket.h"
#include "hearth/transport/call/crew.h"

namespace hearth::client {
namespace {

using Connections = std::list<HttpConnection>;  // the oldest first

int MillisecondsUntil(absl::Time deadline, absl::Time now) {
  if (deadline == absl::InfiniteFuture()) return -1;
  const auto left = absl::ToInt64Milliseconds(deadline - now) + 1;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

struct HttpServer::Parts {
  explicit Parts(HttpServerOptions of)
      : options(std::move(of)),
        handlers{.admit = options.admit, .begin = [this](HttpRequest request) {
                   return Begin(std::move(request));
                 }} {}

  std::shared_ptr<HttpReply> Begin(HttpRequest request);
  void Wake() const;
  void Run();
  void Accept(Connections& connections) const;

  HttpServerOptions options;
  const Clock& clock = Clock::Real();
  const HttpConnection::Handlers handlers;
  UniqueFd wake;
  std::atomic<bool> stopping = false;
  std::atomic<int> calls = 0;
  std::unique_ptr<Crew> crew = std::make_unique<Crew>(limits::kHttpCallsMax);
  std::thread thread;
};

void HttpServer::Parts::Wake() const {
  const std::uint64_t one = 1;
  // Full means that it is woken anyway.
  [[maybe_unused]] const ssize_t wrote = write(wake.get(), &one, sizeof(one));
}

std::shared_ptr<HttpReply> HttpServer::Parts::Begin(HttpRequest request) {
  if (calls.fetch_add(1) >= limits::kHttpCallsMax) {
    calls.fetch_sub(1);
    return nullptr;
  }
  auto reply = std::make_shared<HttpReply>(request, [this] { Wake(); });
  crew->Post([this, reply, request = std::move(request)]() mutable {
    options.handle(std::move(request), *reply);
    calls.fetch_sub(1);
  });
  return reply;
}

void HttpServer::Parts::Accept(Connections& connections) const {
  while (true) {
    UniqueFd fd = AcceptTcp(options.listener.get());
    if (!fd.valid()) return;
    if (connections.size() >= limits::kHttpConnectionsMax) {
      const auto stranger =
          std::find_if(connections.begin(), connections.end(),
                       [](const auto& one) { return one.IsStranger(); });
      if (stranger == connections.end()) continue;  // closes the new one
      connections.erase(stranger);
    }
    connections.emplace_back(std::move(fd), limits::kHttpBodyBytesMax,
                             options.times, clock.Now());
  }
}

void HttpServer::Parts::Run() {
  Connections connections;
  std::vector<pollfd> polled;
  while (!stopping) {
    polled.assign(
        {{wake.get(), POLLIN, 0}, {options.listener.get(), POLLIN, 0}});
    absl::Time deadline = absl::InfiniteFuture();
    for (const HttpConnection& one : connections) {
      polled.push_back({one.fd(), one.Events(), 0});
      deadline = std::min(deadline, one.deadline());
    }
    const int ready = poll(polled.data(), polled.size(),
                           MillisecondsUntil(deadline, clock.Now()));
    if (ready < 0) {
      for (pollfd& entry : polled) entry.revents = 0;
    }
    const absl::Time now = clock.Now();
    const bool is_woken = polled[0].revents != 0;
    if (is_woken) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t got =
          read(wake.get(), &count, sizeof(count));
    }
    std::size_t at = 2;
    for (auto one = connections.begin(); one != connections.end();) {
      const short events = polled[at++].revents;
      bool stays = true;
      if (events != 0) stays = one->OnEvents(events, handlers, now);
      if (stays && is_woken) stays = one->OnReply(handlers, now);
      if (stays && one->deadline() <= now) stays = one->OnDeadline(now);
      one = stays ? std::next(one) : connections.erase(one);
    }
    if (polled[1].revents != 0) Accept(connections);
  }
  for (HttpConnection& one : connections) one.OnStop();
}

HttpServer::HttpServer(std::unique_ptr<Parts> parts)
    : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    HttpServerOptions options) {
  auto parts = std::make_unique<Parts>(std::move(options));
  parts->wake = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!parts->wake.valid()) return ErrnoStatus("eventfd");
  Parts& running = *parts;
  parts->thread = std::thread([&running] { running.Run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));
}

HttpServer::~HttpServer() {
  parts_->stopping = true;
  parts_->Wake();
  parts_->thread.join();   // its connections hang up
  parts_->crew = nullptr;  // waits for who still answers
}

}  // namespace hearth::client
