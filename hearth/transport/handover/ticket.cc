#include "hearth/transport/handover/ticket.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hearth/base/address.h"
#include "hearth/base/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/transport/handover/ancestors.h"
#include "hearth/transport/handover/handover_line.h"
#include "hearth/transport/handover/keeper_launch.h"
#include "hearth/transport/handover/notice.h"

namespace hearth {
namespace {

constexpr absl::string_view kForm = "hearth1";
constexpr std::size_t kBytesMax = 199;
constexpr std::size_t kLabelBytesMax = 64;
// For a word that nobody's work depends on.
constexpr absl::Duration kPatience = absl::Milliseconds(200);

// A keeper may end in the moment in which we ask it; a second one in a row is
// no coincidence.
constexpr int kKeepersTried = 3;

bool IsOfLabel(char c) { return c > ' ' && c <= '~' && c != ':'; }

Address AddressOf(const Id& keeper) {
  return Address::Abstract(absl::StrCat("hearth-", keeper.ToString()));
}

// Each thread keeps its line to the keeper that it asked last: a connection
// takes longer than a question. Without a lock, so that a fork is nobody's
// concern; the line itself knows whose it is.
HandoverLine& LineTo(const Id& keeper) {
  struct Kept {
    Id keeper;
    std::optional<HandoverLine> line;
  };
  thread_local Kept kept;
  if (!kept.line.has_value() || kept.keeper != keeper) {
    kept.keeper = keeper;
    kept.line.emplace(AddressOf(keeper), Clock::Real());
  }
  return *kept.line;
}

HandoverQuestion About(HandoverVerb verb, const Id& ticket) {
  HandoverQuestion question;
  question.head.verb = static_cast<std::uint16_t>(verb);
  question.head.set_token(ticket);
  return question;
}

// Without waking the keeper up, where that can be.
// Fails: segment-gone where it holds no such ticket; else as Ask.
absl::Status TellKeeper(const Id& keeper, HandoverQuestion told,
                        absl::Duration deadline) {
  if (SendNotice(AddressOf(keeper), told.head) == NoticeSent::kYes) {
    return absl::OkStatus();
  }
  return LineTo(keeper).Ask(told, deadline).status();
}

bool KeeperGone(const absl::Status& status) {
  return ReasonOf(status) == Reason::kClusterUnreachable;
}

// Gone, too, is one whose name another user has taken since.
bool KeeperLost(const absl::Status& status) {
  return KeeperGone(status) || ReasonOf(status) == Reason::kNotAllowed;
}

}  // namespace

std::string TicketText::ToString() const {
  std::string shown = label.substr(0, kLabelBytesMax);
  // One word on a command line, whatever it says.
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return !IsOfLabel(c); }, '_');
  std::string text = absl::StrCat(kForm, ":", keeper.ToString(), ":",
                                  ticket.ToString(), ":", bytes, ":", shown);
  if (!where.has_value()) return text;
  const std::string hint = absl::StrCat(":", where->ToString());
  return text.size() + hint.size() > kBytesMax ? text : text + hint;
}

absl::StatusOr<TicketText> TicketText::Parse(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  TicketText ticket;
  if (parts.size() == 6) ticket.where = Whereabouts::Parse(parts[5]);
  const bool complete = parts.size() == 5 || ticket.where.has_value();
  if (complete && text.size() <= kBytesMax && parts[0] == kForm &&
      absl::SimpleAtoi(parts[3], &ticket.bytes) &&
      parts[4].size() <= kLabelBytesMax &&
      std::all_of(parts[4].begin(), parts[4].end(), IsOfLabel)) {
    const auto keeper = Id::Parse(parts[1]);
    const auto id = Id::Parse(parts[2]);
    if (keeper.has_value() && id.has_value()) {
      ticket.keeper = *keeper;
      ticket.ticket = *id;
      ticket.label = std::string(parts[4]);
      return ticket;
    }
  }
  return Error(Reason::kBadUsage,
               absl::StrCat("open handle ", Quoted(text, 100),
                            ": it is no handle of a shared array; pass the "
                            "text as it was handed out"));
}

TicketOffice::~TicketOffice() {
  for (const Known* known = known_.load(); known != nullptr;) {
    const Known* earlier = known->earlier;
    delete known;
    known = earlier;
  }
}

Id TicketOffice::Current() const {
  const Known* known = known_.load(std::memory_order_acquire);
  return known == nullptr ? Id{} : known->keeper;
}

void TicketOffice::Learn(const Id& keeper) {
  const Known* latest = known_.load();
  const Known* mine = new Known{keeper, latest};
  // Another thread that was first knows a keeper that is as good as ours.
  if (!known_.compare_exchange_strong(latest, mine)) delete mine;
}

