#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "absl/strings/string_view.h"
#include "hearth/base/id.h"
#include "hearth/base/limits.h"
#include "hearth/transport/handover/segment_card.h"

namespace hearth {

// What one end asks of the other. A reply has kReplyBit set on the verb that it
// answers. The numbers travel on the wire: append, never renumber.
enum class HandoverVerb : std::uint16_t {
  kDeposit = 1,        // 1 descriptor
  kReplace = 2,        // 1 descriptor
  kFetch = 3,          // the reply brings the descriptor
  kDrop = 4,           // `count` TokenMessages follow
  kList = 5,           // the reply brings `count` HeldMessages
  kDepositTicket = 6,  // 1 descriptor, then `count` pidfds; as many pids follow
  kRelease = 7,        // of a ticket, by the process at this end
  // Of a ticket, too, and mostly as a notice (notice.h):
  kAwait = 8,   // its depositor gives it to one more reader
  kOpened = 9,  // who came with it has opened the segment by itself
};
inline constexpr std::uint16_t kReplyBit = 0x8000;

// The 64 bytes that every packet of the handover protocol begins with. Drawn in
// docs/formats.md.
//
// Another process reads these bytes, perhaps one built last month, so this is a
// wire format: fixed-width fields, and a version that grows whenever the
// meaning of any byte changes. One packet is one message (SOCK_SEQPACKET), so
// that no length prefix can lie. There is no checksum: the bytes never leave
// the kernel's memory.
struct SegmentMessage {
  static constexpr std::uint32_t kMagic = 0x48525448;  // "HTRH", little-endian
  static constexpr std::uint16_t kVersion = 2;
  static constexpr std::uint16_t kMorePages = 1;  // in a reply to kList
  static constexpr std::uint16_t kWithdraw = 1;   // in a kRelease

  std::uint32_t magic = kMagic;
  std::uint16_t version = kVersion;
  std::uint16_t verb = 0;
  std::uint32_t sequence = 0;      // the asker's count, repeated in the reply
  std::uint16_t reason = 0;        // a reply's Reason; 0: done
  std::uint16_t segment_kind = 0;  // SegmentKind; 0 where no segment travels
  std::uint64_t token_high = 0;    // kList: tokens after this one
  std::uint64_t token_low = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
  std::uint32_t count = 0;       // entries behind the note
  std::uint16_t note_bytes = 0;  // of the note, right behind these 64
  std::uint16_t flags = 0;
  std::uint8_t reserved[8] = {};  // zero until a later version names it

  Id token() const { return {token_high, token_low}; }
  void set_token(const Id& id) {
    token_high = id.high;
    token_low = id.low;
  }
  void set_card(const SegmentCard& card);
};

// What follows a kDrop, `count` times.
struct TokenMessage {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
};

// What follows the reply to a kList, `count` times.
struct HeldMessage {
  std::uint64_t token_high = 0;
  std::uint64_t token_low = 0;
  std::uint64_t bytes = 0;
  std::uint16_t segment_kind = 0;
  std::uint16_t flags = 0;  // bit 0: a ticket; bit 1: fetched
  std::int32_t depositor_pid = 0;
};

static_assert(std::endian::native == std::endian::little);
static_assert(std::is_trivially_copyable_v<SegmentMessage>);
static_assert(std::is_trivially_copyable_v<HeldMessage>);
static_assert(sizeof(SegmentMessage) == 64);
static_assert(offsetof(SegmentMessage, token_high) == 16);
static_assert(offsetof(SegmentMessage, count) == 48);
static_assert(sizeof(TokenMessage) == 16);
static_assert(sizeof(HeldMessage) == 32);

inline constexpr std::size_t kHandoverPacketBytesMax =
    sizeof(SegmentMessage) + limits::kSegmentNoteBytesMax +
    limits::kHandoverBatchMax * sizeof(HeldMessage);
inline constexpr std::size_t kHandoverDescriptorsMax =
    1 + limits::kTicketAncestorsMax + 1;

// A packet taken apart, after every length in it was checked against its size.
// The views live as long as the packet.
struct ParsedMessage {
  SegmentMessage head;
  absl::string_view note;
  absl::string_view entries;  // `head.count` of them, whole

  SegmentCard card() const;
};

// Nothing for bytes that are no message of this version: too short, another
// magic, an unknown verb or kind, a note or entries beyond the packet, reserved
// bytes that aren't zero.
std::optional<ParsedMessage> ParseMessage(absl::string_view packet);

}  // namespace hearth
