// gram, cov, matmul, matvec and rmatvec on one core, each beside its limit in
// the same run: the same BLAS kernel alone, called once a row block, and a bare
// loop that reads the matrix. (cov's kernel is gram's; it centres beside it.)
// Prints a ratio a line: the median over pairs of runs, one of each kind right
// after the other.
//
//   blas_bench [MiB=512] [REPETITIONS=5] [gram|matmul|vectors [COLUMNS [TYPE]]]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/string_view.h"
#include "bench/read_all.h"
#include "hearth/compute/blas.h"
#include "hearth/compute/operations/dense.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

// Of this thread's processor time: others may use the cores meanwhile.
double Seconds(const std::function<void()>& work) {
  const auto now = [] {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) +
           1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double start = now();
  work();
  return now() - start;
}

// A whole job in this thread.
void RunPlan(const Plan& plan, const MatrixLayout& layout,
             const std::byte* data) {
  const Partition partition(layout);
  const std::int64_t leaf = std::int64_t{1} << plan.leaf_blocks_log2();
  Scratch scratch, slice;
  Bytes sum;
  Bytes partial;
  const std::int64_t step = plan.joins_blocks() ? leaf : 1;
  for (std::int64_t i = 0; i < partition.block_count(); i += step) {
    const std::int64_t end = std::min(i + step, partition.block_count());
    BlockView view{partition.Joined(i, end), nullptr, {}};
    view.data = data + view.block.element_begin * BytesOf(layout.type);
    if (plan.needs_whole_matrix()) {
      view.matrix = {data, static_cast<std::size_t>(layout.bytes())};
    }
    if (plan.concatenates()) {
      (void)plan.MapBlock(view, scratch,
                          slice.Get(plan.SliceOf(view.block).bytes));
      continue;
    }
    if (i % leaf == 0) {
      if (i == leaf) sum = std::move(partial);
      if (i > leaf) (void)plan.Combine(sum, partial);
      partial = plan.Begin({});
    }
    (void)plan.Accumulate(view, {}, scratch, partial);
  }
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2,
                   values.end());
  return values[values.size() / 2];
}

// Both by turns, so that what else the machine does meets both.
void Compare(const char* name, const MatrixLayout& layout, int repetitions,
             const std::function<void()>& ours,
             const std::function<void()>& limit) {
  std::vector<double> a, b, ratios;
  for (int i = 0; i < repetitions; ++i) {
    a.push_back(Seconds(ours));
    b.push_back(Seconds(limit));
    ratios.push_back(b.back() / a.back());
  }
  const double gigabytes = static_cast<double>(layout.bytes()) * 1e-9;
  std::printf("%-22s %9s %c  %7.2f GB/s  limit %7.2f  ratio %.3f\n", name,
              ToString(layout.shape).c_str(),
              layout.order == Order::kC ? 'C' : 'F', gigabytes / Median(a),
              gigabytes / Median(b), Median(ratios));
}

// Of all shapes and types, those that are asked for: 0 and "" mean all.
struct Asked {
  std::int64_t columns = 0;
  absl::string_view type = {};
};

// The rows of 16 MiB, as the limits take them.
int RowsAtOnce(std::int64_t columns) {
  return static_cast<int>(2 * 1024 * 1024 / columns);
}

// X^T X of all rows, added to `sum`.
void ProductsOfColumns(const Blas& blas, const MatrixLayout& layout,
                       const double* x, double* sum) {
  const int n = static_cast<int>(layout.shape[1]);
  const int rows = static_cast<int>(layout.shape[0]);
  const bool by_rows = layout.order == Order::kC;
  for (int row = 0; row < rows; row += RowsAtOnce(n)) {
    const int k = std::min(RowsAtOnce(n), rows - row);
    blas.dsyrk(by_rows ? BlasOrder::kRowMajor : BlasOrder::kColumnMajor,
               BlasTriangle::kUpper, BlasTranspose::kTranspose, n, k, 1.0,
               x + std::int64_t{row} * (by_rows ? n : 1), by_rows ? n : rows,
               1.0, sum, n);
  }
}

// X b of all rows, row-major to `product`.
void ProductOfRows(const Blas& blas, const MatrixLayout& layout,
                   const double* x, int columns, const double* b,
                   double* product) {
  const int n = static_cast<int>(layout.shape[1]);
  const int rows = static_cast<int>(layout.shape[0]);
  const bool by_rows = layout.order == Order::kC;
  for (int row = 0; row < rows; row += RowsAtOnce(n)) {
    const int m = std::min(RowsAtOnce(n), rows - row);
    blas.dgemm(BlasOrder::kRowMajor,
               by_rows ? BlasTranspose::kNone : BlasTranspose::kTranspose,
               BlasTranspose::kNone, m, columns, n, 1.0,
               x + std::int64_t{row} * (by_rows ? n : 1), by_rows ? n : rows, b,
               columns, 0.0, product, columns);
  }
}

