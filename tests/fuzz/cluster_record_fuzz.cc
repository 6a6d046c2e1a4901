#include "client/launch/ssh/cluster_record.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(cluster_record) {
  const auto record = hearth::client::ClusterRecord::FromJson(input);
  if (!record.ok()) return;
  const auto again = hearth::client::ClusterRecord::FromJson(record->ToJson());
  Require(again.ok() && *again == *record);
}
