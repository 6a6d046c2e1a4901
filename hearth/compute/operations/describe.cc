// describe: of each column, how many numbers, their moments, extremes and
// quartiles.
#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/parameters.h"
#include "hearth/compute/selection/column_description.h"
#include "hearth/compute/selection/column_facts.h"
#include "hearth/compute/selection/describe_shares.h"
#include "hearth/compute/selection/lane_gather.h"
#include "hearth/compute/selection/lane_selection.h"
#include "hearth/compute/selection/quantile_rule.h"

namespace hearth {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Moments and extremes in the pass that counts, ranks in LaneSelection's.
//
// A partial is ColumnFacts' and then LaneSelection's. So is a state: facts,
// once they are known (else as many zeros), and the selection's.
class DescribePlan : public Plan {
 public:
  explicit DescribePlan(const MatrixLayout& layout)
      : type_(layout.type),
        rows_(layout.shape[0]),
        rule_(Quartiles()),
        selection_(layout, {0}, false, {0.25, 0.5, 0.75}),
        facts_(layout.type, selection_.lanes()) {}

  int leaf_blocks_log2() const override {
    return selection_.leaf_blocks_log2();
  }
  std::int64_t partial_bytes_max() const override {
    return facts_.partial_bytes() + selection_.partial_bytes_max();
  }
  std::int64_t scratch_bytes_max() const override {
    return selection_.scratch_bytes_max();
  }

  std::vector<ResultArray> DeclareResults() const override {
    return DeclareDescriptions(selection_.lanes());
  }

  Bytes Begin(std::span<const std::byte> state) const override {
    Bytes partial = facts_.Begin();
    // A state that can't be read is refused by the first Accumulate.
    if (!selection_.Begin(OfSelection(state), partial).ok()) partial.clear();
    return partial;
  }

  absl::Status Accumulate(const BlockView& view,
                          std::span<const std::byte> state, Scratch& scratch,
                          Bytes& partial) const override {
    if (partial.size() < FactsBytes()) {
      return Error(Reason::kInternal, "describe: a state that can't be read");
    }
    if (CountsIn(state) && view.block.element_count > 0) {
      selection_.geometry().ForEachRun(
          view.block, [&](const ReductionGeometry::Run& run) {
            facts_.Add({view.data + run.offset * BytesOf(type_), run.panels,
                        run.rows, run.width},
                       run.output, partial.data());
          });
    }
    return selection_.Accumulate(view, OfSelection(state), scratch,
                                 FactsBytes(), partial);
  }

  absl::Status Combine(Bytes& left,
                       std::span<const std::byte> right) const override {
    if (left.size() < FactsBytes() || right.size() < FactsBytes()) {
      return Error(Reason::kInternal, "describe: a partial without its facts");
    }
    facts_.Combine(left.data(), right.data());
    return selection_.Combine(FactsBytes(), left, right.subspan(FactsBytes()));
  }

  absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                       std::span<const std::byte> state,
                                       int) const override {
    if (partial.size() < FactsBytes() ||
        (!state.empty() && state.size() < StateFactsBytes())) {
      return Error(Reason::kInternal, "describe: a partial without its facts");
    }
    std::vector<ColumnFacts::Facts> facts(
        static_cast<std::size_t>(selection_.lanes()));
    if (CountsIn(state)) {
      facts = facts_.Finish(partial.data());
    } else if (!state.empty()) {
      std::memcpy(facts.data(), state.data() + sizeof(std::uint64_t),
                  StateFactsBytes() - sizeof(std::uint64_t));
    }
    HEARTH_ASSIGN_OR_RETURN(
        LaneSelection::Outcome selected,
        selection_.Finish(
            std::span<const std::byte>(partial).subspan(FactsBytes()),
            OfSelection(state), [&](std::int64_t lane, std::int64_t) {
              const std::int64_t count =
                  facts[static_cast<std::size_t>(lane)].count;
              return LaneSelection::Wanted{count <= 0
                                               ? std::vector<std::int64_t>()
                                               : rule_.RanksOf(count),
                                           count};
            }));
    FinishOutcome outcome;
    if (selected.next_state.has_value()) {
      Bytes next(StateFactsBytes());
      const std::uint64_t known = CountsIn(state) || KnowsFacts(state) ? 1 : 0;
      std::memcpy(next.data(), &known, sizeof(known));
      std::memcpy(next.data() + sizeof(known), facts.data(),
                  StateFactsBytes() - sizeof(known));
      next.insert(next.end(), selected.next_state->begin(),
                  selected.next_state->end());
      outcome.next_round_state = std::move(next);
      return outcome;
    }
    outcome.results = Results(facts, selected.found);
    return outcome;
  }

