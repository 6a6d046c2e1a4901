// histogram: how many elements lie in each of a number of equal bins.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/parameters.h"
#include "hearth/compute/remembered.h"
#include "hearth/compute/selection/bin_edges.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

// A count and an edge of each are held: 16 MiB of counts.
constexpr std::int64_t kBinsMax = 2 * limits::kMiB;

// Elements that are converted at once.
constexpr std::int64_t kElementsAtOnce = 2048;

// The least and the greatest element: what has to be known before elements can
// be counted, and the state that says it. NaN once an element is.
struct Range {
  double lo = std::numeric_limits<double>::infinity();
  double hi = -std::numeric_limits<double>::infinity();

  bool is_finite() const { return std::isfinite(lo) && std::isfinite(hi); }
};

void Widen(Range& range, const double* values, std::int64_t count) {
  double lo = range.lo, hi = range.hi, zero = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    lo = values[i] < lo ? values[i] : lo;
    hi = values[i] > hi ? values[i] : hi;
    zero += values[i] * 0.0;  // NaN if one is NaN or infinite
  }
  const bool has_nan =
      std::isnan(zero) && std::any_of(values, values + count, [](double value) {
        return std::isnan(value);
      });
  if (has_nan || std::isnan(range.lo)) lo = hi = std::nan("");
  range = {lo, hi};
}

// A partial is its kind and then a Range or the counts.
enum class PartialKind : std::uint64_t { kRange = 1, kCounts = 2 };
constexpr std::size_t kKindBytes = sizeof(PartialKind);

class HistogramPlan : public Plan {
 public:
  HistogramPlan(const MatrixLayout& layout, std::int64_t bins,
                std::optional<Range> range)
      : type_(layout.type),
        element_count_(layout.element_count()),
        block_count_(Partition(layout).block_count()),
        bins_(bins),
        range_(range) {}

  int leaf_blocks_log2() const override {
    // Adding a count costs less than finding an element's bin; 2 % of that.
    int log2 = 0;
    while ((element_count_ / block_count_) << log2 < 50 * bins_ &&
           block_count_ >> (log2 + 1) >= 16) {
      ++log2;
    }
    return log2;
  }
  std::int64_t partial_bytes_max() const override {
    return static_cast<std::int64_t>(kKindBytes) +
           std::max<std::int64_t>(bins_ * 8, sizeof(Range));
  }
  std::int64_t scratch_bytes_max() const override {
    return kElementsAtOnce * 8;
  }

  std::vector<ResultArray> DeclareResults() const override {
    return {{.name = "counts", .type = ElementType::kInt64, .shape = {bins_}},
            {.name = "edges",
             .type = BinEdges::TypeFor(type_),
             .shape = {bins_ + 1}}};
  }

  Bytes Begin(std::span<const std::byte> state) const override {
    const PartialKind kind = KindIn(state);
    Bytes partial(BytesOfKind(kind));
    std::memcpy(partial.data(), &kind, kKindBytes);
    if (kind == PartialKind::kRange) Store(Range{}, partial);
    return partial;
  }

  absl::Status Accumulate(const BlockView& view,
                          std::span<const std::byte> state, Scratch& scratch,
                          Bytes& partial) const override {
    HEARTH_RETURN_IF_ERROR(Check(partial, KindIn(state)));
    auto* values = reinterpret_cast<double*>(scratch.Get(scratch_bytes_max()));
    const auto for_each_run = [&](auto&& visit) {
      for (std::int64_t i = 0; i < view.block.element_count;
           i += kElementsAtOnce) {
        const std::int64_t count =
            std::min(kElementsAtOnce, view.block.element_count - i);
        ReadElements({type_, ByteOrder::kNative},
                     view.data + i * BytesOf(type_), count, values);
        visit(count);
      }
    };
    if (KindIn(state) == PartialKind::kRange) {
      Range range = Load(partial);
      for_each_run([&](std::int64_t count) { Widen(range, values, count); });
      Store(range, partial);
      return absl::OkStatus();
    }
    HEARTH_ASSIGN_OR_RETURN(const std::shared_ptr<const BinEdges> edges,
                            edges_.Get(state, [&] { return EdgesFor(state); }));
    auto* counts = reinterpret_cast<std::int64_t*>(partial.data() + kKindBytes);
    for_each_run(
        [&](std::int64_t count) { edges->Count(values, count, counts); });
    return absl::OkStatus();
  }

