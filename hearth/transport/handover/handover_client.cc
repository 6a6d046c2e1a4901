#include "hearth/transport/handover/handover_client.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/mutex.h"
#include "hearth/base/status.h"
#include "hearth/transport/handover/handover_line.h"

namespace hearth {
namespace {

HandoverQuestion About(HandoverVerb verb, const Id& token) {
  HandoverQuestion question;
  question.head.verb = static_cast<std::uint16_t>(verb);
  question.head.set_token(token);
  return question;
}

HeldSegment FromWire(const HeldMessage& line) {
  return {.token = {line.token_high, line.token_low},
          .kind = static_cast<SegmentKind>(line.segment_kind),
          .is_ticket = (line.flags & 1) != 0,
          .fetched = (line.flags & 2) != 0,
          .depositor_pid = line.depositor_pid,
          .bytes = line.bytes};
}

}  // namespace

class HandoverClient::Line {
 public:
  Line(HandoverOptions options, const Clock& clock)
      : deadline_(options.deadline), line_(std::move(options.keeper), clock) {}

  absl::StatusOr<HandoverAnswer> Ask(const HandoverQuestion& question)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return line_.Ask(question, deadline_);
  }

  absl::Status Give(HandoverVerb verb, absl::string_view what, const Id& token,
                    int fd, const SegmentCard& card) {
    if (card.note.size() > limits::kSegmentNoteBytesMax) {
      return Error(Reason::kTooLarge,
                   absl::StrCat(what, " ", token.ToString(), ": its note has ",
                                card.note.size(), " bytes, at most ",
                                limits::kSegmentNoteBytesMax, " travel"));
    }
    HandoverQuestion question = About(verb, token);
    question.head.set_card(card);
    question.note = card.note;
    question.descriptors = {&fd, 1};
    question.attempt = what;
    question.names_token = true;
    return Ask(question).status();
  }

 private:
  const absl::Duration deadline_;
  Mutex mutex_;
  HandoverLine line_ ABSL_GUARDED_BY(mutex_);
};

HandoverClient::HandoverClient(HandoverOptions options, const Clock& clock)
    : line_(std::make_unique<Line>(std::move(options), clock)) {}
HandoverClient::~HandoverClient() = default;

absl::Status HandoverClient::Deposit(const Id& token, int fd,
                                     const SegmentCard& card) {
  return line_->Give(HandoverVerb::kDeposit, "deposit segment", token, fd,
                     card);
}

absl::Status HandoverClient::Replace(const Id& token, int fd,
                                     const SegmentCard& card) {
  return line_->Give(HandoverVerb::kReplace, "replace segment", token, fd,
                     card);
}

absl::StatusOr<FetchedSegment> HandoverClient::Fetch(const Id& token) {
  HandoverQuestion question = About(HandoverVerb::kFetch, token);
  question.attempt = "fetch segment";
  question.names_token = true;
  HEARTH_ASSIGN_OR_RETURN(HandoverAnswer answer, line_->Ask(question));
  return TakeFetched(std::move(answer), question);
}

absl::Status HandoverClient::Drop(std::span<const Id> tokens) {
  while (!tokens.empty()) {
    const auto batch = tokens.first(
        std::min<std::size_t>(tokens.size(), limits::kHandoverBatchMax));
    tokens = tokens.subspan(batch.size());
    std::string entries;
    for (const Id& token : batch) {
      const TokenMessage entry{token.high, token.low};
      entries.append(reinterpret_cast<const char*>(&entry), sizeof(entry));
    }
    HandoverQuestion question = About(HandoverVerb::kDrop, Id{});
    question.head.count = static_cast<std::uint32_t>(batch.size());
    question.entries = entries;
    question.attempt = "drop segments";
    HEARTH_RETURN_IF_ERROR(line_->Ask(question).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<HeldSegment>> HandoverClient::List() {
  std::vector<HeldSegment> held;
  for (;;) {
    HandoverQuestion question =
        About(HandoverVerb::kList, held.empty() ? Id{} : held.back().token);
    question.attempt = "list what the keeper holds";
    HEARTH_ASSIGN_OR_RETURN(const HandoverAnswer answer, line_->Ask(question));
    for (std::uint32_t i = 0; i < answer.head.count; ++i) {
      HeldMessage line;
      std::memcpy(&line, answer.entries.data() + i * sizeof(line),
                  sizeof(line));
      held.push_back(FromWire(line));
    }
    const bool more = (answer.head.flags & SegmentMessage::kMorePages) != 0;
    if (!more || answer.head.count == 0) return held;
  }
}

}  // namespace hearth
