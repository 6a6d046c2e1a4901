#include "hearth/transport/handover/segment_message.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace hearth {
namespace {

std::optional<std::size_t> EntryBytes(std::uint16_t verb) {
  switch (static_cast<HandoverVerb>(verb & ~kReplyBit)) {
    case HandoverVerb::kDrop:
      return sizeof(TokenMessage);
    case HandoverVerb::kList:
      return sizeof(HeldMessage);
    case HandoverVerb::kDepositTicket:
      return sizeof(std::int32_t);
    case HandoverVerb::kDeposit:
    case HandoverVerb::kReplace:
    case HandoverVerb::kFetch:
    case HandoverVerb::kRelease:
    case HandoverVerb::kAwait:
    case HandoverVerb::kOpened:
      return 0;
  }
  return std::nullopt;
}

}  // namespace

void SegmentMessage::set_card(const SegmentCard& card) {
  segment_kind = static_cast<std::uint16_t>(card.kind);
  bytes = card.bytes;
  offset = card.offset;
  note_bytes = static_cast<std::uint16_t>(card.note.size());
}

SegmentCard ParsedMessage::card() const {
  return {.kind = static_cast<SegmentKind>(head.segment_kind),
          .bytes = head.bytes,
          .offset = head.offset,
          .note = std::string(note)};
}

std::optional<ParsedMessage> ParseMessage(absl::string_view packet) {
  ParsedMessage parsed;
  SegmentMessage& head = parsed.head;
  if (packet.size() < sizeof(head)) return std::nullopt;
  std::memcpy(&head, packet.data(), sizeof(head));
  packet.remove_prefix(sizeof(head));

  const std::optional<std::size_t> entry_bytes = EntryBytes(head.verb);
  if (head.magic != SegmentMessage::kMagic ||
      head.version != SegmentMessage::kVersion || !entry_bytes.has_value() ||
      head.segment_kind > static_cast<std::uint16_t>(SegmentKind::kFragment) ||
      head.note_bytes > limits::kSegmentNoteBytesMax ||
      head.count > limits::kHandoverBatchMax ||
      std::any_of(std::begin(head.reserved), std::end(head.reserved),
                  [](std::uint8_t byte) { return byte != 0; }) ||
      packet.size() != head.note_bytes + head.count * *entry_bytes) {
    return std::nullopt;
  }
  parsed.note = packet.substr(0, head.note_bytes);
  parsed.entries = packet.substr(head.note_bytes);
  return parsed;
}

}  // namespace hearth
