#include "client/cli/replay.h"

#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/cli/output/units.h"
#include "client/cli/print.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/compute/blas.h"
#include "hearth/matrix/byte_order.h"
#include "hearth/matrix/npz.h"
#include "hearth/matrix/partition.h"

namespace hearth::client {
namespace {

absl::Status ComputeBlock(const Plan& plan, const Matrix& matrix,
                          const RowBlock& block, Scratch& scratch,
                          Scratch& native, Bytes& partial) {
  const MatrixLayout& layout = matrix.layout();
  const std::int64_t element_bytes = BytesOf(layout.type);
  const std::byte* data =
      matrix.bytes().data() + block.element_begin * element_bytes;
  if (layout.byte_order == ByteOrder::kForeign) {
    std::byte* swapped = native.Get(block.element_count * element_bytes);
    SwapBytes(data, swapped, block.element_count, layout.type);
    data = swapped;
  }
  BlockView view{.block = block, .data = data};
  if (plan.needs_whole_matrix()) view.matrix = matrix.bytes();
  if (!plan.concatenates()) {
    return plan.Accumulate(view, {}, scratch, partial);
  }
  partial.resize(static_cast<std::size_t>(plan.SliceOf(block).bytes));
  return plan.MapBlock(view, scratch, partial.data());
}

}  // namespace

absl::StatusOr<ReplayRange> ParseLeaves(const std::string& text) {
  const std::pair<std::string, std::string> halves =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  ReplayRange leaves;
  if (!absl::SimpleAtoi(halves.first, &leaves.begin) ||
      !absl::SimpleAtoi(halves.second, &leaves.end) || leaves.begin < 0 ||
      leaves.end <= leaves.begin) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read --leaves ", text,
                              ": give the first leaf and the one after the "
                              "last, as 8:16"));
  }
  return leaves;
}

absl::Status Replay(const Operation& operation, const Matrix& matrix,
                    const Arguments& arguments, ReplayRange leaves, bool json) {
  PrepareBlasEnvironment();
  HEARTH_ASSIGN_OR_RETURN(const auto plan,
                          operation.Prepare(matrix.layout(), arguments));
  const Partition partition(matrix.layout());
  const int log2 = plan->leaf_blocks_log2();
  const std::int64_t leaf_count = ((partition.block_count() - 1) >> log2) + 1;
  if (leaves.end > leaf_count) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("replay leaves ", leaves.begin, ":", leaves.end,
                              ": the job has leaves 0:", leaf_count));
  }
  Scratch scratch;
  Scratch native;
  std::uint32_t checksum = 0;
  const absl::Time start = absl::Now();
  for (std::int64_t leaf = leaves.begin; leaf < leaves.end; ++leaf) {
    Bytes partial;
    if (!plan->concatenates()) partial = plan->Begin({});
    const std::int64_t end =
        std::min((leaf + 1) << log2, partition.block_count());
    for (std::int64_t i = leaf << log2; i < end; ++i) {
      HEARTH_RETURN_IF_ERROR(ComputeBlock(*plan, matrix, partition.Block(i),
                                          scratch, native, partial));
    }
    checksum = Crc32(partial, checksum);
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  if (json) {
    PrintJson({{"replayed",
                {{"leaves", {leaves.begin, leaves.end}},
                 {"seconds", seconds},
                 {"checksum", absl::StrCat(absl::Hex(checksum))}}}});
  } else {
    std::printf("leaves %lld:%lld computed in %s; checksum %08x\n",
                static_cast<long long>(leaves.begin),
                static_cast<long long>(leaves.end),
                HumanDuration(absl::Seconds(seconds)).c_str(), checksum);
  }
  return absl::OkStatus();
}

}  // namespace hearth::client