  absl::Status Combine(Bytes& left,
                       std::span<const std::byte> right) const override {
    PartialKind kind = PartialKind::kCounts;
    if (left.size() >= kKindBytes) {
      std::memcpy(&kind, left.data(), kKindBytes);
    }
    HEARTH_RETURN_IF_ERROR(Check(left, kind));
    HEARTH_RETURN_IF_ERROR(Check(right, kind));
    if (kind == PartialKind::kRange) {
      Range range = Load(left);
      const Range other = Load(right);
      if (std::isnan(range.lo) || std::isnan(other.lo)) {
        range.lo = range.hi = std::nan("");
      } else {
        range = {std::min(range.lo, other.lo), std::max(range.hi, other.hi)};
      }
      Store(range, left);
      return absl::OkStatus();
    }
    auto* counts = reinterpret_cast<std::int64_t*>(left.data() + kKindBytes);
    for (std::int64_t i = 0; i < bins_; ++i) {
      std::int64_t more;
      std::memcpy(&more, right.data() + kKindBytes + i * 8, 8);
      counts[i] += more;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                       std::span<const std::byte> state,
                                       int) const override {
    HEARTH_RETURN_IF_ERROR(Check(partial, KindIn(state)));
    FinishOutcome outcome;
    if (KindIn(state) == PartialKind::kRange) {
      const Range range =
          element_count_ == 0 ? Range{.lo = 0.0, .hi = 1.0} : Load(partial);
      if (!range.is_finite()) {
        return Error(Reason::kBadParameter,
                     absl::StrCat("run histogram: the elements' range, ",
                                  range.lo, " to ", range.hi,
                                  ", is not finite; give range=lo,hi"));
      }
      outcome.next_round_state.emplace(sizeof(range));
      std::memcpy(outcome.next_round_state->data(), &range, sizeof(range));
      return outcome;
    }
    HEARTH_ASSIGN_OR_RETURN(const BinEdges edges, EdgesFor(state));
    outcome.results = DeclareResults();
    partial.erase(partial.begin(), partial.begin() + kKindBytes);
    outcome.results[0].bytes = std::move(partial);
    ResultArray& result = outcome.results[1];
    result.bytes.resize(
        static_cast<std::size_t>((bins_ + 1) * BytesOf(result.type)));
    WriteElements(result.type, edges.edges().data(), bins_ + 1,
                  result.bytes.data());
    return outcome;
  }

 private:
  PartialKind KindIn(std::span<const std::byte> state) const {
    return !range_.has_value() && state.empty() ? PartialKind::kRange
                                                : PartialKind::kCounts;
  }
  std::size_t BytesOfKind(PartialKind kind) const {
    return kKindBytes + (kind == PartialKind::kRange
                             ? sizeof(Range)
                             : static_cast<std::size_t>(bins_) * 8);
  }
  absl::Status Check(std::span<const std::byte> partial,
                     PartialKind kind) const {
    if (partial.size() == BytesOfKind(kind) &&
        std::memcmp(partial.data(), &kind, kKindBytes) == 0) {
      return absl::OkStatus();
    }
    return Error(Reason::kInternal,
                 "read a partial histogram: it has another kind or size");
  }
  static Range Load(std::span<const std::byte> partial) {
    Range range;
    std::memcpy(&range, partial.data() + kKindBytes, sizeof(range));
    return range;
  }
  static void Store(const Range& range, Bytes& partial) {
    std::memcpy(partial.data() + kKindBytes, &range, sizeof(range));
  }

  absl::StatusOr<BinEdges> EdgesFor(std::span<const std::byte> state) const {
    Range range;
    if (range_.has_value()) {
      range = *range_;
    } else if (state.size() == sizeof(range)) {
      std::memcpy(&range, state.data(), sizeof(range));
    }
    if (!range.is_finite()) {
      return Error(Reason::kInternal, "histogram: a state that is no range");
    }
    return BinEdges::Make(BinEdges::TypeFor(type_), bins_, range.lo, range.hi);
  }

  const ElementType type_;
  const std::int64_t element_count_;
  const std::int64_t block_count_;
  const std::int64_t bins_;
  const std::optional<Range> range_;
  const Remembered<BinEdges> edges_;
};

class Histogram : public Operation {
 public:
  const OperationInfo& info() const override {
    static const OperationInfo info{
        "histogram",
        {{"bins", "int", "10", "how many, all of the same width"},
         {"range", "floats", "none",
          "lo,hi: what is outside is left out; none: least and greatest"}},
        "counts (int64 [bins]) and edges ([bins+1], own type for floats, else "
        "float64) of all elements, as np.histogram."};
    return info;
  }

  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    std::map<std::string, std::string> others = text;
    others.erase("range");
    HEARTH_RETURN_IF_ERROR(CheckParameters(info(), others));
    HEARTH_RETURN_IF_ERROR(BinsOf(text).status());
    return RangeOf(text).status();
  }

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(const std::int64_t bins, BinsOf(arguments.text));
    HEARTH_ASSIGN_OR_RETURN(const std::optional<Range> range,
                            RangeOf(arguments.text));
    if (IsComplex(layout.type)) {
      return Error(
          Reason::kBadParameter,
          absl::StrCat("run histogram: ", NameOf(layout.type),
                       " has no order; take the real or imaginary part"));
    }
    if (bins > kBinsMax) {
      return Error(Reason::kTooLarge,
                   absl::StrCat("run histogram: ", bins, " bins pass the ",
                                kBinsMax, " that are held; ask for fewer"));
    }
    return std::make_unique<HistogramPlan>(layout, bins, range);
  }

 private:
  absl::StatusOr<std::int64_t> BinsOf(const ParameterText& text) const {
    HEARTH_ASSIGN_OR_RETURN(const std::int64_t bins,
                            ParseInteger("bins", TextOf(info(), text, "bins")));
    if (bins >= 1) return bins;
    return Error(Reason::kBadUsage,
                 absl::StrCat("run histogram: read parameter bins: ", bins,
                              " is not one; give 1 or more"));
  }

  absl::StatusOr<std::optional<Range>> RangeOf(
      const ParameterText& text) const {
    const std::string typed = TextOf(info(), text, "range");
    if (absl::EqualsIgnoreCase(typed, "none")) return std::optional<Range>();
    const auto given = ParseNumbers("range", typed);
    const std::vector<double> ends = given.value_or(std::vector<double>());
    if (ends.size() == 2 && std::isfinite(ends[0]) && std::isfinite(ends[1]) &&
        ends[0] <= ends[1]) {
      return std::optional<Range>({ends[0], ends[1]});
    }
    return Error(
        Reason::kBadUsage,
        absl::StrCat("run histogram: read parameter range: ", Quoted(typed),
                     " is not one; give two finite numbers, the "
                     "lesser first, or none"));
  }
};

}  // namespace

const Operation& HistogramOperation() {
  static const Histogram histogram;
  return histogram;
}

}  // namespace hearth
