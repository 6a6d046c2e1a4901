#include "client/matrix_info.h"

#include "absl/strings/str_cat.h"
#include "hearth/base/status.h"
#include "hearth/matrix/partition.h"
#include "hearth/transport/control/codec.h"

namespace hearth::client {

absl::StatusOr<MatrixInfo> MatrixInfoOf(const proto::MatrixInfo& message) {
  const proto::MatrixRecord& record = message.record();
  MatrixInfo info;
  info.name = record.name();
  HEARTH_ASSIGN_OR_RETURN(info.layout, FromProto(record.layout()));
  info.sealed = record.sealed();
  if (record.has_file()) {
    const proto::FileSource& file = record.file();
    info.file = file.member().empty()
                    ? file.path()
                    : absl::StrCat(file.path(), ":", file.member());
  }
  info.in_pieces = record.has_spread();
  info.page_bytes = record.page_bytes();
  info.row_blocks = Partition(info.layout).block_count();
  for (const proto::Shard& shard : message.shards()) {
    info.shards.push_back({shard.row_begin(),
                           shard.row_end(),
                           {shard.workers().begin(), shard.workers().end()}});
  }
  return info;
}

}  // namespace hearth::client
