#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "hearth/object/matrix_view.h"
#include "hearth/transport/reach/segment_reach.h"
#include "protos/coordinator.pb.h"

namespace hearth {

// Opens matrices of a cluster for methods that were given one: what this host
// has is mapped, rows of the rest are streamed as they are asked for, from a
// file, a segment or pieces alike.
//
// Kind:    resource, shared by what it opened. Threads: any.
class MatrixOpener : public std::enable_shared_from_this<MatrixOpener> {
 public:
  // Where the matrix of that name lies, as the coordinator says.
  using Find =
      std::function<absl::StatusOr<proto::MatrixInfo>(const std::string& name)>;

  // `own_keeper`: of a worker; others have none.
  static std::shared_ptr<MatrixOpener> Make(Find find,
                                            const Address& own_keeper,
                                            TcpSecurityOptions security);

  // NAME_UNKNOWN; FILE_MISSING for a file that this host has not.
  absl::StatusOr<std::shared_ptr<MatrixSource>> Open(const std::string& name);

 private:
  MatrixOpener(Find find, const Address& own_keeper,
               TcpSecurityOptions security)
      : find_(std::move(find)), reach_(own_keeper, std::move(security)) {}

  const Find find_;
  SegmentReach reach_;
};

}  // namespace hearth
