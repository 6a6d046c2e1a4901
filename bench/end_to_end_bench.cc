// Jobs of a local cluster, from the submission accepted to the result complete,
// beside as many bare threads as it has, which read the same mapped bytes. In
// turn, medians. All cores, the whole path: what a user waits for.
//
//   HEARTH_BINARY=... end_to_end_bench [MIB] [ROUNDS] [WORKERS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "bench/read_all.h"
#include "client/hearth.h"

namespace hearth {
namespace {

constexpr std::int64_t kColumns = 1024;

struct Case {
  const char* operation;
  const char* axis;
  double aim;
};
constexpr Case kCases[] = {
    {"sum", "none", 0.9},  {"sum", "0", 0.9},  {"sum", "1", 0.85},
    {"mean", "none", 0.9}, {"mean", "0", 0.9}, {"min", "none", 0.9},
    {"max", "0", 0.9},     {"var", "0", 0.65}, {"std", "none", 0.65}};

template <class T>
T OrDie(absl::StatusOr<T> what) {
  if (what.ok()) return *std::move(what);
  std::fprintf(stderr, "%s\n", std::string(what.status().message()).c_str());
  std::exit(1);
}

volatile long sink;

// Each thread a part, as large as the next.
double ReadBare(std::span<const std::byte> bytes, int threads) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> readers;
  const std::size_t part = bytes.size() / static_cast<std::size_t>(threads);
  for (int i = 0; i < threads; ++i) {
    readers.emplace_back([=] {
      sink = ReadAll(bytes.data() + static_cast<std::size_t>(i) * part,
                     static_cast<std::int64_t>(part));
    });
  }
  for (std::thread& reader : readers) reader.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Run(std::int64_t mib, int rounds, int workers) {
  const Cluster cluster = OrDie(Cluster::Local({.workers = workers}));
  std::printf("%d workers, %lld MiB, medians of %d\n", workers,
              static_cast<long long>(mib), rounds);
  std::printf("%-8s %-8s %-5s %10s %10s %7s %6s\n", "dtype", "", "axis",
              "bare GB/s", "GB/s", "ratio", "aim");
  for (const ElementType type :
       {ElementType::kFloat64, ElementType::kFloat32, ElementType::kInt32}) {
    const std::int64_t rows = (mib << 20) / (kColumns * BytesOf(type));
    const MatrixLayout layout = OrDie(MatrixLayout::Make(
        type, ByteOrder::kNative, Order::kC, {rows, kColumns}));
    OrDie(cluster.Make("m", layout, 1));
    const Matrix here = OrDie(cluster.Get("m"));
    const auto gb = static_cast<double>(layout.bytes()) / 1e9;
    for (const Case& one : kCases) {
      std::vector<double> bare, ours, ratios;
      for (int round = -1; round < rounds; ++round) {
        const double limit = ReadBare(here.bytes(), workers);
        const JobResult result = OrDie(cluster.Run(
            one.operation, {.matrix = "m", .arguments = {{"axis", one.axis}}}));
        if (round < 0) continue;  // both warm
        bare.push_back(gb / limit);
        ours.push_back(gb / result.statistics.seconds);
        ratios.push_back(limit / result.statistics.seconds);
      }
      std::printf("%-8s %-8s %-5s %10.1f %10.1f %7.2f %6.2f\n",
                  std::string(NameOf(type)).c_str(), one.operation, one.axis,
                  Median(bare), Median(ours), Median(ratios), one.aim);
      std::fflush(stdout);
    }
    if (!cluster.Remove("m").ok()) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return hearth::Run(argc > 1 ? std::atoll(argv[1]) : 2048,
                     argc > 2 ? std::atoi(argv[2]) : 7,
                     argc > 3 ? std::atoi(argv[3]) : cores);
}
