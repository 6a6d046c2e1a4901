#include "client/cli/output/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/output/table.h"
#include "client/cli/output/units.h"

namespace hearth::client {
namespace {

constexpr int kBarMin = 10;
constexpr int kBarMax = 30;

double ShareDone(const Progress& progress) {
  if (progress.blocks_total <= 0) return 0;
  return std::clamp(static_cast<double>(progress.blocks_done) /
                        static_cast<double>(progress.blocks_total),
                    0.0, 1.0);
}

std::string Bar(double share, int width) {
  const int inside = width - 2;
  const int full = static_cast<int>(share * inside);
  std::string bar(static_cast<std::size_t>(full), '=');
  if (full < inside) bar += '>';
  bar.resize(static_cast<std::size_t>(inside), ' ');
  return absl::StrCat("[", bar, "]");
}

}  // namespace

std::optional<absl::Duration> TimeLeft(const Progress& progress) {
  const double share = ShareDone(progress);
  if (share <= 0 || progress.elapsed <= absl::ZeroDuration()) {
    return std::nullopt;
  }
  return progress.elapsed * ((1 - share) / share);
}

std::string ProgressLine(const Progress& progress, int width) {
  const double share = ShareDone(progress);
  const auto bytes = static_cast<std::int64_t>(
      share * static_cast<double>(progress.matrix_bytes));
  std::string tail =
      absl::StrFormat(" %3.0f %%  %d/%d  %s  %s", share * 100,
                      progress.blocks_done, progress.blocks_total,
                      HumanBytes(bytes), HumanRate(bytes, progress.elapsed));
  if (const auto left = TimeLeft(progress); left.has_value()) {
    absl::StrAppend(&tail, "  ", HumanDuration(*left), " left");
  }
  const int room = width - DisplayWidth(tail) - 2;
  const int what = DisplayWidth(progress.what);
  const int bar = std::clamp(room - what, kBarMin, kBarMax);
  return Shortened(
      absl::StrCat(Shortened(progress.what, std::max(1, room - bar)), "  ",
                   Bar(share, bar), tail),
      width);
}

}  // namespace hearth::client
