// Reading a file larger than the memory: WindowReader against bare loops.
//
//   window_bench FILE [threads=2] [rounds=3] [GiB=all]
//
// Each round runs every way once over the same bytes, each thread its own part,
// summing float64 from what it read. Prints a line a way: the median GB/s, its
// ratio to the best bare loop, and by how much the host's page cache and this
// process's own memory grew at most.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "hearth/base/unique_fd.h"
#include "hearth/shm/process_memory.h"
#include "hearth/shm/window_reader.h"

namespace hearth {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

std::atomic<double> sink = 0;

// 32 lanes, so that the compiler makes vectors of it and memory is the limit.
void Sum(std::span<const std::byte> bytes) {
  double lanes[32] = {};
  double values[32];
  for (std::size_t i = 0; i + sizeof(values) <= bytes.size();
       i += sizeof(values)) {
    std::memcpy(values, bytes.data() + i, sizeof(values));
    for (int k = 0; k < 32; ++k) lanes[k] += values[k];
  }
  sink = lanes[0];
}

struct Range {
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
};

// The kernel's read-ahead follows one reader of each.
UniqueFd OwnDescriptor(const FileSource& file) {
  return UniqueFd(open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
}

void BarePread(const FileSource& file, Range range) {
  constexpr std::int64_t kWindow = 8 * kMiB;
  const UniqueFd fd = OwnDescriptor(file);
  const std::unique_ptr<std::byte, void (*)(void*)> buffer(
      static_cast<std::byte*>(std::aligned_alloc(4096, kWindow)), std::free);
  for (std::int64_t at = range.offset; at < range.offset + range.bytes;) {
    const auto wanted = static_cast<std::size_t>(
        std::min(kWindow, range.offset + range.bytes - at));
    const ssize_t got = pread(fd.get(), buffer.get(), wanted, at);
    if (got <= 0) std::abort();
    Sum({buffer.get(), static_cast<std::size_t>(got)});
    posix_fadvise(fd.get(), at, got, POSIX_FADV_DONTNEED);
    at += got;
  }
}

void BareMmap(const FileSource& file, Range range) {
  constexpr std::int64_t kWindow = 64 * kMiB;
  const UniqueFd fd = OwnDescriptor(file);
  for (std::int64_t at = range.offset; at < range.offset + range.bytes;) {
    const std::int64_t bytes =
        std::min(kWindow, range.offset + range.bytes - at);
    const auto length = static_cast<std::size_t>(bytes);
    void* const mapped =
        mmap(nullptr, length, PROT_READ, MAP_SHARED, fd.get(), at);
    if (mapped == MAP_FAILED) std::abort();
    madvise(mapped, length, MADV_SEQUENTIAL);
    Sum({static_cast<const std::byte*>(mapped), length});
    madvise(mapped, length, MADV_DONTNEED);
    munmap(mapped, length);
    posix_fadvise(fd.get(), at, bytes, POSIX_FADV_DONTNEED);
    at += bytes;
  }
}

void BarePopulated(const FileSource& file, Range range) {
  constexpr std::int64_t kWindow = 16 * kMiB;
  const UniqueFd fd = OwnDescriptor(file);
  for (std::int64_t at = range.offset; at < range.offset + range.bytes;) {
    const std::int64_t bytes =
        std::min(kWindow, range.offset + range.bytes - at);
    const auto length = static_cast<std::size_t>(bytes);
    void* const mapped = mmap(nullptr, length, PROT_READ,
                              MAP_SHARED | MAP_POPULATE, fd.get(), at);
    if (mapped == MAP_FAILED) std::abort();
    Sum({static_cast<const std::byte*>(mapped), length});
    munmap(mapped, length);
    posix_fadvise(fd.get(), at, bytes, POSIX_FADV_DONTNEED);
    at += bytes;
  }
}

void Windows(const FileSource& file, Range range, std::int64_t block,
             WindowAccess access) {
  WindowReader reader(file, range.offset, range.bytes, access);
  while (reader.bytes_left() > 0) {
    const auto window = reader.Next(block);
    if (!window.ok()) {
      std::fprintf(stderr, "%s\n", window.status().ToString().c_str());
      std::abort();
    }
    Sum(*window);
  }
}

struct Way {
  std::string name;
  bool bare = false;
  std::function<void(const FileSource&, Range)> read;
  std::vector<double> rates = {};
  std::int64_t cached_bytes_max = 0;
  std::int64_t own_bytes_max = 0;

  double median() {
    std::sort(rates.begin(), rates.end());
    return rates[rates.size() / 2];
  }
};

void RunOnce(Way& way, const FileSource& file, std::int64_t bytes,
             int threads) {
  // From the disk, every time.
  fsync(file.fd());
  posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  const std::int64_t cached_before = ReadHostMemory().cached_bytes;
  const std::int64_t own_before = MemoryOf(getpid())->own_bytes;
  std::atomic<int> left = threads;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> workers;
  const std::int64_t part = bytes / threads / 4096 * 4096;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&, i] {
      way.read(file, {i * part, part});
      --left;
    });
  }
  while (left > 0) {  // a look at the memory now and then, not a wait
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    way.cached_bytes_max = std::max(
        way.cached_bytes_max, ReadHostMemory().cached_bytes - cached_before);
    way.own_bytes_max =
        std::max(way.own_bytes_max, MemoryOf(getpid())->own_bytes - own_before);
  }
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  way.rates.push_back(static_cast<double>(part * threads) / took.count() / 1e9);
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: window_bench FILE [threads] [rounds] [GiB]\n");
    return 2;
  }
  const auto file = FileSource::Open(argv[1]);
  if (!file.ok()) {
    std::fprintf(stderr, "%s\n", file.status().ToString().c_str());
    return 1;
  }
  const int threads = argc > 2 ? std::atoi(argv[2]) : 2;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
  std::int64_t bytes = file->identity().bytes;
  if (argc > 4)
    bytes = std::min<std::int64_t>(bytes, std::atoll(argv[4]) * 1024 * kMiB);

  std::vector<Way> ways;
  ways.push_back({"bare pread, 8 MiB", true, BarePread});
  ways.push_back({"bare mmap, 64 MiB, sequential", true, BareMmap});
  ways.push_back({"bare mmap, 16 MiB, populated", true, BarePopulated});
  for (const WindowAccess access :
       {WindowAccess::kMapped, WindowAccess::kCopied}) {
    for (const std::int64_t block : {1, 4, 16}) {
      const std::string kind =
          access == WindowAccess::kMapped ? "mapped" : "copied";
      ways.push_back(
          {"WindowReader, " + kind + ", " + std::to_string(block) + " MiB",
           false, [block, access](const FileSource& from, Range range) {
             Windows(from, range, block * kMiB, access);
           }});
    }
  }
  for (int round = 0; round < rounds; ++round) {
    for (Way& way : ways) RunOnce(way, *file, bytes, threads);
  }
  double best_bare = 0;
  for (Way& way : ways) {
    if (way.bare) best_bare = std::max(best_bare, way.median());
  }
  std::printf("%-29s %8s %7s %12s %9s\n", "way", "GB/s", "ratio", "cache MiB",
              "own MiB");
  for (Way& way : ways) {
    std::printf("%-29s %8.2f %7.2f %12ld %9ld\n", way.name.c_str(),
                way.median(), way.median() / best_bare,
                static_cast<long>(way.cached_bytes_max / kMiB),
                static_cast<long>(way.own_bytes_max / kMiB));
  }
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) { return hearth::Main(argc, argv); }
