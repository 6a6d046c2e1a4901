#include "worker/keeper/keeper_books.h"

#include <limits>
#include <utility>

#include "hearth/base/limits.h"

namespace hearth::worker {
namespace {

// How long a segment may stay after a process that nobody watches (a forked
// child of a holder) has let go of it.
constexpr absl::Duration kLookAgain = absl::Seconds(1);

constexpr std::uint64_t kBytesMax = std::numeric_limits<std::uint64_t>::max();

}  // namespace

std::vector<BookAction> KeeperBooks::Handle(const BookEvent& event,
                                            absl::Time now) {
  now_ = now;
  Actions actions;
  std::visit([&](const auto& one) { On(one, actions); }, event);
  return actions;
}

std::optional<absl::Time> KeeperBooks::next_wake() const {
  if (look_again_count_ == 0) return std::nullopt;
  return looked_ + kLookAgain;
}

void KeeperBooks::On(const DepositAsked& asked, Actions& actions) {
  const auto found = entries_.find(asked.token);
  const bool held = found != entries_.end();
  if (asked.replace && held && !found->second.is_ticket) {
    actions.push_back(Answer{});
    actions.push_back(
        CloseDescriptor{std::exchange(found->second.fd, asked.fd)});
    found->second.card = asked.card;
    return;
  }
  Reason refused = Reason::kUnspecified;
  if (held && (asked.replace || found->second.is_ticket)) {
    refused = Reason::kBadUsage;
  } else if (asked.replace) {
    refused = Reason::kSegmentGone;
  } else if (!held && entries_.size() >= bounds_.held_max) {
    refused = Reason::kTooLarge;
  } else if (!held && PassesLimit(asked)) {
    refused = Reason::kOutOfMemory;
  }
  actions.push_back(Answer{refused, refused == Reason::kOutOfMemory
                                        ? bounds_.segment_bytes_max
                                        : 0});
  // Held already: the same deposit once more, after a broken connection.
  if (held || refused != Reason::kUnspecified) {
    actions.push_back(CloseDescriptor{asked.fd});
    return;
  }
  MakeRoom(asked, actions);
  Entry entry;
  entry.fd = asked.fd;
  entry.card = asked.card;
  entry.depositor = asked.depositor;
  entry.inode = asked.inode;
  entry.deposited = deposit_count_++;
  entries_.emplace(asked.token, std::move(entry));
}

// Of segments in memory, each once however many tokens it has.
std::uint64_t KeeperBooks::BytesWith(const DepositAsked& asked,
                                     bool caches_too) const {
  std::map<std::uint64_t, std::uint64_t> bytes_by_inode;
  for (const auto& [token, entry] : entries_) {
    if (entry.is_ticket || entry.card.kind == SegmentKind::kFile) continue;
    if (entry.card.kind == SegmentKind::kFragment && !caches_too) continue;
    bytes_by_inode[entry.inode] = entry.card.bytes;
  }
  bytes_by_inode[asked.inode] = asked.card.bytes;
  std::uint64_t sum = 0;
  for (const auto& [inode, bytes] : bytes_by_inode) {
    sum = bytes > kBytesMax - sum ? kBytesMax : sum + bytes;
  }
  return sum;
}

bool KeeperBooks::PassesLimit(const DepositAsked& asked) const {
  if (bounds_.segment_bytes_max == 0) return false;
  if (asked.card.kind == SegmentKind::kFile) return false;  // not in memory
  return BytesWith(asked, false) > bounds_.segment_bytes_max;
}

void KeeperBooks::MakeRoom(const DepositAsked& asked, Actions& actions) {
  if (bounds_.segment_bytes_max == 0) return;
  if (asked.card.kind == SegmentKind::kFile) return;
  while (BytesWith(asked, true) > bounds_.segment_bytes_max) {
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (at->second.card.kind != SegmentKind::kFragment) continue;
      if (oldest == entries_.end() ||
          at->second.deposited < oldest->second.deposited) {
        oldest = at;
      }
    }
    if (oldest == entries_.end()) return;
    Let(Id(oldest->first), actions);
  }
}

