#include "client/doctor/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/memfd.h"
#include "hearth/base/pidfd.h"
#include "hearth/base/units.h"

namespace hearth::client {
namespace {

constexpr std::int64_t kLittleMemory = std::int64_t{1} << 30;
constexpr std::uint64_t kFewOpenFiles = 4096;

// Pages can be touched many at a time from here on: MADV_POPULATE_WRITE.
constexpr std::pair<int, int> kPopulates = {5, 14};

// The first step of sharing that fails, as every shared matrix takes them.
void TrySharing(MachineFacts& facts) {
  const auto failed = [&](const char* step) {
    facts.sharing_error = errno;
    facts.sharing_step = step;
  };
  const UniqueFd memory = NewMemfd("hearth-doctor");
  if (!memory.valid()) return failed("memfd_create");
  if (ftruncate(memory.get(), PageBytes()) != 0) return failed("ftruncate");
  if (fcntl(memory.get(), F_ADD_SEALS,
            F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    return failed("F_ADD_SEALS");
  }
  const UniqueFd again = OpenAgain(memory.get(), O_RDONLY);
  if (!again.valid()) return failed("open of /proc/self/fd");
  void* mapped = mmap(nullptr, static_cast<std::size_t>(PageBytes()), PROT_READ,
                      MAP_SHARED, again.get(), 0);
  if (mapped == MAP_FAILED) return failed("mmap");
  munmap(mapped, static_cast<std::size_t>(PageBytes()));
}

Check KernelOf(const MachineFacts& facts) {
  Check check{.name = "kernel", .found = "Linux " + facts.kernel_release};
  int major = 0;
  int minor = 0;
  std::sscanf(facts.kernel_release.c_str(), "%d.%d", &major, &minor);
  if (!facts.has_pidfd) {
    check.state = CheckState::kFail;
    check.found += ", without pidfd_open";
    check.advice =
        "use Linux 5.3 or later, or allow pidfd_open where a sandbox forbids "
        "it: keepers watch processes by it";
  } else if (std::pair(major, minor) < kPopulates) {
    check.state = CheckState::kWarn;
    check.advice =
        "Linux 5.14 or later fills matrices faster: it touches many pages at "
        "a time";
  }
  return check;
}

Check SharingOf(const MachineFacts& facts) {
  Check check{.name = "sharing",
              .found = "memory is shared, sealed and mapped"};
  if (facts.sharing_error == 0) return check;
  check.state = CheckState::kFail;
  check.found = absl::StrCat(facts.sharing_step,
                             " failed: ", std::strerror(facts.sharing_error));
  check.advice =
      "allow memfd_create and /proc to this process (its container or sandbox "
      "may forbid them); matrices in memory need both";
  return check;
}

Check MemoryOf(const MachineFacts& facts) {
  const TightestLimit& memory = facts.memory;
  Check check{.name = "memory",
              .found = absl::StrCat(FormatBytes(memory.free_bytes), " of ",
                                    FormatBytes(memory.limit_bytes),
                                    " may be touched (", memory.source, ")")};
  if (memory.free_bytes < kLittleMemory) {
    check.state = CheckState::kWarn;
    check.advice =
        "matrices in memory need room: end what holds it, raise the limit, or "
        "leave the matrix in its file, which is read by windows";
  }
  return check;
}

Check HugePagesOf(const MachineFacts& facts) {
  Check check{.name = "huge-pages", .found = "granted where they are advised"};
  if (facts.huge_pages == HugePages::kEverywhere) check.found = "granted";
  if (facts.huge_pages == HugePages::kNever) {
    check.state = CheckState::kWarn;
    check.found = "refused for shared memory (shmem_enabled)";
    check.advice =
        "as root: echo advise > /sys/kernel/mm/transparent_hugepage/"
        "shmem_enabled; page tables shrink from 0.2 % of each mapping to next "
        "to nothing";
  }
  return check;
}

Check OpenFilesOf(const MachineFacts& facts) {
  Check check{
      .name = "open-files",
      .found = absl::StrCat("up to ", facts.open_files_max, " a process")};
  if (facts.open_files_max < kFewOpenFiles) {
    check.state = CheckState::kWarn;
    check.advice =
        "raise the hard limit (ulimit -Hn, or LimitNOFILE of systemd): a "
        "matrix, a connection and a watched process take one each";
  }
  return check;
}

Check ProcessorOf(const MachineFacts& facts) {
  const char* vectors = facts.processor.avx512_fdq_bwvlcd ? "AVX-512"
                        : facts.processor.avx2 && facts.processor.fma ? "AVX2"
                                                                      : "";
  Check check{
      .name = "processor",
      .found = absl::StrCat(facts.cores, facts.cores == 1 ? " core" : " cores",
                            *vectors == '\0' ? "" : ", ", vectors)};
  if (*vectors == '\0') {
    check.state = CheckState::kWarn;
    check.found += ", neither AVX2 nor AVX-512";
    check.advice =
        "operations run on it, at a fraction of the speed; a virtual machine "
        "may have to pass its host's processor on";
  }
  return check;
}

Check BlasOf(const MachineFacts& facts) {
  Check check{.name = "blas", .found = facts.blas};
  if (facts.blas.empty()) {
    check.state = CheckState::kFail;
    check.found = "OpenBLAS can't be loaded";
    check.advice =
        "install it (apt install libopenblas0-pthread): matvec, matmul, gram "
        "and their like need it";
  }
  return check;
}

}  // namespace

MachineFacts ReadMachine() {
  MachineFacts facts;
  utsname system{};
  uname(&system);
  facts.kernel_release = system.release;
  facts.has_pidfd = OpenPidfd(getpid()).valid();
  TrySharing(facts);
  facts.memory = MemoryLimits().Tightest();
  facts.huge_pages = ShmemHugePages();
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  facts.open_files_max = files.rlim_max;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof(allowed), &allowed);
  facts.cores = CPU_COUNT(&allowed);
  facts.processor = ThisProcessor();
  PrepareBlasEnvironment();
  if (const auto blas = LoadBlas(); blas.ok()) {
    facts.blas = absl::StrCat("OpenBLAS ", (*blas)->version, ", ",
                              (*blas)->core_type, " kernels");
  }
  return facts;
}

std::vector<Check> Judge(const MachineFacts& facts) {
  return {KernelOf(facts),    SharingOf(facts),   MemoryOf(facts),
          HugePagesOf(facts), OpenFilesOf(facts), ProcessorOf(facts),
          BlasOf(facts)};
}

}  // namespace hearth::client
