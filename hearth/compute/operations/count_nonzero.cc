#include <memory>

#include "hearth/base/status.h"
#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"
#include "hearth/compute/reduction/reduction_plan.h"
#include "hearth/compute/reduction/scan_operation.h"
#include "hearth/compute/reduction/transforming_reducer.h"

namespace hearth {
namespace {

enum class Question { kHowMany, kAny, kAll };

// Counts elements that are not 0 (a NaN is not), then answers.
class Nonzeros final : public KernelReducer {
 public:
  Nonzeros(Question question, ElementType number)
      : KernelReducer({kernels::Family::kCountOfNonzeros}, number),
        question_(question) {}

  ElementType result_type() const override {
    return question_ == Question::kHowMany ? ElementType::kInt64
                                           : ElementType::kBool;
  }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    const std::int64_t bytes = BytesOf(result_type());
    for (std::int64_t i = 0; i < input.count; ++i) {
      const auto count = ComponentAt<std::uint64_t>(input.from[0], i);
      const auto all = static_cast<std::uint64_t>(input.reduced_count);
      StoreWrapped(
          result_type(),
          question_ == Question::kAll ? (count == all ? 1U : 0U) : count,
          out + i * bytes);
    }
    return absl::OkStatus();
  }

 private:
  Question question_;
};

template <class T>
void ComplexIsNonzero(const std::byte* from, std::byte* to,
                      std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    SetComponent<std::uint8_t>(to, i,
                               ComponentAt<T>(from, 2 * i) != 0 ||
                                   ComponentAt<T>(from, 2 * i + 1) != 0);
  }
}

class CountNonzero final : public ScanOperation {
 public:
  CountNonzero(absl::string_view name, Question question, absl::string_view doc)
      : ScanOperation({std::string(name),
                       {AxesParameter(), KeepdimsParameter()},
                       std::string(doc)}),
        question_(question) {}

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(const AxesAndKeepdims asked,
                            ReadAxes(info(), layout, arguments.text));
    std::unique_ptr<const Reducer> reducer;
    if (IsComplex(layout.type)) {
      reducer = TransformFirst(
          layout.type == ElementType::kComplex64 ? &ComplexIsNonzero<float>
                                                 : &ComplexIsNonzero<double>,
          {BytesOf(layout.type), 1},
          std::make_unique<Nonzeros>(question_, ElementType::kBool));
    } else {
      reducer = std::make_unique<Nonzeros>(question_, layout.type);
    }
    return MakeReductionPlan({info().name, layout, asked.axes, asked.keepdims},
                             std::move(reducer));
  }

 private:
  Question question_;
};

}  // namespace

const Operation& CountNonzeroOperation() {
  static const CountNonzero& operation =
      *new CountNonzero("count_nonzero", Question::kHowMany,
                        "How many elements are not 0, as int64; NaN is not 0.");
  return operation;
}

const Operation& AnyOperation() {
  static const CountNonzero& operation = *new CountNonzero(
      "any", Question::kAny, "Whether an element is not 0; NaN is not 0.");
  return operation;
}

const Operation& AllOperation() {
  static const CountNonzero& operation = *new CountNonzero(
      "all", Question::kAll,
      "Whether every element is not 0, true where there is none; NaN is not "
      "0.");
  return operation;
}

}  // namespace hearth
