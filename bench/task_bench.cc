// What a task costs by itself: dispatched, run (nothing), committed, by worker
// processes over real sockets; beside it, multiprocessing.Pool's
// imap_unordered with as many processes in the same run (task_peer.py).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "client/launch/local_cluster.h"
#include "client/service/coordinator_client.h"
#include "hearth/base/id.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

// Tasks a second of one job of `task_count` empty tasks, or 0 if it failed.
double Rate(client::CoordinatorClient& coordinator, std::int64_t task_count) {
  proto::SubmitRequest request;
  request.set_client_key(Id::Random().ToString());
  request.set_operation("empty-tasks");
  // One row block a row, and no bytes behind any of them.
  auto layout =
      MatrixLayout::Make(ElementType::kUint8, ByteOrder::kNative, Order::kC,
                         {task_count, std::int64_t{16} << 20});
  *request.mutable_record()->mutable_layout() = ToProto(*layout);
  request.mutable_record()->mutable_unmade();
  const auto job = coordinator.Submit(request);
  if (!job.ok()) {
    std::fprintf(stderr, "%s\n", std::string(job.status().message()).c_str());
    return 0;
  }
  const auto last = coordinator.Watch(*job, nullptr);
  if (!last.ok() || last->failure().code() != 0) {
    std::fprintf(stderr, "%s\n",
                 last.ok() ? last->failure().message().c_str()
                           : std::string(last.status().message()).c_str());
    return 0;
  }
  return static_cast<double>(task_count) / last->statistics().seconds();
}

int Main(int argc, char** argv) {
  const std::int64_t task_count = argc > 1 ? std::atoll(argv[1]) : 200'000;
  const int worker_count = argc > 2 ? std::atoi(argv[2]) : 2;
  auto cluster =
      client::LocalCluster::Start({.workers = worker_count, .threads = 1});
  if (!cluster.ok()) {
    std::fprintf(stderr, "%s\n", cluster.status().ToString().c_str());
    return 1;
  }
  auto coordinator =
      client::CoordinatorClient::Connect((*cluster)->address(), {});
  if (!coordinator.ok() ||
      !(*coordinator)->WaitReady(worker_count, absl::Seconds(10)).ok()) {
    return 1;
  }
  std::vector<double> rates;
  for (int i = 0; i < 5; ++i) rates.push_back(Rate(**coordinator, task_count));
  std::sort(rates.begin(), rates.end());
  std::printf("%lld empty tasks, %d workers: %.0f tasks/s (%.0f to %.0f)\n",
              static_cast<long long>(task_count), worker_count,
              rates[rates.size() / 2], rates.front(), rates.back());
  return rates.front() > 0 ? 0 : 1;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) { return hearth::Main(argc, argv); }
