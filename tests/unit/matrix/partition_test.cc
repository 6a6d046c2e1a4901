#include "hearth/matrix/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <random>

#include "hearth/base/limits.h"

namespace hearth {
namespace {

using limits::kGiB;
using limits::kMiB;

MatrixLayout Layout(Shape shape, ElementType type = ElementType::kFloat64,
                    Order order = Order::kC) {
  auto layout =
      MatrixLayout::Make(type, ByteOrder::kNative, order, std::move(shape));
  return *std::move(layout);
}

std::int64_t FullBlockBytes(const MatrixLayout& layout) {
  const Partition partition(layout);
  return partition.slices_per_block() * partition.slice_elements() *
         BytesOf(layout.type);
}

// Everything DESIGN 2 says about one matrix, said again the slow way.
void ExpectFollowsTheDesign(const MatrixLayout& layout) {
  SCOPED_TRACE(ToString(layout.shape));
  const Partition partition(layout);
  const std::int64_t element_bytes = BytesOf(layout.type);
  const Shape storage = layout.StorageShape();

  ASSERT_GT(layout.bytes(), 0);
  const auto slice_elements_after = [&](int axes) {
    std::int64_t elements = 1;
    for (std::size_t i = static_cast<std::size_t>(axes); i < storage.size();
         ++i) {
      elements *= storage[i];
    }
    return elements;
  };
  const int axes = partition.cut_axes();
  ASSERT_GE(axes, 1);
  EXPECT_EQ(partition.slice_elements(), slice_elements_after(axes));
  EXPECT_LE(partition.slice_elements() * element_bytes, 16 * kMiB);
  if (axes > 1) {
    EXPECT_GT(slice_elements_after(axes - 1) * element_bytes, 16 * kMiB)
        << "one axis fewer would do";
  }
  EXPECT_EQ(partition.slices_per_run(),
            storage[static_cast<std::size_t>(axes - 1)]);

  const std::int64_t bound =
      std::clamp(layout.bytes() / 256, 1 * kMiB, 16 * kMiB);
  const std::int64_t slices = partition.slices_per_block();
  const std::int64_t slice_bytes = partition.slice_elements() * element_bytes;
  EXPECT_TRUE(std::has_single_bit(static_cast<std::uint64_t>(slices)));
  EXPECT_TRUE(slices == 1 || slices * slice_bytes <= bound);
  EXPECT_GT(2 * slices * slice_bytes, bound) << "twice as many would fit";
}

// Looks at every block: for matrices of not too many.
void ExpectCoversOnceInOrder(const MatrixLayout& layout) {
  SCOPED_TRACE(ToString(layout.shape));
  const Partition partition(layout);
  const std::int64_t run_elements =
      partition.slices_per_run() * partition.slice_elements();
  std::int64_t next = 0;
  for (std::int64_t i = 0; i < partition.block_count(); ++i) {
    const RowBlock block = partition.Block(i);
    ASSERT_EQ(block.index, i);
    ASSERT_EQ(block.element_begin, next);
    ASSERT_GT(block.element_count, 0);
    ASSERT_EQ(block.element_count % partition.slice_elements(), 0);
    ASSERT_LE(block.element_count,
              partition.slices_per_block() * partition.slice_elements());
    ASSERT_EQ(block.element_begin / run_elements,
              (block.element_end() - 1) / run_elements)
        << "block " << i << " crosses an index of an axis before the last";
    next = block.element_end();
  }
  EXPECT_EQ(next, layout.element_count());
}

TEST(Partition, CutsFourGibibytesIntoBlocksOf16MiB) {
  const MatrixLayout layout = Layout({1 << 19, 1024});
  ASSERT_EQ(layout.bytes(), 4 * kGiB);
  EXPECT_EQ(FullBlockBytes(layout), 16 * kMiB);
  EXPECT_EQ(Partition(layout).block_count(), 256);
  ExpectCoversOnceInOrder(layout);
}

TEST(Partition, CutsAHundredMebibytesIntoBlocksOf1MiB) {
  const MatrixLayout layout = Layout({100 * 1024, 128});
  ASSERT_EQ(layout.bytes(), 100 * kMiB);
  EXPECT_EQ(FullBlockBytes(layout), 1 * kMiB);
  EXPECT_EQ(Partition(layout).block_count(), 100);
}

TEST(Partition, CutsAGibibyteIntoTwoHundredAndFiftySix) {
  const MatrixLayout layout = Layout({1 << 20, 128});
  EXPECT_EQ(FullBlockBytes(layout), 4 * kMiB);
  EXPECT_EQ(Partition(layout).block_count(), 256);
}

TEST(Partition, TakesAPowerOfTwoOfRowsEvenWhereTheyAreOfOddSize) {
  const MatrixLayout layout = Layout({500'000, 1000});  // 3.7 GiB; 8,000 B rows
  EXPECT_EQ(Partition(layout).slices_per_block(), 1024);
  EXPECT_EQ(Partition(layout).block_count(), 489);
  EXPECT_EQ(Partition(layout).Block(488).element_count, 288 * 1000);
}

TEST(Partition, CutsWithinRowsThatAreTooLongForABlock) {
  const MatrixLayout layout = Layout({3, 2'000'000'000});
  const Partition partition(layout);
  EXPECT_EQ(partition.cut_axes(), 2);
  EXPECT_EQ(FullBlockBytes(layout), 16 * kMiB);
  EXPECT_EQ(partition.block_count() % 3, 0);
  // The last block of a row is shorter; the next begins with the next row.
  const std::int64_t row_blocks = partition.block_count() / 3;
  EXPECT_EQ(partition.Block(row_blocks - 1).element_end(), 2'000'000'000);
  EXPECT_EQ(partition.Block(row_blocks).element_begin, 2'000'000'000);
  ExpectCoversOnceInOrder(layout);
}

TEST(Partition, CutsAColumnMajorMatrixByColumns) {
  const MatrixLayout layout =
      Layout({300'000, 1000}, ElementType::kFloat64, Order::kFortran);
  const Partition partition(layout);
  EXPECT_EQ(partition.cut_axes(), 1);
  EXPECT_EQ(partition.slice_elements(), 300'000);
  EXPECT_EQ(partition.slices_per_run(), 1000);
  EXPECT_EQ(partition.slices_per_block(), 2);
  EXPECT_EQ(partition.block_count(), 500);
}

TEST(Partition, CutsAnImageStackByImages) {
  const MatrixLayout layout =
      Layout({10'000, 1080, 1920, 3}, ElementType::kUint8);
  const Partition partition(layout);
  EXPECT_EQ(partition.cut_axes(), 1);
  EXPECT_EQ(partition.slice_elements(), 1080 * 1920 * 3);
  EXPECT_EQ(partition.slices_per_block(), 2);
}

TEST(Partition, NeverCrossesAnImageThatIsTooLargeForABlock) {
  const MatrixLayout layout = Layout({50, 4000, 6000}, ElementType::kFloat32);
  const Partition partition(layout);
  EXPECT_EQ(partition.cut_axes(), 2);
  EXPECT_EQ(partition.slice_elements(), 6000);
  EXPECT_EQ(partition.slices_per_run(), 4000);
  ExpectCoversOnceInOrder(layout);
}

TEST(Partition, KeepsASliceWholeThatPassesTheBlocksBound) {
  // 20 rows of 9 MiB: a block aims at 1 MiB, and a slice may have 16.
  const MatrixLayout layout = Layout({20, 9 * kMiB}, ElementType::kUint8);
  const Partition partition(layout);
  EXPECT_EQ(partition.cut_axes(), 1);
  EXPECT_EQ(partition.slices_per_block(), 1);
  EXPECT_EQ(partition.block_count(), 20);
}

TEST(Partition, TakesOneAxisMoreOnlyPast16MiB) {
  EXPECT_EQ(Partition(Layout({9, 16 * kMiB}, ElementType::kUint8)).cut_axes(),
            1);
  EXPECT_EQ(
      Partition(Layout({9, 16 * kMiB + 1}, ElementType::kUint8)).cut_axes(), 2);
  EXPECT_EQ(Partition(Layout({9, kMiB}, ElementType::kComplex128)).cut_axes(),
            1);
  EXPECT_EQ(
      Partition(Layout({9, kMiB + 1}, ElementType::kComplex128)).cut_axes(), 2);
}

TEST(Partition, MakesOneBlockOfASmallMatrix) {
  const Partition partition(Layout({5, 5}));
  EXPECT_EQ(partition.block_count(), 1);
  EXPECT_EQ(partition.Block(0), (RowBlock{0, 0, 25}));
}

TEST(Partition, MakesOneBlockOfASingleElement) {
  const Partition partition(Layout({}));
  EXPECT_EQ(partition.cut_axes(), 0);
  EXPECT_EQ(partition.block_count(), 1);
  EXPECT_EQ(partition.Block(0), (RowBlock{0, 0, 1}));
}

TEST(Partition, MakesOneEmptyBlockOfZeroBytes) {
  for (const Shape& shape :
       {Shape{0}, Shape{0, 5}, Shape{5, 0}, Shape{std::int64_t{1} << 50, 0}}) {
    const Partition partition(Layout(shape));
    EXPECT_EQ(partition.cut_axes(), 0);
    EXPECT_EQ(partition.block_count(), 1);
    EXPECT_EQ(partition.Block(0), (RowBlock{0, 0, 0}));
    EXPECT_EQ(partition.blocks_per_shard(), 1);
  }
}

TEST(Partition, CountsWithoutOverflowUpTo63Bits) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t k31Bits = std::int64_t{1} << 31;
  for (const Shape& shape :
       {Shape{kMax}, Shape{std::int64_t{1} << 62}, Shape{1, kMax},
        Shape{kMax, 1}, Shape{k31Bits, k31Bits}, Shape{3, kMax / 3},
        Shape{7, 7, kMax / 49}, Shape{kMax / 49, 7, 7}}) {
    const MatrixLayout layout = Layout(shape, ElementType::kInt8);
    ExpectFollowsTheDesign(layout);
    const Partition partition(layout);
    const RowBlock last = partition.Block(partition.block_count() - 1);
    EXPECT_EQ(last.element_end(), layout.element_count());
    EXPECT_GT(last.element_count, 0);
    EXPECT_EQ(partition.Block(partition.block_count() - 2).element_end(),
              last.element_begin);
  }
}

TEST(Partition, MakesShardsOfAGibibyteAtMost) {
  EXPECT_EQ(Partition(Layout({1 << 19, 1024})).blocks_per_shard(), 64);
  EXPECT_EQ(Partition(Layout({1 << 20, 128})).blocks_per_shard(), 256);
  // 1,024 rows of 8,000 bytes are a block: 131 of them would fit, 128 are
  // taken.
  EXPECT_EQ(Partition(Layout({500'000, 1000})).blocks_per_shard(), 128);
}

TEST(Partition, FollowsTheDesignForManyShapes) {
  std::mt19937_64 random(20240229);
  const auto up_to = [&random](std::uint64_t bound) {
    return static_cast<std::int64_t>(random() % bound) + 1;
  };
  for (int round = 0; round < 3000; ++round) {
    const auto type = static_cast<ElementType>(up_to(15));
    Shape shape(static_cast<std::size_t>(up_to(5)));
    std::int64_t bytes_left = std::int64_t{1} << (10 + up_to(28));
    for (std::int64_t& length : shape) {
      length = up_to(std::uint64_t{1} << up_to(39));
      length = std::clamp<std::int64_t>(length, 1, bytes_left);
      bytes_left /= length;
    }
    std::shuffle(shape.begin(), shape.end(), random);
    const MatrixLayout layout =
        Layout(shape, type, round % 2 == 0 ? Order::kC : Order::kFortran);
    ExpectFollowsTheDesign(layout);
    if (Partition(layout).block_count() < 20'000) {
      ExpectCoversOnceInOrder(layout);
    }
  }
}

}  // namespace
}  // namespace hearth
