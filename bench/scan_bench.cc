// Scans of a matrix in memory on one core, beside the same core's bare read
// loop: GB/s and the ratio, each the best of several turns taken in rotation.
//
// scan_bench [MIB] [OPERATION[:DTYPE[:AXIS[:ORDER]]] ...]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "bench/read_all.h"
#include "hearth/compute/registry.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

// Of this thread's work: a busy neighbour takes time from the wall clock alone.
double Seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

volatile long sink;

// One pass over all leaves, as a task does them.
void RunOnce(const Plan& plan, const MatrixLayout& layout,
             const std::byte* data, Scratch& scratch, Scratch& out) {
  const Partition partition(layout);
  std::span<const std::byte> whole;
  if (plan.needs_whole_matrix()) {
    whole = {data, static_cast<std::size_t>(layout.bytes())};
  }
  Bytes partial = plan.concatenates() ? Bytes() : plan.Begin({});
  for (std::int64_t i = 0; i < partition.block_count(); ++i) {
    const RowBlock block = partition.Block(i);
    const BlockView view{
        block, data + block.element_begin * BytesOf(layout.type), whole};
    const absl::Status status =
        plan.concatenates()
            ? plan.MapBlock(view, scratch, out.Get(plan.SliceOf(block).bytes))
            : plan.Accumulate(view, {}, scratch, partial);
    if (!status.ok()) std::abort();
  }
}

struct Row {
  std::string name;
  MatrixLayout layout;
  std::unique_ptr<Plan> plan;
  double best = 1e9;
};

void AddRow(std::vector<Row>& rows, const std::string& text,
            std::int64_t bytes) {
  const std::vector<std::string> words = absl::StrSplit(text, ':');
  const std::string dtype = words.size() > 1 ? words[1] : "float64";
  const std::string axis = words.size() > 2 ? words[2] : "none";
  const bool fortran = words.size() > 3 && words[3] == "F";
  std::int64_t columns = 128;
  if (words.size() > 4 && !absl::SimpleAtoi(words[4], &columns)) std::abort();
  Row row;
  row.name = text;
  row.layout.type = ParseElementType(dtype)->type;
  row.layout.order = fortran ? Order::kFortran : Order::kC;
  row.layout.shape = {bytes / (columns * BytesOf(row.layout.type)), columns};
  auto plan =
      (*FindOperation(words[0]))
          ->Prepare(row.layout, {.text = {{"axis", axis}}, .matrices = {}});
  if (!plan.ok()) {
    std::printf("%s: %s\n", text.c_str(),
                std::string(plan.status().message()).c_str());
    return;
  }
  row.plan = *std::move(plan);
  rows.push_back(std::move(row));
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  using namespace hearth;
  std::int64_t mib = 512;
  if (argc > 1 && !absl::SimpleAtoi(argv[1], &mib)) return 2;
  const std::int64_t bytes = mib << 20;
  // At a page, as a mapped segment is.
  auto* const memory = static_cast<std::byte*>(
      std::aligned_alloc(4096, static_cast<std::size_t>(bytes)));
  // Small numbers in every type: each byte pattern is a tame float.
  for (std::int64_t i = 0; i < bytes; i += 2) {
    memory[i] = static_cast<std::byte>(i * 37 % 251);
    memory[i + 1] = static_cast<std::byte>(0x3c + i % 3);
  }
  std::vector<Row> rows;
  if (argc > 2) {
    for (int i = 2; i < argc; ++i) AddRow(rows, argv[i], bytes);
  } else {
    for (const Operation* operation : AllOperations()) {
      for (const char* dtype : {"float64", "float32", "int32"}) {
        for (const char* axis : {"none", "0", "1"}) {
          AddRow(rows, operation->info().name + ":" + dtype + ":" + axis,
                 bytes);
        }
      }
    }
  }
  double read = 1e9;
  Scratch scratch;
  Scratch out;
  for (int turn = 0; turn < 7; ++turn) {
    const auto time = [](auto&& work, double& best) {
      const double start = Seconds();
      work();
      best = std::min(best, Seconds() - start);
    };
    for (Row& row : rows) {
      time([&] { RunOnce(*row.plan, row.layout, memory, scratch, out); },
           row.best);
      time([&] { sink = ReadAll(memory, bytes); }, read);
    }
  }
  const double size = static_cast<double>(bytes) / 1e9;
  std::printf("%-32s %7.2f GB/s\n", "bare read loop", size / read);
  for (const Row& row : rows) {
    std::printf("%-32s %7.2f GB/s  %5.2f\n", row.name.c_str(), size / row.best,
                read / row.best);
  }
  std::free(memory);
}
