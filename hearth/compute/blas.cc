#include "hearth/compute/blas.h"

#include <dlfcn.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

constexpr char kLibrary[] = "libopenblas.so.0";
constexpr char kCoreTypeVariable[] = "OPENBLAS_CORETYPE";

template <class Function>
absl::Status Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function != nullptr) return absl::OkStatus();
  return Error(Reason::kInternal,
               absl::StrCat("load ", kLibrary, ": it has no ", name,
                            "; install libopenblas0-pthread"));
}

// "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." -> "0.3.21"
std::string VersionIn(absl::string_view config) {
  for (absl::string_view word : absl::StrSplit(config, ' ')) {
    if (!word.empty() && word[0] >= '0' && word[0] <= '9') {
      return std::string(word);
    }
  }
  return std::string(config);
}

absl::StatusOr<Blas> Load() {
  // Never closed: its functions are called until the process ends.
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Error(Reason::kInternal,
                 absl::StrCat("load ", kLibrary, ": ", dlerror(),
                              "; install libopenblas0-pthread"));
  }
  Blas blas;
  HEARTH_RETURN_IF_ERROR(Find(library, "cblas_dgemm", blas.dgemm));
  HEARTH_RETURN_IF_ERROR(Find(library, "cblas_zgemm", blas.zgemm));
  HEARTH_RETURN_IF_ERROR(Find(library, "cblas_dsyrk", blas.dsyrk));
  HEARTH_RETURN_IF_ERROR(Find(library, "cblas_zherk", blas.zherk));

  void (*set_thread_count)(int) = nullptr;
  char* (*core_name)() = nullptr;
  char* (*config)() = nullptr;
  HEARTH_RETURN_IF_ERROR(
      Find(library, "openblas_set_num_threads", set_thread_count));
  HEARTH_RETURN_IF_ERROR(Find(library, "openblas_get_corename", core_name));
  HEARTH_RETURN_IF_ERROR(Find(library, "openblas_get_config", config));
  // More threads would change the bits, and ours fill the cores already.
  set_thread_count(1);
  blas.core_type = core_name();
  blas.version = VersionIn(config());
  return blas;
}

}  // namespace

ProcessorFeatures ThisProcessor() {
  __builtin_cpu_init();
  return {.avx2 = __builtin_cpu_supports("avx2") != 0,
          .fma = __builtin_cpu_supports("fma") != 0,
          .avx512_fdq_bwvlcd = __builtin_cpu_supports("avx512f") != 0 &&
                               __builtin_cpu_supports("avx512dq") != 0 &&
                               __builtin_cpu_supports("avx512bw") != 0 &&
                               __builtin_cpu_supports("avx512vl") != 0 &&
                               __builtin_cpu_supports("avx512cd") != 0};
}

std::optional<absl::string_view> ChooseCoreType(
    const ProcessorFeatures& processor, std::optional<absl::string_view> told) {
  if (told.has_value() && !told->empty()) return std::nullopt;
  if (processor.avx512_fdq_bwvlcd) return "SkylakeX";
  if (processor.avx2 && processor.fma) return "Haswell";
  return std::nullopt;
}

void PrepareBlasEnvironment() {
  const char* told = std::getenv(kCoreTypeVariable);
  const auto choice = ChooseCoreType(
      ThisProcessor(),
      told == nullptr ? std::nullopt : std::optional<absl::string_view>(told));
  if (choice.has_value()) {
    setenv(kCoreTypeVariable, std::string(*choice).c_str(), 1);
  }
  // It would start a thread a core while it loads, and keep them.
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
}

absl::StatusOr<const Blas*> LoadBlas() {
  static const absl::StatusOr<Blas> blas = Load();
  if (!blas.ok()) return blas.status();
  return &*blas;
}

}  // namespace hearth
