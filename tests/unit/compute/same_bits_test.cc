// The same bits on every processor, at every alignment, in every order of work.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
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

// C order's elements of a matrix with two axes, as Fortran order has them.
std::vector<std::byte> InFortranOrder(const MatrixLayout& layout,
                                      const std::vector<std::byte>& values) {
  std::vector<std::byte> turned(values.size());
  const std::int64_t bytes = BytesOf(layout.type);
  for (std::int64_t i = 0; i < layout.shape[0]; ++i) {
    for (std::int64_t j = 0; j < layout.shape[1]; ++j) {
      std::memcpy(turned.data() + (j * layout.shape[0] + i) * bytes,
                  values.data() + (i * layout.shape[1] + j) * bytes,
                  static_cast<std::size_t>(bytes));
    }
  }
  return turned;
}

// Rows so long that a block is a share of the outputs, not a run of rows: what
// comes out is what does of the same matrix in C order.
TEST_P(SameBits, OfLongRowsOnEveryProcessor) {
  for (const ElementType type :
       {ElementType::kFloat64, ElementType::kFloat32, ElementType::kInt32}) {
    const MatrixLayout c = LayoutOf(type, {70'007, 20});
    const MatrixLayout fortran = LayoutOf(type, c.shape, Order::kFortran);
    const auto values = RandomElements(type, c.element_count(), 4);
    const auto turned = InFortranOrder(c, values);
    const Arguments arguments{.text = {{"axis", "1"}}, .matrices = {}};
    const auto plan = (*FindOperation(GetParam()))->Prepare(fortran, arguments);
    ASSERT_THAT(plan, IsOk());
    EXPECT_TRUE((*plan)->needs_whole_matrix()) << GetParam();
    const auto wanted = RunOperation(GetParam(), c, values, arguments.text);
    ASSERT_THAT(wanted, IsOk());
    std::optional<Bytes> first;
    for (const Variant variant : kVariants) {
      if (!kernels::CanRun(variant)) continue;
      kernels::ForceVariant(variant);
      for (const std::size_t offset : {0U, 1U}) {
        const auto result =
            RunOperation(GetParam(), fortran, turned, arguments.text, offset);
        ASSERT_THAT(result, IsOk());
        if (!first.has_value()) first = result->bytes;
        EXPECT_EQ(result->bytes, *first) << GetParam() << NameOf(type);
      }
    }
    for (std::int64_t i = 0; i < c.shape[0]; ++i) {
      const std::int64_t at = i * BytesOf(wanted->type);
      const auto want =
          LoadNumber<double>(wanted->type, wanted->bytes.data() + at);
      const auto got = LoadNumber<double>(wanted->type, first->data() + at);
      if (want == got) continue;
      ASSERT_TRUE(IsFloat(wanted->type)) << GetParam() << " row " << i;
      ASSERT_NEAR(got, want, std::fabs(want) * 1e-6) << GetParam() << i;
    }
  }
}

// Bytes between two pages that nobody may read: against the last one, or right
// behind the first.
class FencedBytes {
 public:
  FencedBytes(const std::vector<std::byte>& bytes, bool at_end)
      : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))),
        inside_((bytes.size() + page_ - 1) / page_ * page_) {
    void* const all = mmap(nullptr, inside_ + 2 * page_, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    AbortUnless(all != MAP_FAILED);
    start_ = static_cast<std::byte*>(all);
    AbortUnless(mprotect(start_ + page_, inside_, PROT_READ | PROT_WRITE) == 0);
    data_ = start_ + page_ + (at_end ? inside_ - bytes.size() : 0);
    std::memcpy(data_, bytes.data(), bytes.size());
  }
  ~FencedBytes() { munmap(start_, inside_ + 2 * page_); }
  FencedBytes(const FencedBytes&) = delete;
  FencedBytes& operator=(const FencedBytes&) = delete;

  const std::byte* data() const { return data_; }

 private:
  static void AbortUnless(bool holds) {
    if (!holds) std::abort();
  }
  const std::size_t page_;
  const std::size_t inside_;
  std::byte* start_ = nullptr;
  std::byte* data_ = nullptr;
};

// A matrix may end where the mapping ends. (The wide kernels are built without
// sanitizers, which take minutes over them: this is what they would find.)
TEST_P(SameBits, ReadsNothingBesideTheMatrix) {
  unsigned seed = 0;
  const Operation& operation = **FindOperation(GetParam());
  for (const ElementType type : kTypes) {
    for (const Shape& shape : {Shape{4099}, Shape{37, 61}, Shape{9, 1100},
                               Shape{700, 3}, Shape{5, 40, 7}}) {
      const MatrixLayout layout = LayoutOf(type, shape);
      const auto values = RandomElements(type, layout.element_count(), ++seed);
      const FencedBytes first(values, false);
      const FencedBytes last(values, true);
      for (const char* axis : {"none", "0", "-1"}) {
        const Arguments arguments{.text = {{"axis", axis}}, .matrices = {}};
        for (const Variant variant : kVariants) {
          if (!kernels::CanRun(variant)) continue;
          kernels::ForceVariant(variant);
          const auto one =
              testing::RunSerially(operation, layout, first.data(), arguments);
          const auto other =
              testing::RunSerially(operation, layout, last.data(), arguments);
          ASSERT_EQ(one.ok(), other.ok());
          if (!one.ok()) continue;
          EXPECT_EQ(one->front().bytes, other->front().bytes);
        }
      }
    }
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