void KeeperBooks::On(const TicketAsked& asked, Actions& actions) {
  const bool full = entries_.size() >= bounds_.held_max ||
                    tickets_by_process_.size() + asked.ancestors.size() + 1 >
                        bounds_.watched_max;
  const bool held = entries_.contains(asked.token);
  if (held || full) {
    actions.push_back(Answer{held ? Reason::kUnspecified : Reason::kTooLarge});
    actions.push_back(CloseDescriptor{asked.fd});
    return;
  }
  Entry& entry = entries_[asked.token];
  entry.fd = asked.fd;
  entry.card = asked.card;
  entry.depositor = asked.depositor;
  entry.is_ticket = true;
  entry.awaited = 1;
  entry.fetchers_countable = asked.fetchers_countable;
  entry.family = {asked.ancestors.begin(), asked.ancestors.end()};
  entry.family.insert(asked.depositor);
  if (!asked.depositor_countable) entry.holders.insert(asked.depositor);
  actions.push_back(Answer{});
  for (const pid_t process : std::set<pid_t>(entry.family)) {
    Watch(process, asked.token, actions);
  }
}

void KeeperBooks::On(const FetchAsked& asked, Actions& actions) {
  const auto found = entries_.find(asked.token);
  if (found == entries_.end()) {
    actions.push_back(Answer{Reason::kSegmentGone});
    return;
  }
  Entry& entry = found->second;
  actions.emplace_back(AnswerWithDescriptor{
      entry.fd, entry.card, entry.is_ticket && entry.fetchers_countable});
  if (entry.is_ticket) Came(asked.token, asked.fetcher, entry, actions);
}

void KeeperBooks::Came(const Id& token, pid_t fetcher, Entry& entry,
                       Actions& actions) {
  if (entry.awaited > 0) --entry.awaited;
  // A process beyond the bound goes unwatched: the next look will tell.
  if (tickets_by_process_.contains(fetcher) ||
      tickets_by_process_.size() < bounds_.watched_max) {
    if (!entry.fetchers_countable) entry.holders.insert(fetcher);
    entry.fetchers.insert(fetcher);
    Watch(fetcher, token, actions);
  }
  // Its holders may let go of it without a word, from now on.
  if (entry.fetchers_countable && entry.holders.empty()) LookAgain(entry);
}

void KeeperBooks::On(const ReleaseAsked& asked, Actions& actions) {
  actions.push_back(Answer{});
  const auto found = entries_.find(asked.token);
  if (found == entries_.end() || !found->second.is_ticket) return;
  Entry& entry = found->second;
  entry.holders.erase(asked.process);
  if (asked.withdraw) entry.awaited = 0;
  Settle(asked.token, entry, actions);
}

void KeeperBooks::On(const DropAsked& asked, Actions& actions) {
  actions.push_back(Answer{});
  for (const Id& token : asked.tokens) {
    if (entries_.contains(token)) Let(token, actions);
  }
}

void KeeperBooks::On(const ListAsked& asked, Actions& actions) {
  AnswerWithList list;
  for (auto at = entries_.upper_bound(asked.after); at != entries_.end();
       ++at) {
    if (list.held.size() == limits::kHandoverBatchMax) {
      list.more = true;
      break;
    }
    const Entry& entry = at->second;
    if (entry.card.kind == SegmentKind::kFragment) {
      list.sparse[at->first] = entry.fd;
    }
    list.held.push_back({.token = at->first,
                         .kind = entry.card.kind,
                         .is_ticket = entry.is_ticket,
                         .fetched = entry.is_ticket && entry.awaited == 0,
                         .depositor_pid = entry.depositor,
                         .bytes = entry.card.bytes});
  }
  actions.emplace_back(std::move(list));
}

