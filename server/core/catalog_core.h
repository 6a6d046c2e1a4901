#pragma once

#include <cstdint>
#include <map>
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
  absl::Status Remove(absl::string_view name);  // NAME_UNKNOWN
  absl::Status Seal(absl::string_view name);    // NAME_UNKNOWN

  absl::StatusOr<MatrixPtr> Get(absl::string_view name) const;  // NAME_UNKNOWN
  std::vector<MatrixPtr> List() const;                          // by name

  // A job holds what it computes on: a segment is released once its name is
  // gone (or never was: anonymous) and nobody uses it.
  void Use(const MatrixPtr& matrix);
  void Unuse(const MatrixPtr& matrix);

  // True for a segment that has a name or is used.
  bool Holds(const Id& token) const {
    return named_.contains(token) || uses_.contains(token);
  }

  // Segments that nobody needs any more, since the last call.
  std::vector<SegmentSource> TakeReleased();

 private:
  void Name(const MatrixPtr& matrix);
  void Unname(const MatrixPtr& matrix);

  std::map<std::string, MatrixPtr> by_name_;
  std::map<Id, int> named_;  // names of a segment; of segments only
  std::map<Id, int> uses_;
  std::vector<SegmentSource> released_;
};

// INFO's numbers.
std::int64_t RowBlocksOf(const MatrixRecord& matrix);
// Rows of each shard in order. A shard of a column-major matrix is a run of
// columns, and so has all rows.
std::vector<RowRange> ShardRowsOf(const MatrixRecord& matrix);

}  // namespace hearth::server
