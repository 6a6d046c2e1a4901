// Rows of a coordinator's journal; the first byte says of which kind.
#include "server/service/journal_wire.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(journal) {
  using hearth::server::Journal;
  if (input.empty()) return;
  const std::string value(input.substr(1));
  const hearth::server::Moment now{.core = absl::FromUnixSeconds(1000),
                                   .wall = absl::FromUnixSeconds(2'000'000)};
  const auto kind = input[0] == 'm'   ? Journal::Kind::kMatrix
                    : input[0] == 'j' ? Journal::Kind::kJob
                                      : Journal::Kind::kNumber;
  const auto past = hearth::server::FromRows(
      {{kind, kind == Journal::Kind::kNumber ? "next_job" : "key", value}},
      now);
  if (!past.ok()) return;
  for (const auto& matrix : past->matrices) hearth::server::ToRow(matrix);
  for (const auto& job : past->jobs) hearth::server::ToRow(job, now);
}
