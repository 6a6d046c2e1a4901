#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/core/coordinator_options.h"
#include "server/core/job_record.h"

namespace hearth::server {

// Ended jobs that can still be asked for: the last so many, with at most so
// many bytes of inline results. The newest one always stays.
//
// Kind: resource, single-threaded.
class JobShelf {
 public:
  explicit JobShelf(const CoordinatorOptions& options) : options_(options) {}

  // Returns what has to go for it.
  std::vector<JobRecord> Add(JobRecord record) {
    bytes_ += BytesOf(record);
    order_.push_back(record.id);
    by_id_.emplace(record.id, std::move(record));
    std::vector<JobRecord> evicted;
    while (by_id_.size() > 1 && (by_id_.size() > options_.ended_jobs_max ||
                                 bytes_ > options_.ended_bytes_max)) {
      evicted.push_back(*Remove(order_.front()));
    }
    return evicted;
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