void RunProducts(std::int64_t bytes, int repetitions, std::string_view which,
                 Asked asked, const std::vector<double>& elements) {
  const Blas& blas = **LoadBlas();
  std::printf("OpenBLAS %s, %s\n", blas.version.c_str(),
              blas.core_type.c_str());
  const auto* data = reinterpret_cast<const std::byte*>(elements.data());
  for (const std::int64_t columns : {64, 128, 256, 512, 1024, 2048}) {
    if (asked.columns != 0 && asked.columns != columns) continue;
    for (const Order order : {Order::kC, Order::kFortran}) {
      MatrixLayout layout;
      layout.order = order;
      layout.shape = {bytes / 8 / columns, columns};
      std::vector<double> sum(static_cast<std::size_t>(columns * columns));
      for (const Operation* operation : {&GramOperation(), &CovOperation()}) {
        if (which == "matmul") continue;
        const auto plan = *operation->Prepare(layout, {});
        Compare(
            operation->info().name.c_str(), layout, repetitions,
            [&] { RunPlan(*plan, layout, data); },
            [&] {
              ProductsOfColumns(blas, layout, elements.data(), sum.data());
            });
      }
      if (which == "gram") continue;
      MatrixLayout square;
      square.shape = {columns, columns};
      Arguments arguments;
      arguments.matrices["b"] = {
          square, {data, static_cast<std::size_t>(square.bytes())}};
      const auto plan = *MatmulOperation().Prepare(layout, arguments);
      std::vector<double> product(
          static_cast<std::size_t>(RowsAtOnce(columns) * columns));
      Compare(
          "matmul", layout, repetitions, [&] { RunPlan(*plan, layout, data); },
          [&] {
            ProductOfRows(blas, layout, elements.data(),
                          static_cast<int>(columns), elements.data(),
                          product.data());
          });
    }
  }
}

void RunVectors(std::int64_t bytes, int repetitions, Asked asked,
                const std::vector<double>& elements) {
  const auto* data = reinterpret_cast<const std::byte*>(elements.data());
  volatile long sink = 0;
  for (const ElementType type :
       {ElementType::kFloat64, ElementType::kFloat32}) {
    if (!asked.type.empty() && asked.type != NameOf(type)) continue;
    for (const std::int64_t columns : {16, 64, 128, 512, 1024, 2048, 65536}) {
      if (asked.columns != 0 && asked.columns != columns) continue;
      for (const Order order : {Order::kC, Order::kFortran}) {
        MatrixLayout layout;
        layout.type = type;
        layout.order = order;
        layout.shape = {bytes / BytesOf(type) / columns, columns};
        for (const Operation* operation :
             {&MatvecOperation(), &RmatvecOperation()}) {
          MatrixLayout vector;
          vector.type = type;
          vector.shape = {
              layout.shape[operation == &MatvecOperation() ? 1 : 0]};
          const std::vector<std::byte> v(
              static_cast<std::size_t>(vector.bytes()), std::byte{0x3d});
          Arguments arguments;
          arguments.matrices["v"] = {vector, v};
          const auto plan = *operation->Prepare(layout, arguments);
          Compare((operation->info().name + " " + std::string(NameOf(type)))
                      .c_str(),
                  layout, repetitions, [&] { RunPlan(*plan, layout, data); },
                  [&] { sink = sink + ReadAll(data, layout.bytes()); });
        }
      }
    }
  }
}

void Run(std::int64_t bytes, int repetitions, std::string_view which,
         Asked asked) {
  std::vector<double> elements(static_cast<std::size_t>(bytes / 8));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    elements[i] = static_cast<double>(i * 2654435761u % 1000003) * 1e-6 - 0.5;
  }
  if (which != "vectors") {
    RunProducts(bytes, repetitions, which, asked, elements);
  }
  if (which.empty() || which == "vectors") {
    RunVectors(bytes, repetitions, asked, elements);
  }
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  hearth::PrepareBlasEnvironment();
  hearth::Run((argc > 1 ? std::atoll(argv[1]) : 512) * 1024 * 1024,
              argc > 2 ? std::atoi(argv[2]) : 5, argc > 3 ? argv[3] : "",
              {.columns = argc > 4 ? std::atoll(argv[4]) : 0,
               .type = argc > 5 ? argv[5] : ""});
}
