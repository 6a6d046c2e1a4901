#include "hearth/transport/bulk/bulk_request.h"

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/transport/control/codec.h"

namespace hearth {

absl::Status CheckRange(const proto::BulkRequest& request,
                        std::int64_t segment_bytes) {
  if (request.offset() >= 0 && request.bytes() >= 0 &&
      request.offset() <= segment_bytes &&
      request.bytes() <= segment_bytes - request.offset() &&
      request.cut() >= 0 && request.cut_origin() >= 0) {
    return absl::OkStatus();
  }
  return Error(
      Reason::kBadUsage,
      absl::StrCat("read bytes [", request.offset(), ", ", request.offset(),
                   " + ", request.bytes(), ") of segment ",
                   FromProto(request.token()).ToString(), ": it has ",
                   segment_bytes, " bytes"));
}

}  // namespace hearth
