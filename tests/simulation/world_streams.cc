// The streams between processes and their coordinator.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world.h"

namespace hearth::simulation {

void World::Connect(const ProcessPtr& process) {
  if (!process->alive || process->stream != 0) return;
  const std::uint64_t stream = next_stream_++;
  process->stream = stream;
  streams_[stream].process = process;
  server::WorkerIdentity identity{
      .host = process->host,
      .slot = absl::StrCat("s", process->slot),
      .incarnation = process->incarnation,
      .pid = process->pid,
      .address = "",
      .thread_count = static_cast<int>(process->threads.size()),
      .called = process->called};
  SendUp(stream, [this, stream, identity] {
    Tell(server::WorkerJoined{0, identity, scenario_.free_bytes}, stream);
  });
}

void World::SendUp(std::uint64_t stream, std::function<void()> deliver) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  absl::Time& last = found->second.last_up;
  last = std::max(last, now_ + Delay());
  At(last, [this, stream, deliver = std::move(deliver)] {
    if (streams_.contains(stream)) deliver();
  });
}

void World::SendDown(server::WorkerId worker,
                     std::function<void(const ProcessPtr&)> deliver) {
  const auto known = stream_by_worker_.find(worker);
  if (known == stream_by_worker_.end()) return;
  const std::uint64_t stream = known->second;
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  absl::Time& last = found->second.last_down;
  last = std::max(last, now_ + Delay());
  last = std::max(last, found->second.process->frozen_until);
  At(last, [this, stream, deliver = std::move(deliver)] {
    const auto open = streams_.find(stream);
    if (open == streams_.end()) return;
    const ProcessPtr process = open->second.process;
    if (process->alive && process->stream == stream) deliver(process);
  });
}

void World::Break(std::uint64_t stream, bool coordinator_knows) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  const Stream broken = found->second;
  ++counts_.breaks;
  streams_.erase(found);  // what is under way, in both directions, is lost
  ++disruptions_;
  if (!coordinator_knows && broken.epoch != 0) {
    After(UpTo(absl::Milliseconds(500)), [this, broken] {
      Tell(server::WorkerLost{broken.worker, broken.epoch, "stream broke"});
    });
  }
  const ProcessPtr process = broken.process;
  const absl::Time notices =
      std::max(process->frozen_until, now_ + UpTo(absl::Milliseconds(500)));
  At(notices, [this, process, stream] {
    if (!process->alive || process->stream != stream) return;
    process->stream = 0;
    for (const auto& [order, token] : std::exchange(process->copying, {})) {
      segments_.erase(token);
    }
    Hear(process, worker::Disconnected{});
    After(UpTo(absl::Milliseconds(500)), [this, process] { Connect(process); });
  });
}

}  // namespace hearth::simulation
