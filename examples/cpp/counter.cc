// A counter that any process of the cluster may call by its name.
#include <hearth/objects.h>

#include <iostream>

namespace {

struct Counter {
  std::int64_t sum = 0;
  std::int64_t Add(std::int64_t by) { return sum += by; }
};

hearth::Class Describe(hearth::As<Counter>) {
  return hearth::Declare<Counter>("Counter").Method("add", &Counter::Add,
                                                    {.parameters = {"by"}});
}

absl::StatusOr<std::int64_t> CountTo(int last) {
  auto cluster = hearth::Cluster::Local({.workers = 1});
  if (!cluster.ok()) return cluster.status();
  auto objects = hearth::Objects::Connect(cluster->address());
  if (!objects.ok()) return objects.status();
  auto server = hearth::ObjectServer::Start(*objects);
  if (!server.ok()) return server.status();
  auto served = server->Serve("counter", std::make_shared<Counter>());
  if (!served.ok()) return served.status();
  const hearth::Proxy counter = objects->Get("counter");
  absl::StatusOr<std::int64_t> sum = 0;
  for (int i = 1; i <= last && sum.ok(); ++i) {
    sum = counter.Call<std::int64_t>("add", i);
  }
  return sum;
}

}  // namespace

int main() {
  auto sum = CountTo(100);
  if (!sum.ok()) return std::cerr << sum.status() << "\n", 1;
  std::cout << *sum << "\n";
}
