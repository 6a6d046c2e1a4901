#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "hearth/matrix/layout.h"
#include "server/core/job_record.h"

namespace hearth::server {

// How fast jobs of a kind were, where their bytes lay: what the next one of
// that kind may be expected to be.
//
// Kind:  value, single-threaded.
// Bound: the kinds_max kinds that were seen last.
class RateBook {
 public:
  explicit RateBook(std::size_t kinds_max = 256) : kinds_max_(kinds_max) {}

  // An ended job's. Learns nothing from one that read nothing in place.
  void Note(const JobRecord& job);

  // Bytes of the matrix that a thread gets done in a second, all rounds of it
  // together. None: no such job was seen.
  std::optional<double> Find(const std::string& operation,
                             const std::string& arguments,
                             const MatrixLayout& layout) const;

 private:
  const std::size_t kinds_max_;
  std::map<std::string, double> rates_;
  std::deque<std::string> oldest_first_;
};

}  // namespace hearth::server
