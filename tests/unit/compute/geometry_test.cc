#include "hearth/compute/reduction/geometry.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/run_operation.h"

namespace hearth {
namespace {

using ::hearth::testing::LayoutOf;

// The output of each element, by its indexes: the slow way.
std::vector<std::int64_t> OutputsByIndex(const MatrixLayout& layout,
                                         const std::vector<int>& axes) {
  const Shape storage = layout.StorageShape();
  const auto axis_count = static_cast<int>(storage.size());
  std::vector<std::int64_t> outputs;
  for (std::int64_t e = 0; e < layout.element_count(); ++e) {
    std::int64_t rest = e;
    std::int64_t output = 0;
    std::int64_t scale = 1;
    for (int place = axis_count - 1; place >= 0; --place) {
      const std::int64_t length = storage[static_cast<std::size_t>(place)];
      const int axis =
          layout.order == Order::kC ? place : axis_count - 1 - place;
      if (std::find(axes.begin(), axes.end(), axis) == axes.end()) {
        output += rest % length * scale;
        scale *= length;
      }
      rest /= length;
    }
    outputs.push_back(output);
  }
  return outputs;
}

// Every block that Partition could make: each cut of the leading axes.
void CheckBlocks(const MatrixLayout& layout, const std::vector<int>& axes) {
  const ReductionGeometry geometry(layout, axes, false, 1);
  const auto expected = OutputsByIndex(layout, axes);
  const Shape storage = layout.StorageShape();
  std::int64_t below = layout.element_count();
  for (const std::int64_t length : storage) {
    const std::int64_t slice = below / length;
    for (std::int64_t run = 0; run < layout.element_count(); run += below) {
      for (std::int64_t first = 0; first < length; ++first) {
        const std::int64_t count = std::min<std::int64_t>(2, length - first);
        const RowBlock block{0, run + first * slice, count * slice};
        const auto span = geometry.SpanOf(block);
        std::vector<std::int64_t> seen(
            static_cast<std::size_t>(block.element_count), -1);
        geometry.ForEachRun(block, [&](const ReductionGeometry::Run& r) {
          for (std::int64_t i = 0; i < r.panels * r.rows * r.width; ++i) {
            const std::int64_t output =
                r.output + i / (r.rows * r.width) * r.width + i % r.width;
            EXPECT_GE(output, span.begin);
            EXPECT_LT(output, span.begin + span.count);
            seen[static_cast<std::size_t>(r.offset + i)] = output;
          }
        });
        for (std::int64_t i = 0; i < block.element_count; ++i) {
          ASSERT_EQ(seen[static_cast<std::size_t>(i)],
                    expected[static_cast<std::size_t>(block.element_begin + i)])
              << ToString(layout.shape);
        }
      }
    }
    below = slice;
  }
}

TEST(ReductionGeometry, PutsEveryElementOfEveryBlockToItsOutput) {
  for (const Shape& shape :
       {Shape{6}, Shape{4, 3}, Shape{2, 3, 4}, Shape{3, 1, 2, 3},
        Shape{2, 3, 2, 3}, Shape{1, 5, 1}, Shape{2, 2, 2, 2, 2}}) {
    const auto axis_count = static_cast<int>(shape.size());
    for (const Order order : {Order::kC, Order::kFortran}) {
      for (int chosen = 0; chosen < 1 << axis_count; ++chosen) {
        std::vector<int> axes;
        for (int axis = 0; axis < axis_count; ++axis)
          if ((chosen >> axis & 1) != 0) axes.push_back(axis);
        CheckBlocks(LayoutOf(ElementType::kInt8, shape, order), axes);
      }
    }
  }
}

TEST(ReductionGeometry, ConcatenatesWhereTheCutAxesAreKept) {
  const MatrixLayout layout = LayoutOf(ElementType::kFloat64, {4'000'000, 2});
  const Partition partition(layout);
  EXPECT_TRUE(ReductionGeometry(layout, {1}, false, 1).concatenates(partition));
  EXPECT_FALSE(
      ReductionGeometry(layout, {0}, false, 1).concatenates(partition));
  const MatrixLayout nothing = LayoutOf(ElementType::kFloat64, {0, 2});
  EXPECT_FALSE(ReductionGeometry(nothing, {1}, false, 1)
                   .concatenates(Partition(nothing)));
}

}  // namespace
}  // namespace hearth
