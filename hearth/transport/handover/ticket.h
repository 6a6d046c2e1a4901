// Sharing without a server: a segment goes to a process that may not exist yet,
// as a text under 200 bytes.
//
// HandOut leaves a duplicate of the descriptor with a keeper process under a
// random ticket, and starts that keeper where none runs; Open opens it in
// whatever process the text ends up: out of /proc where whoever handed it out
// still has it open, for nobody has to wake up for that, and from the keeper
// where not. See worker/keeper for who holds what for how long.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"
#include "hearth/transport/handover/segment_card.h"
#include "hearth/transport/handover/whereabouts.h"

namespace hearth {

// The text form: `hearth1:KEEPER:TICKET:BYTES:LABEL[:WHERE]`, the first two 32
// hexadecimal digits each. WHERE is left out of what would be too long with it.
//
// Kind:    value.
struct TicketText {
  Id keeper = {};  // names its socket: "hearth-" and this id
  Id ticket = {};
  std::uint64_t bytes = 0;
  std::string label =
      {};  // for people: "float64[500000,1024]"; cut at 64 bytes
  std::optional<Whereabouts> where = {};

  std::string ToString() const;
  // Fails: bad-usage.
  static absl::StatusOr<TicketText> Parse(absl::string_view text);

  friend bool operator==(const TicketText&, const TicketText&) = default;
};

// Hands segments out and opens what others handed out; one in a process is
// enough. Knows the keeper it started or first heard of, and starts another
// when that one is gone. Keeps no lock between calls, and a connection a
// thread, which a forked child closes when it asks for the first time.
//
// Kind:    resource; neither moves nor copies.
// Threads: any, and in a forked child too.
class TicketOffice {
 public:
  struct Options {
    // The `hearth` binary, which is exec'ed as `hearth keeper ...`. See
    // hearth/base/program.h.
    std::string program = {};
    absl::Duration deadline = absl::Seconds(5);
  };
  explicit TicketOffice(Options options) : options_(std::move(options)) {}
  ~TicketOffice();
  TicketOffice(const TicketOffice&) = delete;
  TicketOffice& operator=(const TicketOffice&) = delete;

  // The caller may close `fd`, unmap, and exit before anybody opens the text:
  // the keeper holds the bytes while this process or one of its ancestors (see
  // ancestors.h) lives, and beyond that while any process that opened it does.
  // `label` is for people who see the text.
  //
  // Fails: file-missing when there is no `hearth` to exec; bad-usage for a
  //        descriptor that is not what the card says; too-large when the
  //        keeper is full; deadline-exceeded.
  absl::StatusOr<std::string> HandOut(int fd, const SegmentCard& card,
                                      absl::string_view label = "");

  // One more reader will come with `text`, which this process handed out before
  // and whose segment it holds still: as good as another ticket, and nobody
  // waits for it. False where its keeper is gone or has forgotten it: then hand
  // the segment out anew.
  // Fails: deadline-exceeded; bad-usage for a text that is no ticket.
  absl::StatusOr<bool> AwaitOneMore(absl::string_view text);

  // `vouched`: the text comes from somebody who could as well read all that
  // this process can (who unpickles trusts). Else, as for an argument of a
  // call, it must be a ticket that its keeper knows, which nobody can guess;
  // where it says that the segment lies is not looked at.
  //
  // Fails: segment-gone when no process holds the bytes any more; bad-usage
  //        for a text that is no ticket; not-allowed for another user's.
  struct OpenOptions {
    bool vouched = true;
  };
  absl::StatusOr<FetchedSegment> Open(absl::string_view text,
                                      OpenOptions options);
  absl::StatusOr<FetchedSegment> Open(absl::string_view text) {
    return Open(text, OpenOptions());
  }

  // This process holds the segment of `text` no longer: memory goes at once
  // instead of a second later or, for a descriptor that the kernel can't count,
  // at this process's end. `withdraw`: nobody will come for it either.
  // Best effort: never fails, hardly waits.
  struct ReleaseOptions {
    bool withdraw = false;
  };
  void Release(absl::string_view text, ReleaseOptions options);
  void Release(absl::string_view text) { Release(text, ReleaseOptions()); }

 private:
  // A lock could be held by another thread in the moment of a fork; so what is
  // known only ever grows, by one word.
  struct Known {
    Id keeper;
    const Known* earlier;
  };
  Id Current() const;
  void Learn(const Id& keeper);
  absl::StatusOr<Id> KeeperOtherThan(const Id& gone);

  const Options options_;
  std::atomic<const Known*> known_ = nullptr;
};

}  // namespace hearth
