// Arguments as people type them.
#include "hearth/object/json.h"
#include "tests/fuzz/target.h"

HEARTH_FUZZ_TARGET(call_json) {
  const auto value = hearth::FromJson(input);
  if (!value.ok()) return;
  const auto again = hearth::FromJson(hearth::ToJson(*value));
  hearth::fuzz::Require(again.ok());
}
