#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/doctor/check.h"
#include "hearth/compute/blas.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/shm/page_size.h"

namespace hearth::client {

// What matters to Hearth of a machine. Kind: value.
struct MachineFacts {
  std::string kernel_release;  // of uname: "6.1.0-13-amd64"
  bool has_pidfd = false;
  // An errno of the step of sharing memory that the machine refused, and what
  // it was; 0: none.
  int sharing_error = 0;
  std::string sharing_step;
  TightestLimit memory;
  HugePages huge_pages = HugePages::kNever;
  std::uint64_t open_files_max = 0;  // the hard limit
  int cores = 0;
  ProcessorFeatures processor;
  std::string blas;  // version and core type; empty where it can't be loaded
};

// Makes one page of shared memory, seals it and opens it again, and lets it go.
// Loads OpenBLAS, for which it changes the environment: no other thread runs.
MachineFacts ReadMachine();

// Pure. In a fixed order, one of each.
std::vector<Check> Judge(const MachineFacts& facts);

}  // namespace hearth::client
