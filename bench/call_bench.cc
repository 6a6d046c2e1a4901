// What a call costs beside a bare gRPC echo in C++, in the same run: latency
// with one caller, calls a second with 64, over a Unix socket and TCP; then a
// batch, a oneway call, and what ten thousand idle proxies take.
#include <grpcpp/grpcpp.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/unix_socket.h"
#include "hearth/object/declare.h"
#include "hearth/transport/call/connector.h"
#include "hearth/transport/call/object_space.h"
#include "hearth/transport/control/channel.h"
#include "hearth/transport/control/listener.h"
#include "protos/object.grpc.pb.h"

namespace hearth {
namespace {

using SteadyClock = std::chrono::steady_clock;

double Since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

class Echo {
 public:
  void Empty() {}
  void Sleep() { std::this_thread::sleep_for(std::chrono::seconds(2)); }
};
Class Describe(As<Echo>) {
  return Declare<Echo>("Echo", {.concurrent = true})
      .Method("empty", &Echo::Empty)
      .Method("sleep", &Echo::Sleep);
}

// The bare one: a synchronous server that answers at once.
class BareEcho final : public proto::Objects::Service {
  grpc::Status Call(grpc::ServerContext*, const proto::MethodCall*,
                    proto::MethodReply*) override {
    return grpc::Status::OK;
  }
};

struct Measured {
  double median_us = 0;
  double calls_a_second = 0;
};

Measured Measure(int callers, double seconds,
                 const std::function<bool()>& call) {
  std::atomic<bool> stop = false;
  std::vector<std::vector<double>> times(static_cast<std::size_t>(callers));
  std::vector<std::thread> threads;
  const auto begin = SteadyClock::now();
  for (auto& mine : times) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto before = SteadyClock::now();
        if (!call()) std::abort();
        mine.push_back(Since(before) * 1e6);
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (auto& thread : threads) thread.join();
  const double took = Since(begin);
  std::vector<double> all;
  for (auto& mine : times) all.insert(all.end(), mine.begin(), mine.end());
  std::nth_element(all.begin(), all.begin() + std::ssize(all) / 2, all.end());
  return {all[all.size() / 2], static_cast<double>(all.size()) / took};
}

long StatusLine(const std::string& key) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(key)) return std::atol(line.c_str() + key.size() + 1);
  }
  return 0;
}

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address) {
  const auto parsed = Address::Parse(address);
  auto channel = ConnectChannel(
      *parsed, {.tcp = {.credentials = grpc::InsecureChannelCredentials()}});
  if (!channel.ok()) std::abort();
  return *channel;
}

double Compare(const char* where, const char* what, const Measured& bare,
               const Measured& ours, bool rate) {
  const double ratio = rate ? ours.calls_a_second / bare.calls_a_second
                            : bare.median_us / ours.median_us;
  std::printf(
      "%-5s %-10s bare %8.1f us %8.0f/s   hearth %8.1f us %8.0f/s   "
      "%.2f\n",
      where, what, bare.median_us, bare.calls_a_second, ours.median_us,
      ours.calls_a_second, ratio);
  return ratio;
}

void Run(const char* where, bool tcp, double seconds, int rounds) {
  BareEcho bare_service;
  const Address bare_address = RandomAbstractAddress();
  ListenerOptions bare_options;
  if (tcp) {
    bare_options.tcp = "127.0.0.1:0";
    bare_options.credentials = grpc::InsecureServerCredentials();
  } else {
    bare_options.local = *ListenUnix(bare_address, SocketType::kStream);
  }
  auto bare_server = *Listener::Start(std::move(bare_options), bare_service);
  const auto stub = proto::Objects::NewStub(
      ChannelTo(tcp ? bare_server->tcp_address() : bare_address.ToString()));

  auto server = ObjectSpace::Make({.host = {.process = "server"}});
  const Address address = RandomAbstractAddress();
  ObjectListenerOptions options;
  if (tcp) {
    options.tcp = "127.0.0.1:0";
    options.credentials = grpc::InsecureServerCredentials();
    options.is_tcp_plain = true;
  } else {
    options.local = *ListenUnix(address, SocketType::kStream);
  }
  if (!server->Listen(std::move(options)).ok()) std::abort();
  server->SetAddresses({tcp ? server->tcp_address() : address.ToString()});
  (void)server->host().Add("echo", InstanceOf(std::make_shared<Echo>()));
  auto client = ObjectSpace::Make(
      {.host = {.process = "client"},
       .connect = [](const std::string& to, absl::Duration)
           -> absl::StatusOr<std::shared_ptr<grpc::Channel>> {
         return ChannelTo(to);
       },
       .connect_plain = PlainConnectorFor({.insecure = true})});
  const ObjectHandle handle = server->HandleOf("echo");
  const Proxy proxy(client->Bind(handle));

  const auto bare_call = [&] {
    grpc::ClientContext context;
    proto::MethodCall request;
    request.set_object("echo");
    request.set_method("empty");
    proto::MethodReply reply;
    return stub->Call(&context, request, &reply).ok();
  };
  const auto our_call = [&] { return proxy.Call<void>("empty").ok(); };
  (void)Measure(1, 0.1, bare_call);
  (void)Measure(1, 0.1, our_call);
  double singles = 0;
  for (int round = 0; round < rounds; ++round) {
    const Measured bare = Measure(1, seconds, bare_call);
    const Measured ours = Measure(1, seconds, our_call);
    Compare(where, "1 caller", bare, ours, false);
    singles = std::max(singles, ours.calls_a_second);
    const Measured bare_many = Measure(64, seconds, bare_call);
    const Measured ours_many = Measure(64, seconds, our_call);
    Compare(where, "64 callers", bare_many, ours_many, true);
  }

  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto begin = SteadyClock::now();
    auto batch = proxy.Batch();
    for (int i = 0; i < 10'000; ++i) batch.Add("empty");
    if (!batch.Run().status.ok()) std::abort();
    best = std::max(best, 10'000 / Since(begin));
  }
  std::printf("%-5s batch of 10,000: %.0f calls/s, %.1f times single calls\n",
              where, best, best / singles);

  const auto begin = SteadyClock::now();
  if (!proxy.Oneway("sleep").ok()) std::abort();
  std::printf("%-5s oneway returned in %.3f ms\n", where, Since(begin) * 1e3);

  const long threads = StatusLine("Threads");
  const auto bytes = mallinfo2().uordblks;
  std::vector<Proxy> idle;
  idle.reserve(10'000);
  for (int i = 0; i < 10'000; ++i) idle.emplace_back(client->Bind(handle));
  std::printf("%-5s 10,000 idle proxies: %ld threads, %.0f bytes each\n", where,
              StatusLine("Threads") - threads,
              static_cast<double>(mallinfo2().uordblks - bytes) / 10'000);
  idle.clear();
  client->End();
  server->End();
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  hearth::Run("unix", false, seconds, rounds);
  hearth::Run("tcp", true, seconds, rounds);
}