 private:
  std::size_t FactsBytes() const {
    return static_cast<std::size_t>(facts_.partial_bytes());
  }
  // A flag whether they are known, and the facts.
  std::size_t StateFactsBytes() const {
    return sizeof(std::uint64_t) +
           static_cast<std::size_t>(selection_.lanes()) *
               sizeof(ColumnFacts::Facts);
  }
  std::span<const std::byte> OfSelection(
      std::span<const std::byte> state) const {
    return state.size() < StateFactsBytes() ? state.first(0)
                                            : state.subspan(StateFactsBytes());
  }
  bool KnowsFacts(std::span<const std::byte> state) const {
    std::uint64_t known = 0;
    if (state.size() >= StateFactsBytes()) {
      std::memcpy(&known, state.data(), sizeof(known));
    }
    return known != 0;
  }
  // Whether this pass reads every element for the first time.
  bool CountsIn(std::span<const std::byte> state) const {
    return state.empty() ? selection_.collects_all() : !KnowsFacts(state);
  }

  std::vector<ResultArray> Results(const std::vector<ColumnFacts::Facts>& facts,
                                   const SelectionState& found) const {
    std::vector<ColumnDescription> columns;
    for (std::int64_t lane = 0; lane < selection_.lanes(); ++lane) {
      const ColumnFacts::Facts& of = facts[static_cast<std::size_t>(lane)];
      double quartiles[3] = {kNan, kNan, kNan};
      if (of.count > 0) {
        const std::vector<std::int64_t> ranks = rule_.RanksOf(of.count);
        const auto key = [&](std::int64_t rank) {
          const auto at = std::lower_bound(ranks.begin(), ranks.end(), rank);
          return found.key[found.RankIndex(
              lane, static_cast<std::size_t>(at - ranks.begin()))];
        };
        for (int q = 0; q < 3; ++q) {
          const QuantileRule::Place place = rule_.PlaceOf(q, of.count);
          const std::int64_t previous = key(place.previous);
          quartiles[q] =
              rule_.ValueOf(place, type_, previous,
                            place.gamma == 0 ? previous : key(place.next));
        }
      }
      columns.push_back(ColumnDescription::Of(of, rows_, quartiles));
    }
    return StoreDescriptions(columns);
  }

  const ElementType type_;
  const std::int64_t rows_;
  const QuantileRule rule_;
  const LaneSelection selection_;
  const ColumnFacts facts_;
};

class Describe : public Operation {
 public:
  const OperationInfo& info() const override {
    static const OperationInfo info{
        "describe",
        {},
        "Of each column: count and nans (int64), mean, std (ddof=1), min, q25, "
        "q50, q75 and max (float64), of the elements that are not NaN."};
    return info;
  }

  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    return CheckParameters(info(), text);
  }

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments&) const override {
    if (IsComplex(layout.type) || layout.axis_count() < 1 ||
        layout.axis_count() > 2) {
      return Error(
          Reason::kBadParameter,
          absl::StrCat("run describe: an array of ", NameOf(layout.type),
                       " and shape ", ToString(layout.shape),
                       " has no columns of real numbers; give one of "
                       "one or two axes"));
    }
    const std::int64_t columns = layout.axis_count() == 1 ? 1 : layout.shape[1];
    const bool fits = LaneSelection::FitsIn(columns, 3);
    const bool holds = HoldsDescriptions(layout.shape[0], columns);
    if (!fits && !holds) {
      return Error(Reason::kTooLarge,
                   absl::StrCat("run describe: ", columns,
                                " columns pass what is held at once; take "
                                "fewer columns"));
    }
    if (!holds || (fits && 3 * columns <= LanesForPasses(layout) &&
                   !GatherPays(layout, layout.shape[0], 1))) {
      return std::make_unique<DescribePlan>(layout);
    }
    return MakeDescribeByShares(layout);
  }
};

}  // namespace

const Operation& DescribeOperation() {
  static const Describe describe;
  return describe;
}

}  // namespace hearth
