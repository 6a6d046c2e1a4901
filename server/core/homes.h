#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hearth/matrix/run_tree.h"
#include "server/core/matrix_record.h"
#include "server/core/membership_core.h"

namespace hearth::server {

// Which leaves of a job lie where, for a matrix in pieces. A leaf of blocks of
// two pieces is at home where it begins.
//
// Kind: value, as of one moment of the matrix and its plan.
class Homes {
 public:
  Homes() = default;
  Homes(const SpreadSource& spread, std::int64_t block_count,
        std::int64_t leaf_count);

  // In order, neighbours joined; none at a host that has no piece.
  const std::vector<LeafRun>& At(const std::string& host) const;
  bool IsAt(const std::string& host, LeafRun run) const;
  // Leaves all of whose blocks somebody can serve now.
  std::vector<LeafRun> Served(const MembershipCore& members) const;
  // Those of them that no host has a worker to give to, such as one that
  // drains: whoever is free computes them.
  std::vector<LeafRun> Unattended(const MembershipCore& members) const;
  // Workers of all hosts that have a piece, but for this one.
  int WorkersElsewhere(const std::string& host,
                       const MembershipCore& members) const;

 private:
  struct Span {
    LeafRun run;    // every leaf that has a block of it
    LeafRun begun;  // those that begin in it
    std::vector<std::string> hosts;
  };
  std::vector<Span> spans_;
  std::map<std::string, std::vector<LeafRun>> at_host_;
};

}  // namespace hearth::server