void KeeperBooks::On(const Awaited& told, Actions& actions) {
  const auto found = entries_.find(told.token);
  const bool own = found != entries_.end() && found->second.is_ticket &&
                   found->second.depositor == told.depositor;
  if (own) ++found->second.awaited;
  if (!told.asked) return;
  actions.emplace_back(
      Answer{own ? Reason::kUnspecified : Reason::kSegmentGone});
}

void KeeperBooks::On(const Opened& told, Actions& actions) {
  if (told.asked) actions.emplace_back(Answer{});
  const auto found = entries_.find(told.token);
  if (found == entries_.end() || !found->second.is_ticket) return;
  Came(told.token, told.fetcher, found->second, actions);
}

void KeeperBooks::On(const ProcessEnded& ended, Actions& actions) {
  const auto found = tickets_by_process_.find(ended.process);
  if (found == tickets_by_process_.end()) return;
  const std::set<Id> tokens = std::move(found->second);
  tickets_by_process_.erase(found);
  for (const Id& token : tokens) {
    Entry& entry = entries_.at(token);
    entry.family.erase(ended.process);
    entry.holders.erase(ended.process);
    entry.fetchers.erase(ended.process);
    Settle(token, entry, actions);
  }
}

void KeeperBooks::On(const HoldersCounted& counted, Actions& actions) {
  const auto found = entries_.find(counted.token);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  // Handed out once more since the question was put.
  if (IsAwaited(entry)) return;
  if (!counted.held) {
    Let(counted.token, actions);
    return;
  }
  LookAgain(entry);
}

void KeeperBooks::On(const TimePassed&, Actions& actions) {
  const auto wake = next_wake();
  if (!wake.has_value() || now_ < *wake) return;
  looked_ = now_;
  for (auto& [token, entry] : entries_) {
    if (entry.look_again && !IsAwaited(entry)) {
      actions.push_back(AskForHolders{token, entry.fd});
    }
  }
}

bool KeeperBooks::IsAwaited(const Entry& entry) {
  return entry.awaited > 0 && !entry.family.empty();
}

// Lets the ticket go if nothing is known that speaks for it, and asks the
// kernel first where the kernel can tell.
void KeeperBooks::Settle(const Id& token, Entry& entry, Actions& actions) {
  if (IsAwaited(entry) || !entry.holders.empty()) return;
  if (entry.fetchers_countable) {
    actions.push_back(AskForHolders{token, entry.fd});
  } else {
    Let(token, actions);
  }
}

void KeeperBooks::LookAgain(Entry& entry) {
  if (entry.look_again) return;
  entry.look_again = true;
  if (look_again_count_++ == 0) looked_ = now_;
}

void KeeperBooks::Let(const Id& token, Actions& actions) {
  const auto found = entries_.find(token);
  const Entry entry = std::move(found->second);
  entries_.erase(found);
  if (entry.look_again) --look_again_count_;
  actions.push_back(CloseDescriptor{entry.fd});
  UnwatchAll(token, entry, actions);
}

void KeeperBooks::Watch(pid_t process, const Id& token, Actions& actions) {
  std::set<Id>& tokens = tickets_by_process_[process];
  if (tokens.empty()) actions.push_back(WatchProcess{process});
  tokens.insert(token);
}

void KeeperBooks::UnwatchAll(const Id& token, const Entry& entry,
                             Actions& actions) {
  std::set<pid_t> processes = entry.family;
  processes.insert(entry.fetchers.begin(), entry.fetchers.end());
  for (const pid_t process : processes) {
    const auto found = tickets_by_process_.find(process);
    if (found == tickets_by_process_.end()) continue;
    found->second.erase(token);
    if (!found->second.empty()) continue;
    tickets_by_process_.erase(found);
    actions.push_back(UnwatchProcess{process});
  }
}

}  // namespace hearth::worker
