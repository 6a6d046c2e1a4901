#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/transport/handover/segment_card.h"

namespace hearth::worker {

// A descriptor, to the books: a number that comes in and goes out again.
using Descriptor = int;

// ---- What processes ask. Each is answered by exactly one Answer... action.

// Hold this until it is dropped. `replace`: in place of what the token has.
struct DepositAsked {
  Id token;
  Descriptor fd = -1;
  SegmentCard card;
  pid_t depositor = 0;
  bool replace = false;
  std::uint64_t inode = 0;  // the same segment may be held under two tokens
};

// Hold this for somebody who will come with the ticket.
struct TicketAsked {
  Id token;
  Descriptor fd = -1;
  SegmentCard card;
  pid_t depositor = 0;
  std::vector<pid_t> ancestors;
  // Whether AskForHolders sees the depositor's own hold on the segment, and
  // those of fetchers and their forked children.
  bool depositor_countable = false;
  bool fetchers_countable = false;
};

struct FetchAsked {
  Id token;
  pid_t fetcher = 0;
};

// The process holds the ticket's segment no longer. `withdraw`: nobody will
// come for it either.
struct ReleaseAsked {
  Id token;
  pid_t process = 0;
  bool withdraw = false;
};

struct DropAsked {
  std::vector<Id> tokens;
};

struct ListAsked {
  Id after;
};

// ---- What processes tell. Answered where `asked`: most come as notices.

// The depositor gives its ticket to one more reader.
struct Awaited {
  Id token;
  pid_t depositor = 0;
  bool asked = false;
};

// The process came with the ticket, and opened the segment by itself.
struct Opened {
  Id token;
  pid_t fetcher = 0;
  bool asked = false;
};

// ---- What the machine tells.

// Told once for every watched process.
struct ProcessEnded {
  pid_t process = 0;
};

// The answer to AskForHolders.
struct HoldersCounted {
  Id token;
  bool held = false;
};

struct TimePassed {};

using BookEvent =
    std::variant<DepositAsked, TicketAsked, FetchAsked, ReleaseAsked, DropAsked,
                 ListAsked, Awaited, Opened, ProcessEnded, HoldersCounted,
                 TimePassed>;

// ---- What the books want done, in this order.

struct Answer {
  Reason reason = Reason::kUnspecified;  // kUnspecified: done
  std::uint64_t bytes_max = 0;           // of kOutOfMemory: what is allowed
  friend bool operator==(const Answer&, const Answer&) = default;
};
struct AnswerWithDescriptor {
  Descriptor fd = -1;
  SegmentCard card;
  bool countable = false;  // send one that AskForHolders will see
  friend bool operator==(const AnswerWithDescriptor&,
                         const AnswerWithDescriptor&) = default;
};
struct AnswerWithList {
  std::vector<HeldSegment> held;
  bool more = false;
  // Of those held: the bytes that they take are to be looked up.
  std::map<Id, Descriptor> sparse;
  friend bool operator==(const AnswerWithList&,
                         const AnswerWithList&) = default;
};
struct CloseDescriptor {
  Descriptor fd = -1;
  friend bool operator==(const CloseDescriptor&,
                         const CloseDescriptor&) = default;
};
struct WatchProcess {
  pid_t process = 0;
  friend bool operator==(const WatchProcess&, const WatchProcess&) = default;
};
struct UnwatchProcess {
  pid_t process = 0;
  friend bool operator==(const UnwatchProcess&,
                         const UnwatchProcess&) = default;
};
// Does any process, or any message under way, still have this segment open or
// mapped, other than through `fd`?
struct AskForHolders {
  Id token;
  Descriptor fd = -1;
  friend bool operator==(const AskForHolders&, const AskForHolders&) = default;
};

using BookAction =
    std::variant<Answer, AnswerWithDescriptor, AnswerWithList, CloseDescriptor,
                 WatchProcess, UnwatchProcess, AskForHolders>;

// Decides what a keeper holds, for whom, and until when.
//
// A *segment* is held until it is dropped, whoever dies. A *ticket* is held
// until somebody came for it as often as it was handed out (or it was
// withdrawn, or its depositor and the depositor's ancestors are all dead) and
// no live process holds the segment. Who holds it the kernel is asked, where it
// can tell; elsewhere the processes known to have it are counted until they
// release it or end. Nothing is let go because time has passed: time only
// brings the next look.
//
// Kind:    resource, single-threaded, pure: touches no descriptor.
// Time:    `now` never runs backwards.
// Bound:   Bounds; reaching one answers too-large.
class KeeperBooks {
 public:
  struct Bounds {
    std::size_t held_max = 0;
    std::size_t watched_max = 0;
    // Of all segments together, tickets apart; 0: what the host allows. What is
    // a cache gives way to the others.
    std::uint64_t segment_bytes_max = 0;
  };
  explicit KeeperBooks(Bounds bounds) : bounds_(bounds) {}

  std::vector<BookAction> Handle(const BookEvent& event, absl::Time now);

  // When to send TimePassed at the latest; nothing: no need.
  std::optional<absl::Time> next_wake() const;

  bool empty() const { return entries_.empty(); }
  std::size_t held_count() const { return entries_.size(); }

 private:
  struct Entry {
    Descriptor fd = -1;
    SegmentCard card;
    pid_t depositor = 0;
    std::uint64_t inode = 0;
    bool is_ticket = false;
    // Times that it was handed out and nobody came for it yet.
    int awaited = 0;
    std::uint64_t deposited = 0;  // how many were before it
    bool fetchers_countable = false;
    std::set<pid_t> family;    // depositor and ancestors, still alive
    std::set<pid_t> holders;   // known to hold it, where the kernel can't tell
    std::set<pid_t> fetchers;  // alive; their end is a moment to look
    bool look_again = false;   // at every look, until it goes
  };
  using Entries = std::map<Id, Entry>;
  using Actions = std::vector<BookAction>;

  void On(const DepositAsked& asked, Actions& actions);
  bool PassesLimit(const DepositAsked& asked) const;
  // Lets go of caches until this one fits in, too; the oldest first.
  void MakeRoom(const DepositAsked& asked, Actions& actions);
  std::uint64_t BytesWith(const DepositAsked& asked, bool caches_too) const;
  void On(const TicketAsked& asked, Actions& actions);
  void On(const FetchAsked& asked, Actions& actions);
  void On(const ReleaseAsked& asked, Actions& actions);
  void On(const DropAsked& asked, Actions& actions);
  void On(const ListAsked& asked, Actions& actions);
  void On(const Awaited& told, Actions& actions);
  void On(const Opened& told, Actions& actions);
  void On(const ProcessEnded& ended, Actions& actions);
  void On(const HoldersCounted& counted, Actions& actions);
  void On(const TimePassed& passed, Actions& actions);

  // One reader came with the ticket.
  void Came(const Id& token, pid_t fetcher, Entry& entry, Actions& actions);
  // Whether somebody may still come with the ticket.
  static bool IsAwaited(const Entry& entry);
  void Settle(const Id& token, Entry& entry, Actions& actions);
  void LookAgain(Entry& entry);
  void Let(const Id& token, Actions& actions);
  void Watch(pid_t process, const Id& token, Actions& actions);
  void UnwatchAll(const Id& token, const Entry& entry, Actions& actions);

  const Bounds bounds_;
  absl::Time now_ = absl::InfinitePast();
  absl::Time looked_ = absl::InfinitePast();
  Entries entries_;
  std::map<pid_t, std::set<Id>> tickets_by_process_;
  std::size_t look_again_count_ = 0;
  std::uint64_t deposit_count_ = 0;
};

}  // namespace hearth::worker
