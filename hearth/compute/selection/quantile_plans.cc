#include "hearth/compute/selection/quantile_plans.h"

#include <algorithm>
#include <array>
#include <limits>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/kernels/selection.h"
#include "hearth/compute/selection/lane_gather.h"
#include "hearth/compute/selection/lane_quantiles.h"
#include "hearth/compute/selection/lane_selection.h"
#include "hearth/compute/share.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The keys of lanes that are looked at together, and the longest lane whose
// keys are all held.
constexpr std::int64_t kGatherBytesAimedAt = 4 * limits::kMiB;
constexpr std::int64_t kGatherBytesMax = 32 * limits::kMiB;

bool HasNan(ElementType type, std::int64_t greatest) {
  return IsFloat(type) && greatest == kernels::kNanKey;
}

// Whether an order that can be declared has every lane's quantiles side by
// side: not where q's axis comes before two others in C order.
bool LaneByLane(const QuantileRequest& request,
                const ReductionGeometry& geometry) {
  const Shape& kept = geometry.result_shape();
  return request.rule.count() == 1 || geometry.result_order() != Order::kC ||
         std::count_if(kept.begin(), kept.end(),
                       [](std::int64_t length) { return length != 1; }) <= 1;
}

// q's axis, then what the reduction leaves.
ResultArray Declare(const QuantileRequest& request,
                    const ReductionGeometry& geometry, ElementType type) {
  ResultArray result{.name = "", .type = type, .shape = {}};
  if (request.list) result.shape.push_back(request.rule.count());
  const Shape& kept = geometry.result_shape();
  result.shape.insert(result.shape.end(), kept.begin(), kept.end());
  result.order = geometry.result_order();
  if (request.rule.count() > 1 && LaneByLane(request, geometry) &&
      !kept.empty()) {
    result.order = Order::kFortran;
  }
  return result;
}

// Every lane's elements are held at once, and each is its own output.
//
// A block has its own lanes, or (`shares`) a share of all outputs: then the
// whole matrix is needed.
class GatherPlan : public Plan {
 public:
  GatherPlan(const MatrixLayout& layout, QuantileRequest request, bool shares)
      : layout_(layout),
        partition_(layout),
        request_(std::move(request)),
        geometry_(layout, request_.axes, request_.keepdims, 1),
        gather_(layout, request_.axes),
        quantiles_(request_.rule, layout.type, gather_.elements()),
        shares_(shares),
        by_lanes_(LaneByLane(request_, geometry_)),
        lanes_at_once_(gather_.LanesWithin(kGatherBytesAimedAt)),
        type_(QuantileType(layout.type)) {}

  bool concatenates() const override { return true; }
  bool needs_whole_matrix() const override { return shares_; }
  std::int64_t partial_bytes_max() const override { return 0; }
  std::int64_t scratch_bytes_max() const override {
    return gather_.ScratchBytes(lanes_at_once_) + 8 * count();
  }

  std::vector<ResultArray> DeclareResults() const override {
    return {Declare(request_, geometry_, type_)};
  }

  ResultSlice SliceOf(const RowBlock& block) const override {
    const Share outputs = OutputsOf(block);
    return {outputs.begin * BytesOf(type_), outputs.count() * BytesOf(type_)};
  }

  absl::Status MapBlock(const BlockView& view, Scratch& scratch,
                        std::byte* out) const override {
    if (shares_ &&
        static_cast<std::int64_t>(view.matrix.size()) != layout_.bytes()) {
      return Error(Reason::kInternal,
                   absl::StrCat("run ", request_.operation,
                                ": the matrix was not given whole"));
    }
    const Share outputs = OutputsOf(view.block);
    if (outputs.count() == 0) return absl::OkStatus();
    for (const Share& lanes : LanesOf(outputs)) {
      for (std::int64_t lane = lanes.begin; lane < lanes.end;
           lane += lanes_at_once_) {
        MapLanes(view, {lane, std::min(lane + lanes_at_once_, lanes.end)},
                 outputs, scratch, out);
      }
    }
    return absl::OkStatus();
  }

 private:
  std::int64_t count() const { return request_.rule.count(); }

  // Outputs are numbered lane by lane, each lane's quantiles side by side, or
  // quantile by quantile: then a lane is gathered for each block that has some
  // of its quantiles.
  Share OutputsOf(const RowBlock& block) const {
    if (shares_) {
      return ShareOf(gather_.lane_count() * count(), block.index,
                     partition_.block_count(), 64);
    }
    const ReductionGeometry::Span span = geometry_.SpanOf(block);
    return {span.begin * count(), (span.begin + span.count) * count()};
  }

