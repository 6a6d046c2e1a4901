// An operation run in one thread, as a job would run it: cut, map, combine in
// the tree, finish. Tests only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/base/status.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/partition.h"

namespace hearth::testing {

// `data` as a layout of foreign byte order has it in its file.
inline Bytes AsStored(const MatrixLayout& layout, const std::byte* data) {
  Bytes stored(data, data + layout.bytes());
  if (layout.byte_order == ByteOrder::kNative) return stored;
  const std::int64_t number =
      BytesOf(layout.type) / (IsComplex(layout.type) ? 2 : 1);
  for (auto at = stored.begin(); at < stored.end(); at += number) {
    std::reverse(at, at + number);
  }
  return stored;
}

// A view of one block of it; of all of it where the plan asks for that.
inline BlockView ViewOf(const Plan& plan, const RowBlock& block,
                        const MatrixLayout& layout, const std::byte* data,
                        const Bytes& stored) {
  BlockView view{block, data + block.element_begin * BytesOf(layout.type), {}};
  if (plan.needs_whole_matrix()) view.matrix = stored;
  return view;
}

// Partials of leaf runs, joined as DESIGN 5 has it: a node is the combination
// of its two halves, or its left half alone where the leaves end.
inline absl::StatusOr<Bytes> RunSubtree(
    const Plan& plan, const Partition& partition, const MatrixLayout& layout,
    const std::byte* data, const Bytes& stored,
    std::span<const std::byte> state, std::int64_t leaf_begin, int level,
    Scratch& scratch) {
  const std::int64_t leaf_blocks = std::int64_t{1} << plan.leaf_blocks_log2();
  if (level == 0) {
    Bytes partial = plan.Begin(state);
    const std::int64_t begin = leaf_begin * leaf_blocks;
    const std::int64_t end =
        std::min(partition.block_count(), begin + leaf_blocks);
    for (std::int64_t i = begin; i < end; ++i) {
      const RowBlock block = partition.Block(i);
      const BlockView view = ViewOf(plan, block, layout, data, stored);
      HEARTH_RETURN_IF_ERROR(plan.Accumulate(view, state, scratch, partial));
    }
    return partial;
  }
  const std::int64_t half = std::int64_t{1} << (level - 1);
  HEARTH_ASSIGN_OR_RETURN(
      Bytes left, RunSubtree(plan, partition, layout, data, stored, state,
                             leaf_begin, level - 1, scratch));
  if ((leaf_begin + half) * leaf_blocks >= partition.block_count()) return left;
  HEARTH_ASSIGN_OR_RETURN(
      Bytes right, RunSubtree(plan, partition, layout, data, stored, state,
                              leaf_begin + half, level - 1, scratch));
  HEARTH_RETURN_IF_ERROR(plan.Combine(left, right));
  return left;
}

// Last block first: the order in which blocks are mapped is nobody's business.
inline absl::StatusOr<std::vector<ResultArray>> RunConcatenate(
    const Plan& plan, const Partition& partition, const MatrixLayout& layout,
    const std::byte* data, const Bytes& stored, Scratch& scratch) {
  std::vector<ResultArray> results = plan.DeclareResults();
  MatrixLayout result_layout;
  result_layout.type = results[0].type;
  result_layout.shape = results[0].shape;
  results[0].bytes.resize(static_cast<std::size_t>(result_layout.bytes()));
  std::unique_ptr<Scratch> slice = std::make_unique<Scratch>();
  for (std::int64_t i = partition.block_count() - 1; i >= 0; --i) {
    const RowBlock block = partition.Block(i);
    const BlockView view = ViewOf(plan, block, layout, data, stored);
    const Plan::ResultSlice where = plan.SliceOf(block);
    std::byte* out = slice->Get(std::max<std::int64_t>(where.bytes, 1));
    HEARTH_RETURN_IF_ERROR(plan.MapBlock(view, scratch, out));
    std::copy(out, out + where.bytes, results[0].bytes.begin() + where.offset);
  }
  return results;
}

// `data` is layout.bytes() bytes in native byte order, at any alignment.
inline absl::StatusOr<std::vector<ResultArray>> RunSerially(
    const Operation& operation, const MatrixLayout& layout,
    const std::byte* data, const Arguments& arguments = {}) {
  HEARTH_RETURN_IF_ERROR(operation.CheckUsage(arguments.text));
  HEARTH_ASSIGN_OR_RETURN(std::unique_ptr<Plan> plan,
                          operation.Prepare(layout, arguments));
  const Partition partition(layout);
  Bytes stored;
  if (plan->needs_whole_matrix()) stored = AsStored(layout, data);
  Scratch scratch;
  if (plan->concatenates()) {
    return RunConcatenate(*plan, partition, layout, data, stored, scratch);
  }
  int levels = 0;
  while ((std::int64_t{1} << (levels + plan->leaf_blocks_log2())) <
         partition.block_count()) {
    ++levels;
  }
  Bytes state;
  for (int round = 0;; ++round) {
    HEARTH_ASSIGN_OR_RETURN(
        Bytes partial, RunSubtree(*plan, partition, layout, data, stored, state,
                                  0, levels, scratch));
    if (static_cast<std::int64_t>(partial.size()) > plan->partial_bytes_max()) {
      return absl::InternalError("a partial passed its declared bound");
    }
    HEARTH_ASSIGN_OR_RETURN(FinishOutcome outcome,
                            plan->Finish(std::move(partial), state, round));
    if (!outcome.next_round_state.has_value())
      return std::move(outcome.results);
    state = *std::move(outcome.next_round_state);
  }
}

}  // namespace hearth::testing
