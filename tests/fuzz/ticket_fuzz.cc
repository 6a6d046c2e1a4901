#include "hearth/transport/handover/ticket.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(ticket) {
  const auto ticket = hearth::TicketText::Parse(input);
  if (!ticket.ok()) return;
  const auto again = hearth::TicketText::Parse(ticket->ToString());
  Require(again.ok() && *again == *ticket);
}
