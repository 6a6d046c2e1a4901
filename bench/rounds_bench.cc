// quantile, median, histogram and describe on one core: passes, time beside as
// many bare reads of the matrix as there were passes, and this process's own
// memory.
//
//   rounds_bench [MiB=1024] [COLUMNS=1000]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "hearth/compute/registry.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

// This thread's processor time: others may use the cores meanwhile.
double Now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

// Sixty-four running sums: what a core can read.
double ReadAll(const std::byte* data, std::int64_t bytes) {
  typedef double Lanes __attribute__((vector_size(512)));
  Lanes sums{};
  for (std::int64_t i = 0; i + 512 <= bytes; i += 512) {
    Lanes next;
    __builtin_memcpy(&next, data + i, 512);
    sums += next;
  }
  return sums[0];
}

double PeakMebibytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word == "VmHWM:") {
      status >> word;
      return std::atof(word.c_str()) / 1024;
    }
  }
  return 0;
}

// A whole job in this thread; the number of its passes.
int RunPlan(const Plan& plan, const MatrixLayout& layout,
            const std::byte* data) {
  const Partition partition(layout);
  const std::int64_t leaf = std::int64_t{1} << plan.leaf_blocks_log2();
  Scratch scratch;
  Scratch slice;
  Bytes state;
  for (int round = 0;; ++round) {
    Bytes sum;
    Bytes partial;
    for (std::int64_t i = 0; i < partition.block_count(); ++i) {
      const RowBlock block = partition.Block(i);
      BlockView view{
          block, data + block.element_begin * BytesOf(layout.type), {}};
      if (plan.needs_whole_matrix()) {
        view.matrix = {data, static_cast<std::size_t>(layout.bytes())};
      }
      if (plan.concatenates()) {
        if (!plan.MapBlock(view, scratch,
                           slice.Get(plan.SliceOf(block).bytes + 1))
                 .ok()) {
          return -1;
        }
        continue;
      }
      if (i % leaf == 0) {
        if (i == leaf) sum = std::move(partial);
        if (i > leaf && !plan.Combine(sum, partial).ok()) return -1;
        partial = plan.Begin(state);
      }
      if (!plan.Accumulate(view, state, scratch, partial).ok()) return -1;
    }
    if (plan.concatenates()) return 1;
    if (sum.empty()) {
      sum = std::move(partial);
    } else if (!plan.Combine(sum, partial).ok()) {
      return -1;
    }
    auto outcome = plan.Finish(std::move(sum), state, round);
    if (!outcome.ok()) return -1;
    if (!outcome->next_round_state.has_value()) return round + 1;
    state = *std::move(outcome->next_round_state);
  }
}

void Run(std::int64_t bytes, std::int64_t columns) {
  std::vector<double> elements(static_cast<std::size_t>(bytes / 8));
  std::uint64_t random = 1;
  for (double& element : elements) {
    // About normal: the sum of three.
    element = -1.5;
    for (int i = 0; i < 3; ++i) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      element += static_cast<double>(random >> 11) * 0x1p-53;
    }
  }
  const auto* data = reinterpret_cast<const std::byte*>(elements.data());
  MatrixLayout layout;
  layout.shape = {bytes / 8 / columns, columns};
  volatile double sink = ReadAll(data, layout.bytes());
  const double start = Now();
  sink = sink + ReadAll(data, layout.bytes());
  const double read = Now() - start;
  const double before = PeakMebibytes();
  std::printf("%s float64, a bare read: %.2f GB/s\n",
              ToString(layout.shape).c_str(),
              1e-9 * static_cast<double>(layout.bytes()) / read);
  const struct {
    const char* operation;
    std::map<std::string, std::string> text;
  } jobs[] = {{"median", {{"axis", "0"}}},
              {"median", {}},
              {"median", {{"axis", "1"}}},
              {"quantile", {{"axis", "0"}, {"q", "0.05,0.25,0.5,0.75,0.95"}}},
              {"describe", {}},
              {"histogram", {{"bins", "100"}, {"range", "-1,1"}}},
              {"histogram", {{"bins", "100"}}}};
  for (const auto& job : jobs) {
    const Operation& operation = **FindOperation(job.operation);
    const auto plan = operation.Prepare(layout, {job.text, {}});
    const double began = Now();
    const int passes = RunPlan(**plan, layout, data);
    const double seconds = Now() - began;
    std::printf("%-10s", job.operation);
    for (const auto& [key, value] : job.text) {
      std::printf(" %s=%s", key.c_str(), value.c_str());
    }
    std::printf(
        ": %d rounds, %.2f s, %.2f GB/s a job, %.1f bare reads; "
        "at most %.0f MiB more\n",
        passes, seconds, 1e-9 * static_cast<double>(layout.bytes()) / seconds,
        seconds / read, PeakMebibytes() - before);
  }
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  hearth::Run((argc > 1 ? std::atoll(argv[1]) : 1024) * 1024 * 1024,
              argc > 2 ? std::atoll(argv[2]) : 1000);
}
