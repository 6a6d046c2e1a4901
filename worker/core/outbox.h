#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "worker/core/task.h"

namespace hearth::worker {

struct OutboxOptions {
  // A batch is sent when it has this many reports, or this many inline bytes
  // (well below limits::kMessageBytesMax), or its oldest has waited this long,
  // or a thread has nothing to do.
  std::size_t batch_reports_max = 64;
  std::size_t batch_bytes_max = 256 * 1024;
  absl::Duration wait_max = absl::Milliseconds(1);
};

// Reports on their way to the coordinator, in batches; kept until acknowledged,
// and sent again after a reconnect.
//
// Kind: resource, single-threaded.
class Outbox {
 public:
  struct Batch {
    std::uint64_t sequence = 0;
    std::vector<Report> reports;
  };

  explicit Outbox(OutboxOptions options = {}) : options_(options) {}

  void Add(Report report, absl::Time now);
  bool IsDue(absl::Time now) const;
  absl::Time flush_at() const;

  // What has gathered, as a numbered batch; none when there is nothing, or no
  // stream to send it on.
  std::optional<Batch> Flush();

  void Connect() { connected_ = true; }
  void Disconnect() { connected_ = false; }
  // What is not acknowledged, in the order and with the numbers of before.
  std::vector<Batch> Unacknowledged() const;
  void Acknowledge(std::uint64_t sequence);

 private:
  OutboxOptions options_;
  bool connected_ = false;
  std::uint64_t next_sequence_ = 1;
  std::vector<Report> gathering_;
  std::size_t gathering_bytes_ = 0;
  absl::Time gathering_since_;
  std::deque<Batch> sent_;
};

}  // namespace hearth::worker
