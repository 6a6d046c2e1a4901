// The same bits on every processor, at every alignment, in every order of work.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "hearth/compute/kernels/kernel.h"
#include "hearth/compute/numbers.h"
#include "tests/support/run_operation.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::LayoutOf;
using ::hearth::testing::RunOperation;
using kernels::Variant;

constexpr Variant kVariants[] = {Variant::kBaseline, Variant::kAvx2,
                                 Variant::kAvx512};

// Random elements of any type, with what floats have at their edges.
std::vector<std::byte> RandomElements(ElementType type, std::int64_t count,
                                      unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0.5, 100);
  const bool complex = IsComplex(type);
  const ElementType part = RealTypeOf(type);
  const std::int64_t numbers = complex ? 2 * count : count;
  std::vector<std::byte> bytes(
      static_cast<std::size_t>(numbers * BytesOf(part)));
  for (std::int64_t i = 0; i < numbers; ++i) {
    std::byte* to = bytes.data() + i * BytesOf(part);
    if (type == ElementType::kBfloat16) {
      const std::uint16_t bits =
          static_cast<std::uint16_t>(0x3f00 + random() % 512);
      std::memcpy(to, &bits, 2);
    } else if (IsFloat(part)) {
      double value = normal(random);
      if (seed % 2 == 1 && random() % 5000 == 0)
        value = std::ldexp(value, static_cast<int>(random() % 2000) - 1000);
      if (seed % 3 == 2 && random() % 20000 == 0) value = std::nan("");
      StoreReal(part, value, to);
    } else {
      StoreWrapped(part, random(), to);
    }
  }
  return bytes;
}

constexpr ElementType kTypes[] = {
    ElementType::kBool,    ElementType::kInt8,      ElementType::kInt16,
    ElementType::kInt32,   ElementType::kInt64,     ElementType::kUint8,
    ElementType::kUint16,  ElementType::kUint32,    ElementType::kUint64,
    ElementType::kFloat16, ElementType::kBfloat16,  ElementType::kFloat32,
    ElementType::kFloat64, ElementType::kComplex64, ElementType::kComplex128};

class SameBits : public ::testing::TestWithParam<const char*> {
 protected:
  ~SameBits() override { kernels::UnforceVariant(); }
};

TEST_P(SameBits, OnEveryProcessorAndAtEveryAlignment) {
  unsigned seed = 0;
  for (const ElementType type : kTypes) {
    for (const Shape& shape : {Shape{4099}, Shape{37, 61}, Shape{9, 1100},
                               Shape{700, 3}, Shape{5, 40, 7}}) {
      const MatrixLayout layout = LayoutOf(type, shape);
      const auto values = RandomElements(type, layout.element_count(), ++seed);
      for (const char* axis : {"none", "0", "-1"}) {
        std::optional<absl::StatusOr<ResultArray>> first;
        for (const Variant variant : kVariants) {
          if (!kernels::CanRun(variant)) continue;
          kernels::ForceVariant(variant);
          for (const std::size_t offset : {0U, 1U, 8U}) {
            const auto result = RunOperation(GetParam(), layout, values,
                                             {{"axis", axis}}, offset);
            if (!first.has_value()) first = result;
            ASSERT_EQ(result.ok(), first->ok()) << result.status();
            if (!result.ok()) continue;
            EXPECT_EQ(result->bytes, (*first)->bytes)
                << GetParam() << " of " << NameOf(type) << ToString(shape)
                << " axis " << axis << " variant " << static_cast<int>(variant)
                << " offset " << offset;
          }
        }
      }
    }
  }
}

TEST_P(SameBits, HoweverTheLeavesAreShared) {
  // Nine or ten row blocks; subtrees computed apart, the last one first.
  const MatrixLayout layout = LayoutOf(ElementType::kFloat64, {11'000, 115});
  const auto values = RandomElements(layout.type, layout.element_count(), 1);
  for (const char* axis : {"none", "0"}) {
    const Operation& operation = **FindOperation(GetParam());
    const Arguments arguments{.text = {{"axis", axis}}, .matrices = {}};
    auto plan = operation.Prepare(layout, arguments);
    ASSERT_THAT(plan, IsOk());
    const Partition partition(layout);
    ASSERT_GT(partition.block_count(), 8);
    const auto whole =
        testing::RunSerially(operation, layout, values.data(), arguments);
    ASSERT_THAT(whole, IsOk());
    const auto part = [&](std::int64_t leaf, int level) {
      Scratch scratch;
      return *testing::RunSubtree(**plan, partition, layout, values.data(), {},
                                  {}, leaf, level, scratch);
    };
    const Bytes last = part(8, 3);
    Bytes right = part(4, 1);
    const Bytes rightmost = part(6, 1);
    ASSERT_THAT((*plan)->Combine(right, rightmost), IsOk());
    Bytes left = part(0, 2);
    ASSERT_THAT((*plan)->Combine(left, right), IsOk());
    ASSERT_THAT((*plan)->Combine(left, last), IsOk());
    auto outcome = (*plan)->Finish(std::move(left), {}, 0);
    ASSERT_THAT(outcome, IsOk());
    EXPECT_EQ(outcome->results[0].bytes, whole->front().bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Operations, SameBits,
    ::testing::Values("sum", "nansum", "prod", "nanprod", "mean", "nanmean",
                      "var", "nanvar", "min", "nanmin", "max", "argmin",
                      "argmax", "any", "count_nonzero", "norm"),
    [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace hearth
