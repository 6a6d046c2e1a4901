#pragma once

#include <grpcpp/channel.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"

namespace hearth {

// A range of a segment that lies on another host.
struct BulkRange {
  Id token;
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
  std::int64_t cut = 0;  // of the reads to come: no chunk crosses a multiple
};

// Somebody who has the segment, and the token that it has there; zero: the
// range's own.
struct BulkPeer {
  std::shared_ptr<grpc::Channel> channel;
  Id token = {};
};

struct BulkOptions {
  // A stream that brings nothing for so long is broken, and asked for again.
  absl::Duration stall = absl::Seconds(5);
  // Nothing came for so long, however often it was asked for: given up.
  absl::Duration patience = absl::Seconds(30);
  std::function<bool()> cancelled = [] { return false; };
};

// Reads a range in order, as if it were a local file: a broken stream is asked
// for again from the first byte that has not come, of whoever `connect` finds
// then.
//
// What is not asked for yet flows as far as HTTP/2's window lets it: that is
// the read-ahead while the caller computes.
//
// Kind:    resource. Threads: one.
class BulkStream {
 public:
  // Whom to ask; `attempt` counts from 0.
  using Connect = std::function<absl::StatusOr<BulkPeer>(int attempt)>;

  BulkStream(BulkRange range, Connect connect, BulkOptions options = {});
  ~BulkStream();

  // The next into.size() bytes.
  //
  // Fails: SEGMENT_GONE, where nobody who was asked in a row has it, and
  //        whatever else the other end says of the segment;
  //        CLUSTER_UNREACHABLE when nobody brought a byte for options.patience;
  //        CANCELLED. After a failure there are no more bytes.
  absl::Status Next(std::span<std::byte> into);

  // How often it had to be asked for again.
  int resumed() const { return resumed_; }

 private:
  class Attempt;
  absl::Status ReadChunk(std::span<std::byte>& into);

  const BulkRange range_;
  const Connect connect_;
  const BulkOptions options_;
  std::int64_t done_ = 0;  // bytes of the range
  int attempts_ = 0;
  int resumed_ = 0;
  int gone_ = 0;  // answers in a row that there is no such segment
  std::unique_ptr<Attempt> attempt_;
};

}  // namespace hearth
