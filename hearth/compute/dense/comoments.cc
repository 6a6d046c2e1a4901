#include "hearth/compute/dense/comoments.h"

#include <algorithm>
#include <complex>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/compute/dense/centre.h"

namespace hearth {
namespace {

// A group is read twice, the second time from a near cache; beside 128 rows,
// one more is less than 1 % of the products. Chains of additions run through
// its rows.
constexpr std::int64_t kGroupBytesAimedAt = 128 * limits::kKiB;
constexpr std::int64_t kGroupRowsMin = 128;
constexpr std::int64_t kGroupRowsMax = 512;

// By columns a group is a panel: the runs of its columns are short enough.
std::int64_t GroupRows(const RowPanels& panels, std::int64_t element_bytes) {
  if (panels.by_columns()) return panels.panel_rows();
  return std::clamp(kGroupBytesAimedAt / element_bytes /
                        std::max<std::int64_t>(panels.columns(), 1),
                    kGroupRowsMin, kGroupRowsMax);
}

// What follows the triangle in a partial.
template <class T>
struct Rest {
  Rest(std::byte* partial, const ProductTriangle& triangle)
      : means{reinterpret_cast<T*>(partial + triangle.bytes()),
              reinterpret_cast<T*>(partial + triangle.bytes()) +
                  triangle.columns()},
        rows(reinterpret_cast<std::int64_t*>(means.low + triangle.columns())) {}

  Means<T> means;
  std::int64_t* rows;
};

std::int64_t RowsIn(std::span<const std::byte> partial) {
  std::int64_t rows = 0;
  std::memcpy(&rows, partial.data() + partial.size() - sizeof(rows),
              sizeof(rows));
  return rows;
}

}  // namespace

Comoments::Comoments(const MatrixLayout& layout)
    : triangle_(layout),
      panels_(layout, triangle_.element_bytes(), kGramLeafRowsMin),
      group_rows_(GroupRows(panels_, triangle_.element_bytes())) {}

std::int64_t Comoments::partial_bytes() const {
  return triangle_.bytes() + 2 * columns() * triangle_.element_bytes() +
         static_cast<std::int64_t>(sizeof(std::int64_t));
}

std::int64_t Comoments::scratch_bytes() const {
  return (panels_.panel_rows() + GroupsMax() + 2) * columns() *
         triangle_.element_bytes();
}

absl::Status Comoments::Check(std::span<const std::byte> partial) const {
  if (static_cast<std::int64_t>(partial.size()) != partial_bytes()) {
    return Error(
        Reason::kInternal,
        absl::StrCat("read a partial of products: it has ", partial.size(),
                     " bytes, expected ", partial_bytes()));
  }
  if (const std::int64_t rows = RowsIn(partial);
      rows < 0 || rows > panels_.rows()) {
    return Error(Reason::kInternal,
                 absl::StrCat("read a partial of products: it counts ", rows,
                              " rows of ", panels_.rows()));
  }
  return absl::OkStatus();
}

template <class T>
absl::Status Comoments::AccumulateAs(const RowPanel& all, Scratch& scratch,
                                     Bytes& partial) const {
  const Rest<T> sum(partial.data(), triangle_);
  auto* const memory = reinterpret_cast<T*>(scratch.Get(scratch_bytes()));
  const Means<T> means{memory, memory + columns()};
  T* const centred = memory + 2 * columns();
  for (std::int64_t row = 0; row < all.rows; row += panels_.panel_rows()) {
    const RowPanel part = panels_.Part(all, row);
    // By columns, each has room for one number more: the group's w.
    const std::int64_t stride = all.by_columns ? part.rows + 1 : columns();
    std::int64_t filled = 0;  // rows
    for (std::int64_t at = 0; at < part.rows; at += group_rows_) {
      const RowPanel group =
          RowsOf(part, at, std::min(group_rows_, part.rows - at));
      T* const to = centred + (all.by_columns ? 0 : filled * columns());
      Centre(group, stride, to, means);
      filled += group.rows;
      T* const w = centred + (all.by_columns ? filled : filled * columns());
      JoinMeans<T>({means.high, means.low}, group.rows, *sum.rows, columns(),
                   sum.means, w, all.by_columns ? stride : 1);
      if (*sum.rows > 0) ++filled;
      *sum.rows += group.rows;
    }
    HEARTH_RETURN_IF_ERROR(triangle_.AddProducts(BlasPanel<T>{centred, stride},
                                                 filled, partial.data()));
  }
  return absl::OkStatus();
}

absl::Status Comoments::Accumulate(const BlockView& view, Scratch& scratch,
                                   Bytes& partial) const {
  HEARTH_RETURN_IF_ERROR(Check(partial));
  if (columns() == 0 || panels_.rows() == 0) return absl::OkStatus();
  HEARTH_ASSIGN_OR_RETURN(const RowPanel all, panels_.PanelOf(view));
  return is_complex()
             ? AccumulateAs<std::complex<double>>(all, scratch, partial)
             : AccumulateAs<double>(all, scratch, partial);
}

template <class T>
void Comoments::CombineAs(std::span<const std::byte> right, Bytes& left) const {
  const std::int64_t columns = triangle_.columns();
  const Rest<T> sum(left.data(), triangle_);
  std::vector<T> means(static_cast<std::size_t>(2 * columns));
  std::vector<T> w(static_cast<std::size_t>(columns));
  std::memcpy(means.data(), right.data() + triangle_.bytes(),
              means.size() * sizeof(T));
  const std::int64_t rows = RowsIn(right);
  if (rows == 0) return;
  JoinMeans<T>({means.data(), means.data() + columns}, rows, *sum.rows, columns,
               sum.means, w.data(), 1);
  *sum.rows += rows;
  triangle_.Add(right.data(), left.data());
  triangle_.AddRow(w.data(), left.data());
}

absl::Status Comoments::Combine(Bytes& left,
                                std::span<const std::byte> right) const {
  HEARTH_RETURN_IF_ERROR(Check(left));
  HEARTH_RETURN_IF_ERROR(Check(right));
  if (is_complex()) {
    CombineAs<std::complex<double>>(right, left);
  } else {
    CombineAs<double>(right, left);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> Comoments::Finish(Bytes& partial) const {
  HEARTH_RETURN_IF_ERROR(Check(partial));
  triangle_.Mirror(partial.data());
  return RowsIn(partial);
}

}  // namespace hearth
