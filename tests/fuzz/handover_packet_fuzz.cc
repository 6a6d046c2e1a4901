// What any process of the same user may send to a keeper, and what a keeper's
// answer may be.
#include "hearth/base/limits.h"
#include "hearth/transport/handover/segment_message.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(handover_packet) {
  const auto parsed = hearth::ParseMessage(input);
  if (!parsed.has_value()) return;
  Require(parsed->head.count <= hearth::limits::kHandoverBatchMax);
  Require(parsed->note.size() == parsed->head.note_bytes);
  Require(parsed->note.size() <= hearth::limits::kSegmentNoteBytesMax);
  Require(sizeof(hearth::SegmentMessage) + parsed->note.size() +
              parsed->entries.size() ==
          input.size());
  const hearth::SegmentCard card = parsed->card();
  hearth::SegmentMessage again = parsed->head;
  again.set_card(card);
  Require(again.note_bytes == parsed->head.note_bytes &&
          again.segment_kind == parsed->head.segment_kind);
}