  // The lanes of those outputs, which are not none.
  std::array<Share, 2> LanesOf(const Share& outputs) const {
    if (by_lanes_) {
      return {Share{outputs.begin / count(), (outputs.end - 1) / count() + 1}};
    }
    const std::int64_t lanes = gather_.lane_count();
    if (outputs.count() >= lanes) return {Share{0, lanes}};
    const std::int64_t first = outputs.begin % lanes;
    const std::int64_t end = first + outputs.count();
    return {Share{first, std::min(end, lanes)},
            Share{0, std::max<std::int64_t>(end - lanes, 0)}};
  }

  // A lane's quantiles among those outputs.
  Share QuantilesOf(std::int64_t lane, const Share& outputs) const {
    if (by_lanes_) {
      const std::int64_t first = lane * count();
      return {std::max<std::int64_t>(outputs.begin - first, 0),
              std::min(outputs.end - first, count())};
    }
    const std::int64_t lanes = gather_.lane_count();
    const auto up_to = [&](std::int64_t output) {
      return output <= lane ? 0 : (output - lane - 1) / lanes + 1;
    };
    return {up_to(outputs.begin), up_to(outputs.end)};
  }

  void MapLanes(const BlockView& view, const Share& lanes, const Share& outputs,
                Scratch& scratch, std::byte* out) const {
    auto* keys =
        reinterpret_cast<std::int64_t*>(scratch.Get(scratch_bytes_max()));
    std::int64_t* buffer = keys + lanes_at_once_ * gather_.elements();
    auto* values = reinterpret_cast<double*>(buffer + LaneGather::kRun);
    if (shares_) {
      gather_.Gather(view.matrix.data(), 0, layout_.byte_order, lanes.begin,
                     lanes.count(), keys, buffer);
    } else {
      gather_.Gather(view.data, view.block.element_begin, ByteOrder::kNative,
                     lanes.begin, lanes.count(), keys, buffer);
    }
    for (std::int64_t lane = lanes.begin; lane < lanes.end; ++lane) {
      const Share q = QuantilesOf(lane, outputs);
      quantiles_.Find(keys, q, values);
      keys += gather_.elements();
      for (std::int64_t i = q.begin; i < q.end; ++i) {
        const std::int64_t output =
            by_lanes_ ? lane * count() + i : i * gather_.lane_count() + lane;
        WriteElements(type_, &values[i - q.begin], 1,
                      out + (output - outputs.begin) * BytesOf(type_));
      }
    }
  }

  const MatrixLayout layout_;
  const Partition partition_;
  const QuantileRequest request_;
  const ReductionGeometry geometry_;
  const LaneGather gather_;
  const LaneQuantiles quantiles_;
  const bool shares_;
  const bool by_lanes_;
  const std::int64_t lanes_at_once_;
  const ElementType type_;
};

class PassesPlan : public Plan {
 public:
  PassesPlan(const MatrixLayout& layout, QuantileRequest request)
      : element_type_(layout.type),
        request_(std::move(request)),
        selection_(layout, request_.axes, request_.keepdims,
                   PlacesOf(request_.rule)),
        type_(QuantileType(layout.type)) {}

  int leaf_blocks_log2() const override {
    return selection_.leaf_blocks_log2();
  }
  std::int64_t partial_bytes_max() const override {
    return selection_.partial_bytes_max();
  }
  std::int64_t scratch_bytes_max() const override {
    return selection_.scratch_bytes_max();
  }
  std::vector<ResultArray> DeclareResults() const override {
    return {Declare(request_, selection_.geometry(), type_)};
  }

  Bytes Begin(std::span<const std::byte> state) const override {
    Bytes partial;
    // A state that can't be read is refused by the first Accumulate.
    if (!selection_.Begin(state, partial).ok()) partial.clear();
    return partial;
  }
  absl::Status Accumulate(const BlockView& view,
                          std::span<const std::byte> state, Scratch& scratch,
                          Bytes& partial) const override {
    return selection_.Accumulate(view, state, scratch, 0, partial);
  }
  absl::Status Combine(Bytes& left,
                       std::span<const std::byte> right) const override {
    return selection_.Combine(0, left, right);
  }

  absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                       std::span<const std::byte> state,
                                       int) const override {
    const std::int64_t elements = selection_.elements();
    LaneSelection::Wanted wanted{elements == 0
                                     ? std::vector<std::int64_t>()
                                     : request_.rule.RanksOf(elements),
                                 elements};
    const LaneSelection::Wanted nothing{{}, 0};
    HEARTH_ASSIGN_OR_RETURN(
        LaneSelection::Outcome selected,
        selection_.Finish(
            partial, state, [&](std::int64_t, std::int64_t greatest) {
              return HasNan(element_type_, greatest) ? nothing : wanted;
            }));
    FinishOutcome outcome;
    if (selected.next_state.has_value()) {
      outcome.next_round_state = std::move(selected.next_state);
      return outcome;
    }
    outcome.results = DeclareResults();
    ResultArray& result = outcome.results[0];
    const std::int64_t lanes = selection_.lanes();
    const int count = request_.rule.count();
    result.bytes.resize(
        static_cast<std::size_t>(lanes * count * BytesOf(type_)));
    // Else quantile by quantile, which is the same where there is one.
    const bool by_lanes = LaneByLane(request_, selection_.geometry());
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      for (int q = 0; q < count; ++q) {
        const std::int64_t at = by_lanes ? lane * count + q : q * lanes + lane;
        const double value = ValueOf(selected.found, wanted.ranks, lane, q);
        WriteElements(type_, &value, 1,
                      result.bytes.data() + at * BytesOf(type_));
      }
    }
    return outcome;
  }

 private:
  static std::vector<double> PlacesOf(const QuantileRule& rule) {
    std::vector<double> q;
    for (int i = 0; i < rule.count(); ++i) q.push_back(rule.q(i));
    return q;
  }

  double ValueOf(const SelectionState& found,
                 const std::vector<std::int64_t>& ranks, std::int64_t lane,
                 int q) const {
    if (selection_.elements() == 0 ||
        HasNan(element_type_, found.greatest[static_cast<std::size_t>(lane)])) {
      return kNan;
    }
    const QuantileRule::Place place =
        request_.rule.PlaceOf(q, selection_.elements());
    const auto key = [&](std::int64_t rank) {
      const auto at = std::lower_bound(ranks.begin(), ranks.end(), rank);
      return found.key[found.RankIndex(
          lane, static_cast<std::size_t>(at - ranks.begin()))];
    };
    const std::int64_t previous = key(place.previous);
    return request_.rule.ValueOf(
        place, element_type_, previous,
        place.gamma == 0.0 ? previous : key(place.next));
  }

  const ElementType element_type_;
  const QuantileRequest request_;
  const LaneSelection selection_;
  const ElementType type_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Plan>> MakeQuantilePlan(
    const MatrixLayout& layout, QuantileRequest request) {
  const ReductionGeometry geometry(layout, request.axes, request.keepdims, 1);
  const std::int64_t lanes = geometry.output_count();
  const std::int64_t elements = geometry.reduced_count();
  const std::int64_t count = request.rule.count();
  const bool holds_a_lane = elements <= kGatherBytesMax / 8;
  const bool by_lanes = LaneByLane(request, geometry);
  const Partition partition(layout);
  if (holds_a_lane && by_lanes && geometry.concatenates(partition)) {
    return std::make_unique<GatherPlan>(layout, std::move(request), false);
  }
  // Blocks that gather a lane: those that have some of its outputs.
  const std::int64_t blocks = partition.block_count();
  const std::int64_t times = std::min(
      count,
      by_lanes ? 1 + (blocks - 1) / std::max<std::int64_t>(lanes, 1) : blocks);
  if (holds_a_lane && GatherPays(layout, elements, times)) {
    return std::make_unique<GatherPlan>(layout, std::move(request), true);
  }
  const bool fits = layout.element_count() > 0
                        ? LaneSelection::FitsIn(lanes, count)
                        : lanes <= LanesForPasses(layout);
  if (fits && lanes * count <= LanesForPasses(layout)) {
    return std::make_unique<PassesPlan>(layout, std::move(request));
  }
  // Passes read a matrix a few times, a gather quantile by quantile may read
  // it as often as there are quantiles.
  if (holds_a_lane && (by_lanes || !fits)) {
    return std::make_unique<GatherPlan>(layout, std::move(request), true);
  }
  if (fits) return std::make_unique<PassesPlan>(layout, std::move(request));
  return Error(Reason::kTooLarge,
               absl::StrCat("run ", request.operation, ": ", count,
                            " quantiles of ", lanes, " runs of ", elements,
                            " elements pass what is held at once; ask for one "
                            "quantile at a time, or take fewer columns"));
}

}  // namespace hearth
