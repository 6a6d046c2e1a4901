#include <algorithm>
#include <complex>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/compute/dense/accumulators.h"
#include "hearth/compute/dense/product_plans.h"
#include "hearth/compute/dense/products.h"
#include "hearth/compute/elements.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

// Rows whose dots are kept in scratch before they are rounded.
constexpr std::int64_t kRowsAtOnce = 4096;

// Of an operand that no second cache holds, each reading should serve several
// rows; one that is as long as a block would be read with each block, from a
// cache that all cores share.
constexpr std::int64_t kOperandBytesCached = 512 * limits::kKiB;
constexpr std::int64_t kRowsToShareIt = 8;
constexpr std::int64_t kRowsLeavesMin = 8;

template <class A>
class RowDotsPlan : public Plan {
 public:
  RowDotsPlan(const MatrixLayout& layout, const VectorOperand& operand,
              ElementType result)
      : operand_(operand),
        type_{layout.type, ByteOrder::kNative},
        rows_(layout.StorageShape()[0]),
        columns_(layout.StorageShape()[1]),
        concatenates_(columns_ == 0 || Partition(layout).cut_axes() == 1),
        leaf_blocks_log2_(LeafBlocksLog2(layout, operand)),
        result_(result) {}

  bool concatenates() const override { return concatenates_; }
  bool joins_blocks() const override { return concatenates_; }
  int leaf_blocks_log2() const override { return leaf_blocks_log2_; }
  std::int64_t partial_bytes_max() const override {
    return concatenates_ ? 0 : Accumulators<A>::Bytes(rows_);
  }
  std::int64_t scratch_bytes_max() const override {
    return Products<A>::scratch_bytes() + Accumulators<A>::Bytes(kRowsAtOnce);
  }
  std::vector<ResultArray> DeclareResults() const override {
    return {{.name = "", .type = result_, .shape = {rows_}}};
  }

  ResultSlice SliceOf(const RowBlock& block) const override {
    const std::int64_t bytes = BytesOf(result_);
    if (columns_ == 0) return {};  // no products: a result begins as zeros
    return {block.element_begin / columns_ * bytes,
            block.element_count / columns_ * bytes};
  }

  absl::Status MapBlock(const BlockView& view, Scratch& scratch,
                        std::byte* out) const override {
    if (columns_ == 0) return absl::OkStatus();
    const std::int64_t rows = view.block.element_count / columns_;
    std::byte* buffers = scratch.Get(scratch_bytes_max());
    auto* dots = reinterpret_cast<A*>(buffers + Products<A>::scratch_bytes());
    for (std::int64_t row = 0; row < rows; row += kRowsAtOnce) {
      const std::int64_t count = std::min(kRowsAtOnce, rows - row);
      std::fill_n(dots, count, A{});
      Products<A>::AddDots(
          {type_, view.data + row * columns_ * BytesOf(type_.type), count,
           columns_, columns_},
          operand_, 0, buffers, dots);
      WriteElements(result_, dots, count, out + row * BytesOf(result_));
    }
    return absl::OkStatus();
  }

  Bytes Begin(std::span<const std::byte>) const override {
    return Accumulators<A>::Make(rows_);
  }

  // A piece of one row.
  absl::Status Accumulate(const BlockView& view, std::span<const std::byte>,
                          Scratch& scratch, Bytes& partial) const override {
    const std::int64_t row = view.block.element_begin / columns_;
    Products<A>::AddDots(
        {type_, view.data, 1, columns_, view.block.element_count}, operand_,
        view.block.element_begin % columns_, scratch.Get(scratch_bytes_max()),
        reinterpret_cast<A*>(partial.data()) + row);
    return absl::OkStatus();
  }

  absl::Status Combine(Bytes& left,
                       std::span<const std::byte> right) const override {
    return Accumulators<A>::Add(rows_, right, left);
  }

  absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                       std::span<const std::byte>,
                                       int) const override {
    return Accumulators<A>::Round(rows_, result_, std::move(partial));
  }

 private:
  static int LeafBlocksLog2(const MatrixLayout& layout,
                            const VectorOperand& operand) {
    const Partition partition(layout);
    const std::int64_t columns = layout.StorageShape()[1];
    if (partition.cut_axes() != 1 ||
        columns * BytesOf(operand.type()) <= kOperandBytesCached) {
      return 0;
    }
    int log2 = 0;
    while (partition.slices_per_block() << log2 < kRowsToShareIt &&
           partition.block_count() >> (log2 + 1) >= kRowsLeavesMin) {
      ++log2;
    }
    return log2;
  }

  const VectorOperand operand_;
  const NamedElementType type_;
  const std::int64_t rows_;
  const std::int64_t columns_;
  const bool concatenates_;
  const int leaf_blocks_log2_;
  const ElementType result_;
};

}  // namespace

std::unique_ptr<Plan> MakeRowDotsPlan(const MatrixLayout& layout,
                                      const VectorOperand& operand,
                                      ElementType result) {
  switch (ArithmeticOf(result)) {
    case Arithmetic::kUint64:
      return std::make_unique<RowDotsPlan<std::uint64_t>>(layout, operand,
                                                          result);
    case Arithmetic::kFloat64:
      return std::make_unique<RowDotsPlan<double>>(layout, operand, result);
    case Arithmetic::kComplex128:
      break;
  }
  return std::make_unique<RowDotsPlan<std::complex<double>>>(layout, operand,
                                                             result);
}

}  // namespace hearth
