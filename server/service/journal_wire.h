// What the core has to have kept, as rows of the journal, and back.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/events.h"
#include "server/journal/journal.h"

namespace hearth::server {

// Two readings of one moment: times of the core are its clock's, and begin anew
// with each start of the machine.
struct Moment {
  absl::Time core;
  absl::Time wall;
};

Journal::Change ToRow(const MatrixRecord& matrix);
Journal::Change ToRow(const KeptJob& job, const Moment& now);
// Up to which workers and jobs are numbered.
Journal::Change NumberRow(const std::string& name, std::uint64_t number);

inline constexpr char kNextWorker[] = "next_worker";
inline constexpr char kNextJob[] = "next_job";
inline constexpr char kLife[] = "life";
inline constexpr char kPort[] = "port";

// BAD_FILE naming the row that can't be read.
absl::StatusOr<Recovered> FromRows(const std::vector<Journal::Row>& rows,
                                   const Moment& now);
// The number of that name, or 0.
std::uint64_t NumberIn(const std::vector<Journal::Row>& rows,
                       const std::string& name);

}  // namespace hearth::server
