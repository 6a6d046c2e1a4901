#include <algorithm>
#include <complex>

#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/compute/dense/accumulators.h"
#include "hearth/compute/dense/product_plans.h"
#include "hearth/compute/dense/products.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/share.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

// A partial is read and written as often as there are row blocks. Up to here a
// block has eight stored rows or more, which hide that, and the partial stays
// in a cache.
constexpr std::int64_t kSumsBytesMax = 2 * limits::kMiB;
// Of fewer rows a block, sums that no second cache holds cost more than the
// shares do.
constexpr std::int64_t kSumsBytesOfFewRows = 1 * limits::kMiB;
constexpr std::int64_t kFewRows = 4;
// Columns of a share whose sums are kept in scratch at once.
constexpr std::int64_t kShareColumns = 65536;
constexpr std::int64_t kShareGrain = 64;
// Combining a number costs about what two products do.
constexpr std::int64_t kColumnsLeafRowsMin = 128;
constexpr std::int64_t kColumnsLeavesMin = 8;

template <class A>
class ColumnSumsPlan : public Plan {
 public:
  ColumnSumsPlan(const MatrixLayout& layout, const VectorOperand& operand,
                 ElementType result)
      : layout_(layout),
        partition_(layout),
        operand_(operand),
        rows_(layout.StorageShape()[0]),
        columns_(layout.StorageShape()[1]),
        shares_(columns_ > kSumsBytesMax / 8 ||
                (columns_ > kSumsBytesOfFewRows / 8 &&
                 partition_.slices_per_block() < kFewRows)),
        result_(result) {}

  bool concatenates() const override { return shares_; }
  bool needs_whole_matrix() const override { return shares_; }
  int leaf_blocks_log2() const override {
    const std::int64_t blocks = partition_.block_count();
    int log2 = 0;
    while ((rows_ << log2) / blocks < kColumnsLeafRowsMin &&
           blocks >> (log2 + 1) >= kColumnsLeavesMin) {
      ++log2;
    }
    return log2;
  }
  std::int64_t partial_bytes_max() const override {
    return shares_ ? 0 : Accumulators<A>::Bytes(columns_);
  }
  std::int64_t scratch_bytes_max() const override {
    return Products<A>::scratch_bytes() +
           (shares_ ? Accumulators<A>::Bytes(kShareColumns) : 0);
  }
  std::vector<ResultArray> DeclareResults() const override {
    return {{.name = "", .type = result_, .shape = {columns_}}};
  }

  Bytes Begin(std::span<const std::byte>) const override {
    return Accumulators<A>::Make(columns_);
  }

  // Whole stored rows, or a piece of one.
  absl::Status Accumulate(const BlockView& view, std::span<const std::byte>,
                          Scratch& scratch, Bytes& partial) const override {
    const std::int64_t count = view.block.element_count;
    if (count == 0) return absl::OkStatus();
    const std::int64_t rows = std::max<std::int64_t>(count / columns_, 1);
    Products<A>::AddColumns({{layout_.type, ByteOrder::kNative},
                             view.data,
                             rows,
                             columns_,
                             count / rows},
                            operand_, view.block.element_begin / columns_,
                            scratch.Get(scratch_bytes_max()),
                            reinterpret_cast<A*>(partial.data()) +
                                view.block.element_begin % columns_);
    return absl::OkStatus();
  }

  absl::Status Combine(Bytes& left,
                       std::span<const std::byte> right) const override {
    return Accumulators<A>::Add(columns_, right, left);
  }

  absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                       std::span<const std::byte>,
                                       int) const override {
    return Accumulators<A>::Round(columns_, result_, std::move(partial));
  }

  ResultSlice SliceOf(const RowBlock& block) const override {
    const Share share = ShareOfBlock(block);
    return {share.begin * BytesOf(result_), share.count() * BytesOf(result_)};
  }

  absl::Status MapBlock(const BlockView& view, Scratch& scratch,
                        std::byte* out) const override {
    if (static_cast<std::int64_t>(view.matrix.size()) != layout_.bytes()) {
      return Error(Reason::kInternal,
                   "multiply with long rows: the matrix was not given whole");
    }
    std::byte* buffers = scratch.Get(scratch_bytes_max());
    auto* sums = reinterpret_cast<A*>(buffers + Products<A>::scratch_bytes());
    const Share share = ShareOfBlock(view.block);
    for (std::int64_t k = share.begin; k < share.end; k += kShareColumns) {
      const std::int64_t count = std::min(kShareColumns, share.end - k);
      std::fill_n(sums, count, A{});
      Products<A>::AddColumns({{layout_.type, layout_.byte_order},
                               view.matrix.data() + k * BytesOf(layout_.type),
                               rows_,
                               columns_,
                               count},
                              operand_, 0, buffers, sums);
      WriteElements(result_, sums, count,
                    out + (k - share.begin) * BytesOf(result_));
    }
    return absl::OkStatus();
  }

 private:
  Share ShareOfBlock(const RowBlock& block) const {
    return ShareOf(columns_, block.index, partition_.block_count(),
                   kShareGrain);
  }

  const MatrixLayout layout_;
  const Partition partition_;
  const VectorOperand operand_;
  const std::int64_t rows_;
  const std::int64_t columns_;
  const bool shares_;
  const ElementType result_;
};

}  // namespace

std::unique_ptr<Plan> MakeColumnSumsPlan(const MatrixLayout& layout,
                                         const VectorOperand& operand,
                                         ElementType result) {
  switch (ArithmeticOf(result)) {
    case Arithmetic::kUint64:
      return std::make_unique<ColumnSumsPlan<std::uint64_t>>(layout, operand,
                                                             result);
    case Arithmetic::kFloat64:
      return std::make_unique<ColumnSumsPlan<double>>(layout, operand, result);
    case Arithmetic::kComplex128:
      break;
  }
  return std::make_unique<ColumnSumsPlan<std::complex<double>>>(layout, operand,
                                                                result);
}

}  // namespace hearth
