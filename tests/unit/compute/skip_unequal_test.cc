#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "hearth/compute/kernels/selection.h"

namespace hearth::kernels {
namespace {

constexpr std::int64_t kNearBytes = 64;

// Every length up to a few vectors, the value at each place and at none, at an
// odd address, with another of it behind the first.
template <class T>
void ExpectToStopAtTheFirst(Scalar scalar) {
  const T value = 7;
  constexpr auto kBytes = static_cast<std::int64_t>(sizeof(T));
  const auto& kernels = FindSelectionKernels();
  for (std::int64_t count = 0; count < 5 * kNearBytes; count += 1 + count / 9) {
    for (std::int64_t place = 0; place <= count; place += 1 + place / 5) {
      std::vector<T> elements(static_cast<std::size_t>(count), T{1});
      for (std::int64_t i = place; i < count; i += 3) {
        elements[static_cast<std::size_t>(i)] = value;
      }
      std::vector<std::byte> bytes(1 + elements.size() * sizeof(T));
      if (count > 0) {
        std::memcpy(bytes.data() + 1, elements.data(),
                    elements.size() * sizeof(T));
      }
      const std::int64_t skipped =
          kernels.skip_unequal(scalar, bytes.data() + 1, count,
                               reinterpret_cast<const std::byte*>(&value));
      ASSERT_LE(skipped, place) << count;
      ASSERT_GT((skipped + 1) * kBytes + kNearBytes, place * kBytes) << count;
    }
  }
}

class SkipUnequal : public ::testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    if (!CanRun(GetParam())) GTEST_SKIP() << "not on this processor";
    ForceVariant(GetParam());
  }
  void TearDown() override { UnforceVariant(); }
};

TEST_P(SkipUnequal, StopsAtTheFirst) {
  ExpectToStopAtTheFirst<std::int8_t>(Scalar::kInt8);
  ExpectToStopAtTheFirst<std::uint16_t>(Scalar::kUint16);
  ExpectToStopAtTheFirst<std::int32_t>(Scalar::kInt32);
  ExpectToStopAtTheFirst<std::uint64_t>(Scalar::kUint64);
  ExpectToStopAtTheFirst<float>(Scalar::kFloat32);
  ExpectToStopAtTheFirst<double>(Scalar::kFloat64);
}

TEST_P(SkipUnequal, TakesZerosOfEitherSignAsEqual) {
  std::vector<double> elements(100, std::nan(""));
  elements[70] = -0.0;
  const double zero = 0.0;
  const std::int64_t skipped = FindSelectionKernels().skip_unequal(
      Scalar::kFloat64, reinterpret_cast<const std::byte*>(elements.data()),
      100, reinterpret_cast<const std::byte*>(&zero));
  EXPECT_LE(skipped, 70);
  EXPECT_GT(skipped, 60);
}

INSTANTIATE_TEST_SUITE_P(Variants, SkipUnequal,
                         ::testing::Values(Variant::kBaseline, Variant::kAvx2,
                                           Variant::kAvx512));

}  // namespace
}  // namespace hearth::kernels
