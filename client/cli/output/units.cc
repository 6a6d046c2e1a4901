#include "client/cli/output/units.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace hearth::client {
namespace {

template <std::size_t n>
std::string Scaled(double value, double step,
                   const std::array<absl::string_view, n>& units) {
  std::size_t i = 0;
  // 1023.96 would be printed as 1024.0: the next unit reads better.
  while (i + 1 < n && value >= step - 0.05) {
    value /= step;
    ++i;
  }
  return absl::StrFormat("%.1f %s", value, units[i]);
}

}  // namespace

std::string HumanBytes(std::int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  return Scaled<6>(static_cast<double>(bytes) / 1024, 1024,
                   {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"});
}

std::string HumanCount(std::int64_t count) {
  std::string digits = absl::StrCat(count);
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3; i -= 3) {
    digits.insert(i - 3, 1, ',');
  }
  return digits;
}

std::string HumanRate(std::int64_t bytes, absl::Duration time) {
  const double seconds = absl::ToDoubleSeconds(time);
  if (bytes <= 0 || seconds <= 0) return "-";
  return Scaled<5>(static_cast<double>(bytes) / seconds, 1000,
                   {"B/s", "kB/s", "MB/s", "GB/s", "TB/s"});
}

std::string HumanDuration(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  if (seconds < 0.9995e-3) return absl::StrFormat("%.0f us", seconds * 1e6);
  if (seconds < 0.99995) return absl::StrFormat("%.1f ms", seconds * 1e3);
  if (seconds < 59.995) return absl::StrFormat("%.2f s", seconds);
  const std::int64_t whole =
      absl::ToInt64Seconds(duration + absl::Seconds(0.5));
  if (whole < 3600) {
    return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  }
  return absl::StrFormat("%d h %02d min", whole / 3600, whole / 60 % 60);
}

}  // namespace hearth::client
