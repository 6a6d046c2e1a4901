#include "hearth/compute/reduction/extremes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"
#include "hearth/compute/reduction/span_partial.h"

namespace hearth {
namespace {

using kernels::Family;

Family FamilyOf(ElementType type, ExtremeKind kind) {
  const bool least = kind.extremum == Extremum::kLeast;
  if (kind.nans == Nans::kSkip && IsFloat(type))
    return least ? Family::kMinSkippingNan : Family::kMaxSkippingNan;
  return least ? Family::kMin : Family::kMax;
}

// What kernels keep an element as.
ElementType KeptTypeOf(ElementType type) {
  return type == ElementType::kFloat16 || type == ElementType::kBfloat16
             ? ElementType::kFloat32
             : type;
}

class Extreme final : public KernelReducer {
 public:
  Extreme(ElementType type, ExtremeKind kind)
      : KernelReducer({FamilyOf(type, kind)}, type), type_(type) {}

  ElementType result_type() const override {
    return type_ == ElementType::kBfloat16 ? ElementType::kFloat32 : type_;
  }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    // Converting makes every NaN the one quiet NaN.
    ConvertNumbers(KeptTypeOf(type_), input.from[0], result_type(), out,
                   input.count);
    return absl::OkStatus();
  }

 private:
  ElementType type_;
};

// Kernels find the extreme of a piece; only where it beats what was found
// before is the piece searched for its place.
template <class Wide>
class ArgExtreme final : public Reducer {
 public:
  ArgExtreme(ElementType type, ExtremeKind kind, ElementIndex index)
      : type_(type),
        kept_type_(KeptTypeOf(type)),
        kind_(kind),
        index_(std::move(index)),
        extremes_(type, kind) {}

  int components() const override { return 2; }  // value, index or -1
  int component_bytes(int) const override { return 8; }
  std::int64_t scratch_bytes(std::int64_t numbers) const override {
    return numbers * BytesOf(kept_type_);
  }
  bool takes_strides() const override { return true; }
  ElementType result_type() const override { return ElementType::kInt64; }

  void Clear(const Accumulators& at, std::int64_t count) const override {
    for (std::int64_t i = 0; i < count; ++i) {
      SetComponent<Wide>(at[0], i, 0);
      SetComponent<std::int64_t>(at[1], i, -1);
    }
  }

  void Reduce(const ReducerInput& input,
              const Accumulators& to) const override {
    const kernels::Panels& all = input.panels;
    const std::int64_t panel = all.rows * all.width;
    // Pieces that are still in cache when they are searched: several panels, or
    // some rows of one.
    const std::int64_t panels =
        std::max<std::int64_t>(kPieceElements / panel, 1);
    const std::int64_t rows =
        panels > 1 ? all.rows
                   : std::max<std::int64_t>(kPieceElements / all.width, 16);
    for (std::int64_t p = 0; p < all.panels; p += panels) {
      for (std::int64_t i = 0; i < all.rows; i += rows) {
        const std::int64_t offset = p * panel + i * NumbersARow(all);
        ReducePiece(input,
                    {all.data + offset * BytesOf(type_),
                     std::min(panels, all.panels - p),
                     std::min(rows, all.rows - i), all.width, all.row_bytes},
                    offset, Advance(*this, to, p * all.width));
      }
    }
  }

  void Merge(const Accumulators& left, const Accumulators& right,
             std::int64_t count) const override {
    for (std::int64_t i = 0; i < count; ++i) {
      Offer(left, i, ComponentAt<Wide>(right[0], i),
            ComponentAt<std::int64_t>(right[1], i));
    }
  }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    for (std::int64_t i = 0; i < input.count; ++i) {
      const auto value = ComponentAt<Wide>(input.from[0], i);
      if (kind_.nans == Nans::kSkip && value != value)
        return AllNanError(kind_);
      SetComponent(out, i, ComponentAt<std::int64_t>(input.from[1], i));
    }
    return absl::OkStatus();
  }

 private:
  static constexpr std::int64_t kPieceElements = 8192;

  bool Same(Wide a, Wide b) const { return a == b || (a != a && b != b); }

  // Of equals, the lower index: storage need not ascend as indexes do.
  void Offer(const Accumulators& to, std::int64_t i, Wide value,
             std::int64_t index) const {
    if (index < 0) return;
    const auto kept = ComponentAt<Wide>(to[0], i);
    const auto kept_index = ComponentAt<std::int64_t>(to[1], i);
    if (kept_index >= 0 && !Beats(kind_, value, kept) &&
        !(Same(value, kept) && index < kept_index)) {
      return;
    }
    SetComponent(to[0], i, value);
    SetComponent(to[1], i, index);
  }

  // From a row's first number to the next one's.
  std::int64_t NumbersARow(const kernels::Panels& panels) const {
    return panels.row_bytes == 0 ? panels.width
                                 : panels.row_bytes / BytesOf(type_);
  }

  // `offset`: the piece's first number within the input.
  void ReducePiece(const ReducerInput& input, const kernels::Panels& piece,
                   std::int64_t offset, const Accumulators& to) const {
    const std::int64_t count = piece.panels * piece.width;
    const Accumulators found = {input.scratch};
    extremes_.Clear(found, count);
    extremes_.Reduce({piece, 0, nullptr}, found);
    const std::int64_t kept_bytes = BytesOf(kept_type_);
    const std::int64_t bytes = BytesOf(type_);
    const std::int64_t row_numbers = NumbersARow(piece);
    for (std::int64_t k = 0; k < count; ++k) {
      const auto value =
          LoadNumber<Wide>(kept_type_, input.scratch + k * kept_bytes);
      const auto kept = ComponentAt<Wide>(to[0], k);
      if (ComponentAt<std::int64_t>(to[1], k) >= 0 &&
          !Beats(kind_, value, kept) &&
          (index_.ascends() || !Same(value, kept))) {
        continue;
      }
      const std::int64_t first =
          k / piece.width * piece.rows * piece.width + k % piece.width;
      for (std::int64_t row = 0; row < piece.rows; ++row) {
        row += FindNumber<Wide>(
            type_, piece.data + (first + row * row_numbers) * bytes,
            row_numbers * bytes, piece.rows - row, value);
        if (row == piece.rows) break;
        const std::int64_t at =
            input.first + offset + first + row * row_numbers;
        Offer(to, k, value, index_.Of(at));
        if (index_.ascends()) break;
        // Of equals, the first one of a column is the one that counts.
        row += (index_.AscendsFor(at) - 1) / row_numbers;
      }
    }
  }

  ElementType type_;
  ElementType kept_type_;
  ExtremeKind kind_;
  ElementIndex index_;
  Extreme extremes_;
};

}  // namespace

absl::Status AllNanError(ExtremeKind kind) {
  const bool is_min = kind.extremum == Extremum::kLeast;
  return Error(
      Reason::kBadParameter,
      absl::StrCat("run nanarg", is_min ? "min" : "max",
                   ": all elements of a slice are NaN; reduce other axes, or "
                   "run arg",
                   is_min ? "min" : "max", ", which counts NaN"));
}

std::unique_ptr<const Reducer> MakeExtreme(ElementType type, ExtremeKind kind) {
  return std::make_unique<Extreme>(type, kind);
}

std::unique_ptr<const Reducer> MakeArgExtreme(ElementType type,
                                              ExtremeKind kind,
                                              ElementIndex index) {
  return WithWideType(type, [&](auto wide) -> std::unique_ptr<const Reducer> {
    return std::make_unique<ArgExtreme<decltype(wide)>>(type, kind,
                                                        std::move(index));
  });
}

}  // namespace hearth
