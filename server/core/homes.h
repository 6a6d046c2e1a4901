#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "hearth/matrix/run_tree.h"
#include "server/core/fragment_book.h"
#include "server/core/matrix_record.h"
#include "server/core/membership_core.h"

namespace hearth::server {

// The blocks of a leaf run of a job of so many leaves.
BlockRun BlocksOf(LeafRun run, std::int64_t block_count,
                  std::int64_t leaf_count);

// Which leaves of a job lie where, for a matrix in pieces, or one of which
// blocks have landed beside its home. A leaf of blocks of two pieces is at home
// where it begins.
//
// Kind: value, as of one moment of the matrix and its plan.
class Homes {
 public:
  // Of parts in order; without gaps.
  Homes(const std::vector<SegmentPart>& parts, const FragmentBook& fragments,
        std::int64_t block_count, std::int64_t leaf_count);

  // What need not be streamed there. In order, neighbours joined; none at a
  // host that has nothing.
  const std::vector<LeafRun>& At(const std::string& host) const;
  // Those of them that have landed nowhere else: what a home begins with, so
  // that the others find theirs.
  const std::vector<LeafRun>& OnlyAt(const std::string& host) const;
  bool IsAt(const std::string& host, LeafRun run) const;
  // Leaves all of whose blocks somebody can serve now.
  std::vector<LeafRun> Served(const MembershipCore& members) const;
  // Those of them that no home has a worker to give to, such as one that
  // drains: whoever is free computes them.
  std::vector<LeafRun> Unattended(const MembershipCore& members) const;
  // Workers of all homes but for this host.
  int WorkersElsewhere(const std::string& host,
                       const MembershipCore& members) const;

 private:
  struct Span {
    LeafRun run;    // every leaf that has a block of it
    LeafRun begun;  // those that begin in it
    std::vector<std::string> hosts;
  };
  std::vector<Span> spans_;
  std::set<std::string> homes_;
  std::map<std::string, std::vector<LeafRun>> at_host_;
  std::map<std::string, std::vector<LeafRun>> only_at_host_;
};

}  // namespace hearth::server
