#include "hearth/compute/selection/describe_shares.h"

#include <algorithm>
#include <cstring>

#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/compute/kernels/selection.h"
#include "hearth/compute/selection/column_description.h"
#include "hearth/compute/selection/column_facts.h"
#include "hearth/compute/selection/lane_gather.h"
#include "hearth/compute/selection/lane_quantiles.h"
#include "hearth/compute/share.h"
#include "hearth/matrix/byte_order.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

// Columns that are looked at together, as keys and once more as they are.
constexpr std::int64_t kBytesAimedAt = 2 * limits::kMiB;
constexpr std::int64_t kColumnBytesMax = 32 * limits::kMiB;

// A partial: which columns, and what is to be said of each.
struct Header {
  static constexpr std::uint64_t kKind = 0x31435344;  // "DSC1"

  std::uint64_t kind = kKind;
  std::int64_t begin = 0;  // 0 of none
  std::int64_t count = 0;
};
static_assert(sizeof(Header) == 24);

class DescribeShares final : public Plan {
 public:
  explicit DescribeShares(const MatrixLayout& layout)
      : layout_(layout),
        partition_(layout),
        rows_(layout.shape[0]),
        columns_(layout.axis_count() == 1 ? 1 : layout.shape[1]),
        rule_(Quartiles()),
        gather_(layout, {0}),
        at_once_(gather_.LanesWithin(kBytesAimedAt)),
        quartiles_(rule_, layout.type, rows_) {}

  bool needs_whole_matrix() const override { return true; }
  std::int64_t partial_bytes_max() const override {
    return static_cast<std::int64_t>(sizeof(Header)) +
           columns_ * static_cast<std::int64_t>(sizeof(ColumnDescription));
  }
  std::int64_t scratch_bytes_max() const override {
    return gather_.ScratchBytes(at_once_) + PackedBytes(at_once_);
  }
  std::vector<ResultArray> DeclareResults() const override {
    return DeclareDescriptions(columns_);
  }

  Bytes Begin(std::span<const std::byte>) const override {
    Bytes partial(sizeof(Header));
    Store(Header{}, partial);
    return partial;
  }

  absl::Status Accumulate(const BlockView& view, std::span<const std::byte>,
                          Scratch& scratch, Bytes& partial) const override {
    if (std::ssize(view.matrix) != layout_.bytes()) {
      return Error(Reason::kInternal,
                   "run describe: the matrix was not given whole");
    }
    const Share share =
        ShareOf(columns_, view.block.index, partition_.block_count(), 8);
    for (std::int64_t column = share.begin; column < share.end;
         column += at_once_) {
      Bytes more(sizeof(Header));
      const std::int64_t count = std::min(at_once_, share.end - column);
      Store(Header{.begin = column, .count = count}, more);
      DescribeColumns(view.matrix.data(), column, count, scratch, more);
      HEARTH_RETURN_IF_ERROR(Combine(partial, more));
    }
    return absl::OkStatus();
  }

  absl::Status Combine(Bytes& left,
                       std::span<const std::byte> right) const override {
    Header a, b;
    if (!Load(left, a) || !Load(right, b) ||
        (a.count != 0 && b.count != 0 && a.begin + a.count != b.begin)) {
      return Error(Reason::kInternal,
                   "combine descriptions: they are not of neighbours");
    }
    const auto more = right.subspan(sizeof(Header));
    left.insert(left.end(), more.begin(), more.end());
    Store(Header{.begin = a.count != 0 ? a.begin : b.begin,
                 .count = a.count + b.count},
          left);
    return absl::OkStatus();
  }

  absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                       std::span<const std::byte>,
                                       int) const override {
    Header header;
    if (!Load(partial, header) || header.count != columns_) {
      return Error(Reason::kInternal,
                   "finish describe: it is not of all columns");
    }
    std::vector<ColumnDescription> columns(static_cast<std::size_t>(columns_));
    if (columns_ > 0) {
      std::memcpy(columns.data(), partial.data() + sizeof(Header),
                  partial.size() - sizeof(Header));
    }
    FinishOutcome outcome;
    outcome.results = StoreDescriptions(columns);
    return outcome;
  }

 private:
  static void Store(const Header& header, Bytes& partial) {
    std::memcpy(partial.data(), &header, sizeof(header));
  }
  // Whether that is a partial of some of these columns.
  bool Load(std::span<const std::byte> partial, Header& header) const {
    if (partial.size() < sizeof(header)) return false;
    std::memcpy(&header, partial.data(), sizeof(header));
    return header.kind == Header::kKind && header.begin >= 0 &&
           header.begin <= columns_ && header.count >= 0 &&
           header.count <= columns_ - header.begin &&
           partial.size() ==
               sizeof(header) + static_cast<std::size_t>(header.count) *
                                    sizeof(ColumnDescription);
  }

  std::int64_t PackedBytes(std::int64_t columns) const {
    return columns * rows_ * BytesOf(layout_.type);
  }
  bool by_columns() const {
    return columns_ == 1 || layout_.order == Order::kFortran;
  }

  // Those columns' elements side by side, as they lie in the matrix but in
  // native byte order.
  void Pack(const std::byte* matrix, std::int64_t column, std::int64_t count,
            std::byte* to) const {
    const std::int64_t bytes = BytesOf(layout_.type);
    if (by_columns()) {
      std::memcpy(to, matrix + PackedBytes(column),
                  static_cast<std::size_t>(PackedBytes(count)));
    } else {
      for (std::int64_t row = 0; row < rows_; ++row) {
        std::memcpy(to + row * count * bytes,
                    matrix + (row * columns_ + column) * bytes,
                    static_cast<std::size_t>(count * bytes));
      }
    }
    if (layout_.byte_order != ByteOrder::kNative) {
      SwapBytes(to, to, count * rows_, layout_.type);
    }
  }

  // Appends what is to be said of those columns.
  void DescribeColumns(const std::byte* matrix, std::int64_t column,
                       std::int64_t count, Scratch& scratch, Bytes& to) const {
    std::byte* memory = scratch.Get(scratch_bytes_max());
    auto* keys = reinterpret_cast<std::int64_t*>(memory);
    std::byte* packed = memory + gather_.ScratchBytes(at_once_);
    const ColumnFacts facts(layout_.type, count);
    Bytes found = facts.Begin();
    if (rows_ > 0) {
      Pack(matrix, column, count, packed);
      facts.Add(by_columns() ? kernels::Panels{packed, count, rows_, 1}
                             : kernels::Panels{packed, 1, rows_, count},
                0, found.data());
    }
    gather_.Gather(matrix, 0, layout_.byte_order, column, count, keys,
                   keys + at_once_ * rows_);
    const auto all = facts.Finish(found.data());
    for (std::size_t i = 0; i < all.size(); ++i, keys += rows_) {
      double quartiles[3];
      FindQuartiles(keys, quartiles);
      const auto says = ColumnDescription::Of(all[i], rows_, quartiles);
      const auto* bytes = reinterpret_cast<const std::byte*>(&says);
      to.insert(to.end(), bytes, bytes + sizeof(says));
    }
  }

  // Of the keys that are numbers.
  void FindQuartiles(std::int64_t* keys, double* quartiles) const {
    const std::int64_t count =
        !IsFloat(layout_.type)
            ? rows_
            : std::remove(keys, keys + rows_, kernels::kNanKey) - keys;
    if (count == rows_) return quartiles_.Find(keys, {0, 3}, quartiles);
    LaneQuantiles(rule_, layout_.type, count).Find(keys, {0, 3}, quartiles);
  }

  const MatrixLayout layout_;
  const Partition partition_;
  const std::int64_t rows_;
  const std::int64_t columns_;
  const QuantileRule rule_;
  const LaneGather gather_;
  const std::int64_t at_once_;
  const LaneQuantiles quartiles_;
};

}  // namespace

std::unique_ptr<Plan> MakeDescribeByShares(const MatrixLayout& layout) {
  return std::make_unique<DescribeShares>(layout);
}

bool HoldsDescriptions(std::int64_t rows, std::int64_t columns) {
  return rows <= kColumnBytesMax / 8 &&
         columns <= limits::kPartialBytesMax / 2 /
                        static_cast<std::int64_t>(sizeof(ColumnDescription));
}

}  // namespace hearth
