// OpenBLAS, loaded when the first dense operation wants it.
//
// Not linked, for two reasons. A worker that never multiplies stays small and
// starts fast. And OpenBLAS 0.3.21 does not know newer processors: it reads
// OPENBLAS_CORETYPE while it loads, so a program that links it can't help it
// any more (LIMITS 5: 2 to 5 times slower), one that loads it can.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

// CBLAS' numbers, as cblas.h has them.
enum class BlasOrder : int { kRowMajor = 101, kColumnMajor = 102 };
enum class BlasTranspose : int {
  kNone = 111,
  kTranspose = 112,
  kConjugate = 113
};
enum class BlasTriangle : int { kUpper = 121, kLower = 122 };

// The functions we use, each as cblas.h declares it (complex numbers by
// pointer), and what a job records: results of other core types differ in their
// last bits.
//
// Kind:    value of borrowed function pointers, valid for the whole process.
// Threads: any; each call runs on the caller's thread alone.
struct Blas {
  void (*dgemm)(BlasOrder, BlasTranspose, BlasTranspose, int m, int n, int k,
                double alpha, const double* a, int lda, const double* b,
                int ldb, double beta, double* c, int ldc) = nullptr;
  void (*zgemm)(BlasOrder, BlasTranspose, BlasTranspose, int m, int n, int k,
                const void* alpha, const void* a, int lda, const void* b,
                int ldb, const void* beta, void* c, int ldc) = nullptr;
  void (*dsyrk)(BlasOrder, BlasTriangle, BlasTranspose, int n, int k,
                double alpha, const double* a, int lda, double beta, double* c,
                int ldc) = nullptr;
  void (*zherk)(BlasOrder, BlasTriangle, BlasTranspose, int n, int k,
                double alpha, const void* a, int lda, double beta, void* c,
                int ldc) = nullptr;
  std::string version;    // "0.3.21"
  std::string core_type;  // "SkylakeX"
};

// What the choice of kernels depends on; false where the kernel (of the
// operating system) does not save the registers.
struct ProcessorFeatures {
  bool avx2 = false;
  bool fma = false;
  bool avx512_fdq_bwvlcd = false;  // F, DQ, BW, VL and CD, all of them
};
ProcessorFeatures ThisProcessor();

// The core type to tell OpenBLAS, or nothing: the user has told it one already
// (`told`, the value of OPENBLAS_CORETYPE), or the processor has neither.
std::optional<absl::string_view> ChooseCoreType(
    const ProcessorFeatures& processor, std::optional<absl::string_view> told);

// Sets OPENBLAS_CORETYPE and OPENBLAS_NUM_THREADS=1 for LoadBlas(). To be
// called by main before it starts a thread, since it changes the environment.
void PrepareBlasEnvironment();

// OpenBLAS with one thread: loaded by the first call, the same object ever
// after. INTERNAL naming the package to install where it is missing.
absl::StatusOr<const Blas*> LoadBlas();

}  // namespace hearth
