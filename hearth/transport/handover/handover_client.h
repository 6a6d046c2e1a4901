#pragma once

#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/address.h"
#include "hearth/base/clock.h"
#include "hearth/base/id.h"
#include "hearth/transport/handover/segment_card.h"

namespace hearth {

struct HandoverOptions {
  Address keeper = {};
  // For one whole request, a reconnect included.
  absl::Duration deadline = absl::Seconds(5);
};

// A worker's line to the keeper of its host: descriptors in, descriptors out.
//
// One connection, kept; made at the first request and again whenever it broke.
// A request that was under way when it broke is asked once more: every request
// may arrive twice without harm.
//
// Kind:    resource; neither moves nor copies.
// Threads: any, one request at a time: a second caller waits for the first.
// Fails:   segment-gone when the keeper holds no such token; not-allowed when
//          the other end is another user; deadline-exceeded; too-large when the
//          keeper is full; cluster-unreachable when there is no keeper.
class HandoverClient {
 public:
  explicit HandoverClient(HandoverOptions options,
                          const Clock& clock = Clock::Real());
  ~HandoverClient();
  HandoverClient(const HandoverClient&) = delete;
  HandoverClient& operator=(const HandoverClient&) = delete;

  // The keeper holds a duplicate of `fd` under `token` until Drop; the caller's
  // own stays the caller's. A token already held keeps what it has.
  absl::Status Deposit(const Id& token, int fd, const SegmentCard& card);

  // What is held under `token` from now on: the open segment gives way to the
  // sealed one. Who fetched the old descriptor keeps it.
  absl::Status Replace(const Id& token, int fd, const SegmentCard& card);

  absl::StatusOr<FetchedSegment> Fetch(const Id& token);

  // Tokens that aren't held are no error: to drop twice is to drop once.
  absl::Status Drop(std::span<const Id> tokens);
  absl::Status Drop(const Id& token) { return Drop({&token, 1}); }

  // All that is held, by token.
  absl::StatusOr<std::vector<HeldSegment>> List();

 private:
  class Line;
  std::unique_ptr<Line> line_;
};

}  // namespace hearth
