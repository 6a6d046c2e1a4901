#include "hearth/base/address.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(address) {
  const auto address = hearth::Address::Parse(input);
  if (!address.ok()) return;
  const auto again = hearth::Address::Parse(address->ToString());
  Require(again.ok() && *again == *address);
}
