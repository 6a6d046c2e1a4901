// dispatcher ADDRESS: jobs for workers that come and go. A worker that leaves
// with a job in its hands gives it back, because the directory says so.
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/objects.h"

namespace {

struct Job {
  std::int64_t number = 0;
};
auto Describe(hearth::As<Job>) {
  return hearth::Struct("Job", hearth::Field("number", &Job::number));
}

class Dispatcher {
 public:
  explicit Dispatcher(std::int64_t count) : left_(count) {
    for (std::int64_t i = 0; i < count; ++i) waiting_.push_back({i});
  }
  std::optional<Job> Take(const std::string& worker) {
    std::scoped_lock lock(mutex_);
    if (waiting_.empty()) return std::nullopt;
    const Job job = waiting_.front();
    waiting_.pop_front();
    taken_[worker].push_back(job);
    return job;
  }
  void Done(const std::string& worker, const Job& job, std::int64_t result) {
    std::scoped_lock lock(mutex_);
    std::erase_if(taken_[worker],
                  [&](const Job& one) { return one.number == job.number; });
    if (results_.emplace(job.number, result).second) --left_;
  }
  void Left(const std::string& worker) {
    std::scoped_lock lock(mutex_);
    for (const Job& job : taken_[worker]) waiting_.push_back(job);
    taken_.erase(worker);
  }
  std::int64_t left() const {
    std::scoped_lock lock(mutex_);
    return left_;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<Job> waiting_;
  std::map<std::string, std::vector<Job>> taken_;
  std::map<std::int64_t, std::int64_t> results_;
  std::int64_t left_;
};
hearth::Class Describe(hearth::As<Dispatcher>) {
  return hearth::Declare<Dispatcher>("Dispatcher", {.concurrent = true})
      .Method("take", &Dispatcher::Take,
              {.parameters = {"worker"}, .exactly_once = true})
      .Method("done", &Dispatcher::Done,
              {.parameters = {"worker", "job", "result"}, .idempotent = true})
      .Attribute("left", &Dispatcher::left);
}

// A worker is in the directory for as long as it is there.
class Worker {
 public:
  std::string Greet() const { return "at work"; }
};
hearth::Class Describe(hearth::As<Worker>) {
  return hearth::Declare<Worker>("Worker").Method("greet", &Worker::Greet);
}

// Takes jobs until there are none, or leaves with one after `leave_after`.
absl::Status Work(const char* address, const std::string& name,
                  int leave_after) {
  const auto objects = hearth::Objects::Connect(address, {.insecure = true});
  if (!objects.ok()) return objects.status();
  auto server = hearth::ObjectServer::Start(*objects);
  if (!server.ok()) return server.status();
  const auto here =
      server->Serve(name, std::make_shared<Worker>(), {.tags = {"worker"}});
  if (!here.ok()) return here.status();
  const hearth::Proxy dispatcher = objects->Get("dispatcher");
  for (int done = 0;; ++done) {
    const auto job = dispatcher.Call<std::optional<Job>>("take", name);
    if (!job.ok()) return job.status();
    if (done == leave_after) return absl::OkStatus();  // with the job
    if (!job->has_value()) {
      const auto left = dispatcher.Get<std::int64_t>("left");
      if (!left.ok() || *left == 0) return left.status();
      absl::SleepFor(absl::Milliseconds(5));
      continue;
    }
    const std::int64_t number = (*job)->number;
    const absl::Status told =
        dispatcher.Call<void>("done", name, **job, number * number);
    if (!told.ok()) return told;
  }
}

absl::Status Run(const char* address) {
  const auto objects = hearth::Objects::Connect(address, {.insecure = true});
  if (!objects.ok()) return objects.status();
  auto server = hearth::ObjectServer::Start(*objects);
  if (!server.ok()) return server.status();
  const auto dispatcher = std::make_shared<Dispatcher>(200);
  const auto served = server->Serve("dispatcher", dispatcher);
  if (!served.ok()) return served.status();
  const auto watch = objects->Watch({.all_tags = {"worker"}},
                                    [&](const hearth::ObjectChange& change) {
                                      if (change.left)
                                        dispatcher->Left(change.object.name);
                                    });
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([address, i] {
      const absl::Status status =
          Work(address, absl::StrCat("worker", i), i == 0 ? 10 : -1);
      if (!status.ok()) {
        std::fprintf(stderr, "%s\n", status.ToString().c_str());
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::printf("%lld jobs left\n", static_cast<long long>(dispatcher->left()));
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status =
      argc < 2 ? absl::InvalidArgumentError("dispatcher ADDRESS")
               : Run(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
