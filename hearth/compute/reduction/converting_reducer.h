#pragma once

#include <memory>
#include <utility>

#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/reducer.h"

namespace hearth {

// Converts numbers from one type to another, then leaves them to a reducer of
// the other: what NumPy's dtype parameter does.
class ConvertingReducer final : public Reducer {
 public:
  ConvertingReducer(ElementType from, ElementType to,
                    std::unique_ptr<const Reducer> inner)
      : from_(from), to_(to), inner_(std::move(inner)) {}

  int components() const override { return inner_->components(); }
  int component_bytes(int component) const override {
    return inner_->component_bytes(component);
  }
  std::int64_t scratch_bytes(std::int64_t numbers) const override {
    return numbers * BytesOf(to_);
  }
  void Clear(const Accumulators& at, std::int64_t count) const override {
    inner_->Clear(at, count);
  }
  void Reduce(const ReducerInput& input,
              const Accumulators& to) const override {
    const kernels::Panels& panels = input.panels;
    ConvertNumbers(from_, panels.data, to_, input.scratch,
                   panels.panels * panels.rows * panels.width);
    ReducerInput converted = input;
    converted.panels.data = input.scratch;
    inner_->Reduce(converted, to);
  }
  void Merge(const Accumulators& left, const Accumulators& right,
             std::int64_t count) const override {
    inner_->Merge(left, right, count);
  }
  ElementType result_type() const override { return inner_->result_type(); }
  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    return inner_->Finish(input, out);
  }

 private:
  ElementType from_;
  ElementType to_;
  std::unique_ptr<const Reducer> inner_;
};

}  // namespace hearth