absl::StatusOr<Id> TicketOffice::KeeperOtherThan(const Id& gone) {
  if (const Id known = Current(); known != gone) return known;
  const Id keeper = Id::Random();
  HEARTH_RETURN_IF_ERROR(
      StartTicketKeeper(options_.program, AddressOf(keeper)));
  Learn(keeper);
  return keeper;
}

absl::StatusOr<std::string> TicketOffice::HandOut(int fd,
                                                  const SegmentCard& card,
                                                  absl::string_view label) {
  if (card.note.size() > limits::kSegmentNoteBytesMax) {
    return Error(Reason::kTooLarge,
                 absl::StrCat("hand out a segment: its note has ",
                              card.note.size(), " bytes, at most ",
                              limits::kSegmentNoteBytesMax, " travel"));
  }
  const Id ticket = Id::Random();
  const std::vector<Ancestor> ancestors = LivingAncestors();
  std::vector<int> descriptors = {fd};
  std::string pids;
  for (const Ancestor& ancestor : ancestors) {
    descriptors.push_back(ancestor.pidfd.get());
    pids.append(reinterpret_cast<const char*>(&ancestor.pid),
                sizeof(ancestor.pid));
  }
  HandoverQuestion question;
  question.head.verb = static_cast<std::uint16_t>(HandoverVerb::kDepositTicket);
  question.head.set_token(ticket);
  question.head.set_card(card);
  question.head.count = static_cast<std::uint32_t>(ancestors.size());
  question.note = card.note;
  question.entries = pids;
  question.descriptors = descriptors;
  question.attempt = "hand out a segment";

  Id keeper;
  absl::Status failed;
  for (int i = 0; i < kKeepersTried; ++i) {
    HEARTH_ASSIGN_OR_RETURN(keeper, KeeperOtherThan(keeper));
    failed = LineTo(keeper).Ask(question, options_.deadline).status();
    if (failed.ok()) {
      return TicketText{keeper, ticket, card.bytes, std::string(label),
                        Whereabouts::Of(fd, card)}
          .ToString();
    }
    if (!KeeperLost(failed)) return failed;
  }
  return failed;
}

absl::StatusOr<bool> TicketOffice::AwaitOneMore(absl::string_view text) {
  HEARTH_ASSIGN_OR_RETURN(const TicketText ticket, TicketText::Parse(text));
  HandoverQuestion told = About(HandoverVerb::kAwait, ticket.ticket);
  told.attempt = "hand out a segment again";
  // A notice says nothing of who took it, and here it is relied on: so the
  // first of a thread is a question.
  const absl::Status done =
      LineTo(ticket.keeper).connected()
          ? TellKeeper(ticket.keeper, told, options_.deadline)
          : LineTo(ticket.keeper).Ask(told, options_.deadline).status();
  if (KeeperLost(done) || ReasonOf(done) == Reason::kSegmentGone) return false;
  HEARTH_RETURN_IF_ERROR(done);
  return true;
}

absl::StatusOr<FetchedSegment> TicketOffice::Open(absl::string_view text,
                                                  OpenOptions options) {
  HEARTH_ASSIGN_OR_RETURN(const TicketText ticket, TicketText::Parse(text));
  if (options.vouched && ticket.where.has_value()) {
    std::optional<FetchedSegment> opened =
        OpenWhere(*ticket.where, ticket.bytes);
    if (opened.has_value()) {
      const absl::Status told =
          TellKeeper(ticket.keeper, About(HandoverVerb::kOpened, ticket.ticket),
                     kPatience);
      if (told.ok() && Current().zero()) Learn(ticket.keeper);
      return *std::move(opened);
    }
  }
  HandoverQuestion question = About(HandoverVerb::kFetch, ticket.ticket);
  question.attempt = "open shared array";
  question.names_token = true;
  absl::StatusOr<HandoverAnswer> answer =
      LineTo(ticket.keeper).Ask(question, options_.deadline);
  if (KeeperGone(answer.status()) ||
      ReasonOf(answer.status()) == Reason::kSegmentGone) {
    return Error(Reason::kSegmentGone,
                 absl::StrCat(question.Attempt(),
                              ": no process holds it any more; share it again, "
                              "and keep its creator or a reader alive until it "
                              "is opened"));
  }
  HEARTH_RETURN_IF_ERROR(answer.status());
  if (Current().zero()) Learn(ticket.keeper);
  return TakeFetched(*std::move(answer), question);
}

void TicketOffice::Release(absl::string_view text, ReleaseOptions options) {
  const absl::StatusOr<TicketText> ticket = TicketText::Parse(text);
  if (!ticket.ok()) return;
  HandoverQuestion question = About(HandoverVerb::kRelease, ticket->ticket);
  question.head.flags = options.withdraw ? SegmentMessage::kWithdraw : 0;
  question.attempt = "release a segment";
  LineTo(ticket->keeper).Ask(question, kPatience).status().IgnoreError();
}

}  // namespace hearth
