#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/core/actions.h"
#include "server/core/catalog_core.h"
#include "server/core/coordinator_options.h"
#include "server/core/events.h"
#include "server/core/job_record.h"
#include "server/core/membership_core.h"

namespace hearth::server {

// Decides everything that the coordinator does: who belongs to the cluster,
// what matrices there are, which worker computes what, when a job has ended.
// Talks to nobody, reads no clock, and never sees a row.
//
// Kind:   resource, single-threaded. The service holds the lock.
// Time:   `now` must never run backwards.
// Cost:   O(log n) a task; a job of a million leaves is a few runs, not a
//         million entries.
// Bound:  ended jobs by count and bytes, ended workers by count; what runs, by
//         limits in CoordinatorOptions.
// Trusts: nothing in a report: unknown, late, doubled or misaligned ones are
//         ignored, and the tokens they name dropped.
class CoordinatorCore {
 public:
  explicit CoordinatorCore(CoordinatorOptions options = {});
  ~CoordinatorCore();

  std::vector<Action> Handle(const Event& event, absl::Time now);
  // The same; what a report carries is moved, not copied.
  std::vector<Action> Handle(Event&& event, absl::Time now);

  // What is known, between two calls of Handle.
  const CatalogCore& catalog() const;
  const MembershipCore& members() const;
  std::optional<JobRecord> FindJob(JobId job) const;
  std::optional<KeptJob> KeptJobOf(JobId job) const;
  std::optional<JobId> FindJobByClientKey(absl::string_view key) const;
  std::vector<JobRecord> ListJobs() const;  // by id, without results
  // Ids of the workers that can map this segment where it lies; null, of a
  // file: all of them.
  std::vector<WorkerId> WorkersNear(const SegmentSource* segment) const;

  // SEGMENT_GONE where all hosts that had its bytes are lost.
  absl::Status CheckMatrix(const MatrixRecord& matrix) const;

  // What was measured so far: see RateBook::Find and Locality::MeasuredAt.
  std::optional<double> ThreadBytesPerSecond(const std::string& operation,
                                             const std::string& arguments,
                                             const MatrixLayout& layout) const;
  std::optional<double> StreamBytesPerSecond(const std::string& host) const;
  // Of a matrix, by host: what earlier jobs brought there, and may be there
  // still. Empty for a name that nobody knows.
  std::map<std::string, std::int64_t> LandedBytes(absl::string_view name) const;

  // Tokens of partials, states and results that are still wanted somewhere.
  std::size_t live_token_count() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth::server
