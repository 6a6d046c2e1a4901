// Where a process has a segment open: enough for another process of its user
// to open it, too, without asking anybody.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "hearth/transport/handover/segment_card.h"

namespace hearth {

// A hint, and never believed: what lies there now is compared with what the
// hint says, and who finds something else, or nothing, asks the keeper.
//
// Kind:  value.
// Text:  `PID.DESCRIPTOR.INODE.NOTE`, the note in hexadecimal digits.
struct Whereabouts {
  pid_t process = 0;
  int descriptor = -1;
  std::uint64_t inode = 0;
  std::string note = {};  // of the segment's card

  // Of a memfd that this process has open; nothing for another kind of file.
  static std::optional<Whereabouts> Of(int fd, const SegmentCard& card);

  std::string ToString() const;
  static std::optional<Whereabouts> Parse(absl::string_view text);

  friend bool operator==(const Whereabouts&, const Whereabouts&) = default;
};

// The segment of `bytes` bytes, by a description of this process's own; nothing
// where it is not there any more, or /proc keeps it from us.
std::optional<FetchedSegment> OpenWhere(const Whereabouts& where,
                                        std::uint64_t bytes);

}  // namespace hearth
