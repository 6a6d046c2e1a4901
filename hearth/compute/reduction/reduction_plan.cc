#include "hearth/compute/reduction/reduction_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/checked.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/compute/reduction/geometry.h"
#include "hearth/compute/reduction/span_partial.h"
#include "hearth/compute/share.h"

namespace hearth {
namespace {

std::int64_t RoundedToLine(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

// Blocks of few rows touch every output of a matrix like this one: the partial,
// read and written for each of them, costs more than the elements. Then a block
// stands for a share of the outputs instead, of which it reads all rows. They
// are no more than what a worker always maps whole (limits.h).
bool SharesPay(const MatrixLayout& layout, const ReductionGeometry& geometry,
               const Partition& partition, const Reducer& reducer) {
  const auto whole = geometry.WholeAsPanel();
  if (!whole.has_value() || geometry.concatenates(partition) ||
      !reducer.takes_strides() || layout.byte_order != ByteOrder::kNative ||
      layout.bytes() > limits::kWholeMatrixBytesMax) {
    return false;
  }
  constexpr std::int64_t kRowsMin = 32;
  constexpr std::int64_t kCachedBytes = 256 * limits::kKiB;
  return partition.Block(0).element_count * geometry.parts() <
             kRowsMin * whole->width &&
         AccumulatorBytes(reducer, whole->width) > kCachedBytes;
}

class ReductionPlan final : public Plan {
 public:
  ReductionPlan(const ReductionRequest& request,
                std::unique_ptr<const Reducer> reducer)
      : geometry_(request.layout, request.axes, request.keepdims,
                  request.parts),
        partition_(request.layout),
        reducer_(std::move(reducer)),
        number_bytes_(BytesOf(request.layout.type) / request.parts),
        result_bytes_(BytesOf(reducer_->result_type())),
        matrix_bytes_(request.layout.bytes()),
        shares_(SharesPay(request.layout, geometry_, partition_, *reducer_)),
        concatenates_(shares_ || geometry_.concatenates(partition_)),
        leaf_blocks_log2_(ChooseLeaf()) {}

  bool concatenates() const override { return concatenates_; }
  bool needs_whole_matrix() const override { return shares_; }
  int leaf_blocks_log2() const override { return leaf_blocks_log2_; }

  std::int64_t partial_bytes_max() const override {
    return concatenates_
               ? 0
               : SpanPartial::BytesFor(*reducer_, geometry_.output_count());
  }

  std::int64_t scratch_bytes_max() const override {
    if (shares_) {
      const std::int64_t outputs =
          std::min(kShareOutputs, geometry_.output_count());
      return SpanBytes(outputs) + ShareWorkBytes(outputs);
    }
    const RowBlock first = partition_.Block(0);
    return WorkBytes(first) +
           (concatenates_ ? SpanBytes(geometry_.SpanOf(first).count) : 0);
  }

  std::vector<ResultArray> DeclareResults() const override {
    return {{"",
             reducer_->result_type(),
             geometry_.result_shape(),
             geometry_.result_order(),
             {}}};
  }

  Bytes Begin(std::span<const std::byte>) const override {
    return Bytes(static_cast<std::size_t>(SpanPartial::BytesFor(*reducer_, 0)));
  }

  absl::Status Accumulate(const BlockView& view, std::span<const std::byte>,
                          Scratch& scratch, Bytes& partial) const override {
    if (view.block.element_count == 0) return absl::OkStatus();
    const auto span = geometry_.SpanOf(view.block);
    SpanPartial::Extend(*reducer_, span.begin, span.count, partial);
    HEARTH_ASSIGN_OR_RETURN(
        const SpanPartial held,
        SpanPartial::Read(*reducer_, partial, geometry_.output_count()));
    ReduceBlock(view, held.At(*reducer_, span.begin), span.begin,
                scratch.Get(WorkBytes(view.block)));
    return absl::OkStatus();
  }

  absl::Status Combine(Bytes& left,
                       std::span<const std::byte> right) const override {
    HEARTH_ASSIGN_OR_RETURN(
        const SpanPartial from,
        SpanPartial::Read(*reducer_, right, geometry_.output_count()));
    HEARTH_RETURN_IF_ERROR(
        SpanPartial::Read(*reducer_, left, geometry_.output_count()).status());
    if (from.count() == 0) return absl::OkStatus();
    SpanPartial::Extend(*reducer_, from.begin(), from.count(), left);
    HEARTH_ASSIGN_OR_RETURN(
        const SpanPartial to,
        SpanPartial::Read(*reducer_, left, geometry_.output_count()));
    reducer_->Merge(to.At(*reducer_, from.begin()),
                    from.accumulators(*reducer_), from.count());
    return absl::OkStatus();
  }

  absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                       std::span<const std::byte>,
                                       int) const override {
    HEARTH_RETURN_IF_ERROR(
        SpanPartial::Read(*reducer_, partial, geometry_.output_count())
            .status());
    SpanPartial::Extend(*reducer_, 0, geometry_.output_count(), partial);
    HEARTH_ASSIGN_OR_RETURN(
        const SpanPartial whole,
        SpanPartial::Read(*reducer_, partial, geometry_.output_count()));
    FinishOutcome outcome;
    outcome.results = DeclareResults();
    Bytes& bytes = outcome.results[0].bytes;
    bytes.resize(
        static_cast<std::size_t>(ResultBytes(geometry_.output_count())));
    HEARTH_RETURN_IF_ERROR(
        reducer_->Finish({whole.accumulators(*reducer_),
                          geometry_.output_count(), geometry_.reduced_count()},
                         bytes.data()));
    return outcome;
  }

  ResultSlice SliceOf(const RowBlock& block) const override {
    if (shares_) {
      const Share share = ShareOfBlock(block);
      return {ResultBytes(share.begin), ResultBytes(share.count())};
    }
    const auto span = geometry_.SpanOf(block);
    return {ResultBytes(span.begin), ResultBytes(span.count)};
  }

  absl::Status MapBlock(const BlockView& view, Scratch& scratch,
                        std::byte* out) const override {
    if (shares_) return MapShare(view, scratch, out);
    const auto span = geometry_.SpanOf(view.block);
    std::byte* memory =
        scratch.Get(SpanBytes(span.count) + WorkBytes(view.block));
    const Accumulators to = AccumulatorsAt(*reducer_, memory, span.count);
    reducer_->Clear(to, span.count);
    ReduceBlock(view, to, span.begin, memory + SpanBytes(span.count));
    return reducer_->Finish({to, span.count, geometry_.reduced_count()}, out);
  }

 private:
  // Outputs of a share whose accumulators are in cache at once.
  static constexpr std::int64_t kShareOutputs = 4096;
  // Whole lines of the result, and whole complex numbers.
  static constexpr std::int64_t kShareGrain = 64;

  Share ShareOfBlock(const RowBlock& block) const {
    return ShareOf(geometry_.output_count(), block.index,
                   partition_.block_count(), kShareGrain);
  }
  std::int64_t ShareWorkBytes(std::int64_t outputs) const {
    return reducer_->scratch_bytes(geometry_.WholeAsPanel()->rows * outputs);
  }

  absl::Status MapShare(const BlockView& view, Scratch& scratch,
                        std::byte* out) const {
    if (static_cast<std::int64_t>(view.matrix.size()) != matrix_bytes_) {
      return Error(Reason::kInternal,
                   "reduce long rows: the matrix was not given whole");
    }
    const ReductionGeometry::Run whole = *geometry_.WholeAsPanel();
    std::byte* memory = scratch.Get(scratch_bytes_max());
    const Share share = ShareOfBlock(view.block);
    for (std::int64_t k = share.begin; k < share.end; k += kShareOutputs) {
      const std::int64_t count = std::min(kShareOutputs, share.end - k);
      const Accumulators to = AccumulatorsAt(*reducer_, memory, count);
      reducer_->Clear(to, count);
      reducer_->Reduce(
          {.panels = {.data = view.matrix.data() + k * number_bytes_,
                      .panels = 1,
                      .rows = whole.rows,
                      .width = count,
                      .row_bytes = whole.width * number_bytes_},
           .first = k,
           .scratch = memory + SpanBytes(count)},
          to);
      HEARTH_RETURN_IF_ERROR(
          reducer_->Finish({to, count, geometry_.reduced_count()},
                           out + ResultBytes(k - share.begin)));
    }
    return absl::OkStatus();
  }

  // Outputs are counted in numbers: `parts` of them are one result.
  std::int64_t ResultBytes(std::int64_t outputs) const {
    return outputs / geometry_.parts() * result_bytes_;
  }
  std::int64_t SpanBytes(std::int64_t outputs) const {
    return RoundedToLine(AccumulatorBytes(*reducer_, outputs));
  }
  std::int64_t WorkBytes(const RowBlock& block) const {
    return reducer_->scratch_bytes(block.element_count * geometry_.parts());
  }

  // Adds the block to accumulators that begin at output `first_output`.
  void ReduceBlock(const BlockView& view, const Accumulators& to,
                   std::int64_t first_output, std::byte* work) const {
    geometry_.ForEachRun(view.block, [&](const ReductionGeometry::Run& run) {
      reducer_->Reduce(
          {.panels = {view.data + run.offset * number_bytes_, run.panels,
                      run.rows, run.width},
           .first = view.block.element_begin * geometry_.parts() + run.offset,
           .scratch = work},
          Advance(*reducer_, to, run.output - first_output));
    });
  }

  // Joining two partials reads both and writes one; computing a block reads it
  // and, where its span is long, the partial too. Enough blocks a leaf that the
  // first is 2 % of the second, but no fewer than 32 leaves to share out.
  int ChooseLeaf() const {
    if (concatenates_) return 0;
    const RowBlock first = partition_.Block(0);
    const std::int64_t span =
        AccumulatorBytes(*reducer_, geometry_.SpanOf(first).count);
    const std::int64_t block =
        first.element_count * geometry_.parts() * number_bytes_ + 2 * span;
    int log2 = 0;
    while (3 * span > (block << log2) / 50 &&
           partition_.block_count() >> (log2 + 1) >= 32) {
      ++log2;
    }
    return log2;
  }

  ReductionGeometry geometry_;
  Partition partition_;
  std::unique_ptr<const Reducer> reducer_;
  std::int64_t number_bytes_;
  std::int64_t result_bytes_;
  std::int64_t matrix_bytes_;
  bool shares_;
  bool concatenates_;
  int leaf_blocks_log2_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Plan>> MakeReductionPlan(
    ReductionRequest request, std::unique_ptr<const Reducer> reducer) {
  // The result of an empty array may be of any size: (0, 2**40, 2**40).
  std::int64_t outputs = request.parts;
  bool fits = true;
  std::int64_t accumulator_bytes = 16;
  for (int c = 0; c < reducer->components(); ++c)
    accumulator_bytes += reducer->component_bytes(c);
  std::size_t next = 0;
  bool empty_result = false;
  for (std::size_t i = 0; i < request.layout.shape.size(); ++i) {
    if (next < request.axes.size() &&
        static_cast<std::size_t>(request.axes[next]) == i) {
      ++next;
      continue;
    }
    empty_result |= request.layout.shape[i] == 0;
    const auto product = CheckedMultiply(outputs, request.layout.shape[i]);
    fits &= product.has_value();
    outputs = product.value_or(0);
  }
  const auto bytes = CheckedMultiply(outputs, accumulator_bytes);
  auto plan = fits || empty_result
                  ? std::make_unique<ReductionPlan>(request, std::move(reducer))
                  : nullptr;
  if (plan != nullptr && plan->concatenates()) return plan;
  if (plan == nullptr || !bytes.has_value() ||
      *bytes > limits::kReductionPartialBytesMax) {
    return Error(
        Reason::kTooLarge,
        absl::StrCat(
            "run ", request.operation, " on shape ",
            ToString(request.layout.shape), ": ",
            fits ? absl::StrCat(outputs, " outputs") : "the outputs",
            " need more than ", limits::kReductionPartialBytesMax >> 20,
            " MiB a partial; reduce other axes, or part of the array"));
  }
  return plan;
}

}  // namespace hearth
