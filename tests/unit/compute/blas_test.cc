#include "hearth/compute/blas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using testing::IsOk;

constexpr ProcessorFeatures kOld{};
constexpr ProcessorFeatures kAvx2{.avx2 = true, .fma = true};
constexpr ProcessorFeatures kAvx512{
    .avx2 = true, .fma = true, .avx512_fdq_bwvlcd = true};

// Before any test of this program loads it.
const bool kPrepared = (PrepareBlasEnvironment(), true);

TEST(ChooseCoreType, TellsTheBestKernelsThatTheProcessorCanRun) {
  EXPECT_EQ(ChooseCoreType(kAvx512, std::nullopt), "SkylakeX");
  EXPECT_EQ(ChooseCoreType(kAvx2, std::nullopt), "Haswell");
  EXPECT_EQ(ChooseCoreType(kAvx2, ""), "Haswell");
}

TEST(ChooseCoreType, LeavesTheChoiceToTheUserWhoMadeOneAndToOldProcessors) {
  EXPECT_EQ(ChooseCoreType(kAvx512, "Zen"), std::nullopt);
  EXPECT_EQ(ChooseCoreType(kOld, std::nullopt), std::nullopt);
  EXPECT_EQ(ChooseCoreType({.avx2 = true}, std::nullopt), std::nullopt);
}

TEST(LoadBlas, HasTheCoreTypeThatItWasToldAndKeepsIt) {
  ASSERT_TRUE(kPrepared);
  const auto blas = LoadBlas();
  ASSERT_THAT(blas, IsOk());
  const char* told = std::getenv("OPENBLAS_CORETYPE");
  if (told != nullptr) {
    EXPECT_EQ((*blas)->core_type, told);
  }
  EXPECT_FALSE((*blas)->version.empty());
  EXPECT_EQ(*LoadBlas(), *blas);
}

TEST(LoadBlas, MultipliesMatrices) {
  const auto blas = LoadBlas();
  ASSERT_THAT(blas, IsOk());
  const double a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
  double c[4] = {};
  (*blas)->dgemm(BlasOrder::kRowMajor, BlasTranspose::kNone,
                 BlasTranspose::kNone, 2, 2, 2, 1.0, a, 2, b, 2, 0.0, c, 2);
  EXPECT_THAT(c, ::testing::ElementsAre(19, 22, 43, 50));
}

}  // namespace
}  // namespace hearth
