#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/core/coordinator_options.h"
#include "server/core/job_record.h"

namespace hearth::server {

// Ended jobs that can still be asked for: the last so many, with at most so
// many bytes of results. One that ended just now stays in any case, so that its
// client gets its result, until there are far too many of them.
//
// Kind: resource, single-threaded.
class JobShelf {
 public:
  explicit JobShelf(const CoordinatorOptions& options) : options_(options) {}

  // Returns what has to go for it: jobs that ended just now only where results
  // have more bytes than there is room for.
  std::vector<JobRecord> Add(JobRecord record, std::int64_t room_bytes,
                             absl::Time now) {
    bytes_ += BytesOf(record);
    order_.push_back(record.id);
    by_id_.emplace(record.id, std::move(record));
    return TakeOverfull(room_bytes, now);
  }
  // What is too much by now.
  std::vector<JobRecord> TakeAged(absl::Time now) {
    return TakeOverfull(std::numeric_limits<std::int64_t>::max(), now);
  }

  std::optional<JobRecord> Remove(JobId job) {
    const auto found = by_id_.find(job);
    if (found == by_id_.end()) return std::nullopt;
    std::optional<JobRecord> record = std::move(found->second);
    by_id_.erase(found);
    std::erase(order_, job);
    bytes_ -= BytesOf(*record);
    return record;
  }

  // A result that lies elsewhere now, and whose it is.
  std::vector<JobId> MoveResult(const Id& from, const Id& to,
                                const std::string& host) {
    std::vector<JobId> moved;
    for (auto& [id, record] : by_id_) {
      for (BytesRef& result : record.results) {
        if (result.token != from) continue;
        result.token = to;
        result.host = host;
        moved.push_back(id);
      }
    }
    return moved;
  }

  const JobRecord* Find(JobId job) const {
    const auto found = by_id_.find(job);
    return found == by_id_.end() ? nullptr : &found->second;
  }
  const std::map<JobId, JobRecord>& all() const { return by_id_; }

 private:
  std::vector<JobRecord> TakeOverfull(std::int64_t room_bytes, absl::Time now) {
    std::vector<JobRecord> evicted;
    while (by_id_.size() > 1 && IsOverfull(room_bytes, now)) {
      evicted.push_back(*Remove(order_.front()));
    }
    return evicted;
  }
  bool IsOverfull(std::int64_t room_bytes, absl::Time now) const {
    const JobRecord& oldest = by_id_.at(order_.front());
    if (now - oldest.ended_at < options_.ended_fresh) {
      return by_id_.size() > options_.ended_fresh_jobs_max ||
             bytes_ > std::max(room_bytes, options_.ended_bytes_max);
    }
    return by_id_.size() > options_.ended_jobs_max ||
           bytes_ > options_.ended_bytes_max;
  }
  static std::int64_t BytesOf(const JobRecord& record) {
    std::int64_t bytes = 0;
    bool in_segments = false;
    for (const BytesRef& result : record.results) {
      bytes += static_cast<std::int64_t>(result.inline_bytes.size());
      in_segments = in_segments || result.has_token();
    }
    // Segments of results are memory of their hosts, held for us.
    if (in_segments && record.plan != nullptr)
      bytes += record.plan->result_bytes;
    return bytes;
  }

  const CoordinatorOptions& options_;
  std::map<JobId, JobRecord> by_id_;
  std::deque<JobId> order_;  // as they ended
  std::int64_t bytes_ = 0;
};

}  // namespace hearth::server
