#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/base/address.h"
#include "hearth/base/clock.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/handover/segment_message.h"

namespace hearth {

// One question to a keeper. Everything is borrowed for the call.
struct HandoverQuestion {
  SegmentMessage head;  // its note_bytes and count say what follows
  absl::string_view note = {};
  absl::string_view entries = {};
  std::span<const int> descriptors = {};
  // For errors, which add the token if `names_token`: "fetch segment".
  absl::string_view attempt = {};
  bool names_token = false;

  std::string Attempt() const;
};

struct HandoverAnswer {
  SegmentMessage head;
  std::string note;
  std::string entries;
  std::vector<UniqueFd> descriptors;
};

// A connection to a keeper that asks one question at a time.
//
// Kind:    resource. Not connected at first; reconnects by itself.
// Threads: one at a time.
class HandoverLine {
 public:
  HandoverLine(Address keeper, const Clock& clock)
      : keeper_(std::move(keeper)), clock_(clock) {}

  // Fails: with the keeper's own reason, as a sentence; cluster-unreachable;
  //        deadline-exceeded; not-allowed. After anything but the keeper's own
  //        reason the connection is closed: a late answer finds nobody.
  absl::StatusOr<HandoverAnswer> Ask(const HandoverQuestion& question,
                                     absl::Duration deadline);

  // Whether this process has asked that keeper before, checked its user then,
  // and it is there still: its name is nobody else's.
  bool connected() const;

 private:
  absl::StatusOr<HandoverAnswer> AskOnce(const HandoverQuestion& question,
                                         absl::Time until);
  absl::Status Connect(absl::Time until);
  absl::Status WaitFor(short events, absl::Time until,
                       const HandoverQuestion& question);

  const Address keeper_;
  const Clock& clock_;
  UniqueFd socket_;
  int connected_by_ = 0;  // a forked child must not speak on its parent's line
  std::uint32_t sequence_ = 0;
};

// The segment in the answer to a kFetch.
absl::StatusOr<FetchedSegment> TakeFetched(HandoverAnswer answer,
                                           const HandoverQuestion& question);

}  // namespace hearth
