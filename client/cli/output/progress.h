#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace hearth::client {

// How far a job is, as its coordinator last said.
struct Progress {
  std::string what = {};  // "sum big.npy"
  std::int64_t blocks_done = 0;
  std::int64_t blocks_total = 0;  // of this pass; 0: not known yet
  std::int64_t matrix_bytes = 0;
  absl::Duration elapsed = absl::ZeroDuration();
};

// How long the rest takes at the rate so far; nothing before there is a rate.
std::optional<absl::Duration> TimeLeft(const Progress& progress);

// One line without a newline, at most `width` columns: what, bar, share,
// blocks, bytes, rate, time left. The bar shrinks first, then `what`.
std::string ProgressLine(const Progress& progress, int width = 80);

}  // namespace hearth::client
