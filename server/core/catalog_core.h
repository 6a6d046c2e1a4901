#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/matrix/row_range.h"
#include "server/core/matrix_record.h"

namespace hearth::server {

// The matrices of the cluster by name, and who still uses those that have lost
// theirs.
//
// Kind:  resource, single-threaded.
// Bound: kMatrixCountMax names.
class CatalogCore {
 public:
  static constexpr std::size_t kMatrixCountMax = 100'000;

  // NAME_TAKEN unless `replace`; BAD_USAGE for a name that CONTRACT does not
  // allow. What was replaced is released (see TakeReleased).
  absl::Status Put(MatrixRecord record, bool replace);
  // What Put would say now.
  absl::Status CheckPut(absl::string_view name, bool replace) const;
  absl::Status Remove(absl::string_view name);  // NAME_UNKNOWN
  absl::Status Seal(absl::string_view name);    // NAME_UNKNOWN

  absl::StatusOr<MatrixPtr> Get(absl::string_view name) const;  // NAME_UNKNOWN
  std::vector<MatrixPtr> List() const;                          // by name

  // A job holds what it computes on: a segment is released once its name is
  // gone (or never was: anonymous) and nobody uses it.
  void Use(const MatrixPtr& matrix);
  void Unuse(const MatrixPtr& matrix);

  // True for the token under which a host keeps a segment that has a name or is
  // used.
  bool Holds(const Id& replica) const { return segment_of_.contains(replica); }

  // Segments that nobody needs any more, since the last call.
  std::vector<SegmentSource> TakeReleased();

  // --- where segments lie ---
  struct Held {
    SegmentSource source;
    std::int64_t bytes = 0;
    std::set<std::string> names;
    int uses = 0;
  };
  // By what they were made as; null for one that nobody needs (any more).
  const Held* Find(const Id& segment) const;
  const Held* FindByReplica(const Id& replica) const;
  // Those that a host is counted on to keep.
  std::vector<Id> SegmentsAt(const std::string& host) const;
  // All hosts that are counted on to keep one.
  std::vector<std::string> Hosts() const;
  // It lies there from now on. The records that name it say so after the next
  // TakeMoved.
  void SetReplicas(const Id& segment, std::vector<Replica> replicas);
  // Names of matrices that lie elsewhere since the last call; null where only
  // jobs use what has moved, or nothing has.
  struct Moved {
    bool any = false;
    std::vector<std::string> names;
  };
  Moved TakeMoved();
  // The same matrix as it lies now.
  MatrixPtr Current(const MatrixPtr& matrix) const;

 private:
  Held& Hold(const SegmentPart& part);
  void Index(const SegmentSource& segment);
  void Unindex(const SegmentSource& segment);
  void Name(MatrixPtr& matrix);
  void Unname(const MatrixPtr& matrix);
  void ReleaseIfUnneeded(const Id& segment);

  std::map<std::string, MatrixPtr> by_name_;
  std::map<Id, Held> held_;
  std::map<Id, Id> segment_of_;  // by the replica's token
  std::map<std::string, std::set<Id>> at_host_;
  std::vector<SegmentSource> released_;
  bool has_moved_ = false;
  std::set<std::string> moved_names_;
};

// INFO's numbers.
std::int64_t RowBlocksOf(const MatrixRecord& matrix);
// A shard, and the segment that its bytes lie in; null for a file.
struct Shard {
  RowRange rows;
  const SegmentSource* segment = nullptr;
};
// In order. A shard of a column-major matrix is a run of columns, and so has
// all rows. Views into the record.
std::vector<Shard> ShardsOf(const MatrixRecord& matrix);
// The rows that these blocks have elements of.
RowRange RowsOf(const MatrixRecord& matrix, std::int64_t block_begin,
                std::int64_t block_end);

}  // namespace hearth::server
