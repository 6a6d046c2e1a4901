#include "hearth/transport/handover/handover_line.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/units.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/handover/packet.h"

namespace hearth {
namespace {

iovec PartOf(const void* bytes, std::size_t size) {
  return {.iov_base = const_cast<void*>(bytes), .iov_len = size};
}

bool OtherEndGone(int error) { return error == ECONNRESET || error == EPIPE; }

absl::Status Broken(absl::string_view attempt) {
  return Error(Reason::kClusterUnreachable,
               absl::StrCat(attempt,
                            ": the keeper closed the connection; see that "
                            "its cluster runs still"));
}

absl::Status KeepersOwn(const HandoverQuestion& question,
                        const SegmentMessage& head) {
  const std::string attempt = question.Attempt();
  const Reason reason =
      ReasonFromNumber(head.reason).value_or(Reason::kUnspecified);
  switch (reason) {
    case Reason::kSegmentGone:
      return Error(reason, absl::StrCat(attempt,
                                        ": nobody holds it any more; publish "
                                        "it again"));
    case Reason::kTooLarge:
      return Error(reason,
                   absl::StrCat(attempt,
                                ": the keeper holds as many descriptors as it "
                                "may; drop some, or raise the hard limit of "
                                "open files (ulimit -Hn)"));
    case Reason::kOutOfMemory:
      return Error(
          reason,
          absl::StrCat(
              "hold ",
              FormatBytes(static_cast<std::int64_t>(question.head.bytes)),
              ": all segments together would pass ",
              FormatBytes(static_cast<std::int64_t>(head.bytes)),
              ", which --memory allows here; remove a matrix, or allow more"));
    case Reason::kBadUsage:
      return Error(reason,
                   absl::StrCat(attempt,
                                ": its descriptor or token is not of the kind "
                                "that was said; a sealed segment is sealed "
                                "against writing, shrinking and growing"));
    default:
      return Error(
          reason,
          absl::StrCat(attempt, ": the keeper refused: ", InfoOf(reason).name));
  }
}

}  // namespace

std::string HandoverQuestion::Attempt() const {
  if (!names_token) return std::string(attempt);
  return absl::StrCat(attempt, " ", head.token().ToString());
}

absl::StatusOr<HandoverAnswer> HandoverLine::Ask(
    const HandoverQuestion& question, absl::Duration deadline) {
  const absl::Time until = clock_.Now() + deadline;
  if (connected_by_ != getpid()) socket_.Reset();
  const bool fresh = !socket_.valid();
  absl::StatusOr<HandoverAnswer> answer = AskOnce(question, until);
  if (!fresh && ReasonOf(answer.status()) == Reason::kClusterUnreachable) {
    // The kept connection had ended meanwhile, which shows only when used.
    socket_.Reset();
    answer = AskOnce(question, until);
  }
  if (!answer.ok()) {
    socket_.Reset();
    return answer;
  }
  if (answer->head.reason != 0) {
    return KeepersOwn(question, answer->head);
  }
  return answer;
}

absl::StatusOr<HandoverAnswer> HandoverLine::AskOnce(
    const HandoverQuestion& question, absl::Time until) {
  if (!socket_.valid()) HEARTH_RETURN_IF_ERROR(Connect(until));
  SegmentMessage head = question.head;
  head.sequence = ++sequence_;
  const std::array<iovec, 3> parts = {
      PartOf(&head, sizeof(head)),
      PartOf(question.note.data(), question.note.size()),
      PartOf(question.entries.data(), question.entries.size())};
  for (;;) {
    const PacketResult sent =
        SendPacket(socket_.get(), parts, question.descriptors);
    if (sent.error == 0) break;
    if (OtherEndGone(sent.error)) return Broken(question.Attempt());
    if (sent.error != EAGAIN) {
      return absl::ErrnoToStatus(sent.error, question.Attempt());
    }
    HEARTH_RETURN_IF_ERROR(WaitFor(POLLOUT, until, question));
  }

  std::array<std::byte, kHandoverPacketBytesMax> buffer;
  HandoverAnswer answer;
  for (;;) {
    HEARTH_RETURN_IF_ERROR(WaitFor(POLLIN, until, question));
    const PacketResult received =
        ReceivePacket(socket_.get(), buffer, answer.descriptors);
    if (received.error == EAGAIN) continue;
    if (OtherEndGone(received.error)) return Broken(question.Attempt());
    if (received.error == EMSGSIZE) {
      // The kernel cuts off descriptors that this process may not open.
      return Error(Reason::kTooLarge,
                   absl::StrCat(question.Attempt(),
                                ": this process has as many open files as it "
                                "may; raise its limit (ulimit -n)"));
    }
    if (received.error != 0) {
      return absl::ErrnoToStatus(received.error, question.Attempt());
    }
    const std::optional<ParsedMessage> parsed = ParseMessage(
        {reinterpret_cast<const char*>(buffer.data()), received.bytes});
    if (!parsed.has_value() || parsed->head.sequence != head.sequence ||
        parsed->head.verb != (head.verb | kReplyBit)) {
      return Error(Reason::kVersionMismatch,
                   absl::StrCat(question.Attempt(),
                                ": the answer is none of this version of the "
                                "handover protocol (",
                                SegmentMessage::kVersion,
                                "); use one version of hearth on this host"));
    }
    answer.head = parsed->head;
    answer.note = std::string(parsed->note);
    answer.entries = std::string(parsed->entries);
    return answer;
  }
}

bool HandoverLine::connected() const {
  if (!socket_.valid() || connected_by_ != getpid()) return false;
  pollfd line{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
  return poll(&line, 1, 0) == 0;
}

absl::Status HandoverLine::Connect(absl::Time until) {
  HEARTH_ASSIGN_OR_RETURN(
      socket_, ConnectUnix(keeper_, SocketType::kPacket, until - clock_.Now()));
  connected_by_ = getpid();
  return absl::OkStatus();
}

absl::Status HandoverLine::WaitFor(short events, absl::Time until,
                                   const HandoverQuestion& question) {
  pollfd waited{.fd = socket_.get(), .events = events, .revents = 0};
  for (;;) {
    const absl::Duration left = until - clock_.Now();
    const timespec patience =
        absl::ToTimespec(std::max(left, absl::ZeroDuration()));
    const int ready = ppoll(&waited, 1, &patience, nullptr);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return ErrnoStatus(question.Attempt());
    if (ready == 0 && left <= absl::ZeroDuration()) {
      return Error(Reason::kDeadlineExceeded,
                   absl::StrCat(question.Attempt(), ": the keeper at ",
                                keeper_.ToString(),
                                " did not answer in time; is its process "
                                "stopped or overloaded?"));
    }
  }
}

absl::StatusOr<FetchedSegment> TakeFetched(HandoverAnswer answer,
                                           const HandoverQuestion& question) {
  if (answer.descriptors.size() != 1 || answer.head.segment_kind == 0) {
    return Error(Reason::kInternal,
                 absl::StrCat(question.Attempt(), ": the keeper answered with ",
                              answer.descriptors.size(),
                              " descriptors instead of one; please report it"));
  }
  return FetchedSegment{
      std::move(answer.descriptors.front()),
      {.kind = static_cast<SegmentKind>(answer.head.segment_kind),
       .bytes = answer.head.bytes,
       .offset = answer.head.offset,
       .note = std::move(answer.note)}};
}

}  // namespace hearth
