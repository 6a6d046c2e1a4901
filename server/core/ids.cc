#include "server/core/ids.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hearth::server {
namespace {

std::optional<std::uint64_t> ParseNumber(absl::string_view text, char letter) {
  if (text.size() < 2 || text[0] != letter) return std::nullopt;
  for (const char digit : text.substr(1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
  }
  std::uint64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(1), &number)) return std::nullopt;
  return number;
}

}  // namespace

std::string ToString(WorkerId id) { return absl::StrCat("w", NumberOf(id)); }
std::string ToString(JobId id) { return absl::StrCat("j", NumberOf(id)); }

std::optional<WorkerId> ParseWorkerId(absl::string_view text) {
  const auto number = ParseNumber(text, 'w');
  if (!number.has_value()) return std::nullopt;
  return WorkerId{*number};
}

std::optional<JobId> ParseJobId(absl::string_view text) {
  const auto number = ParseNumber(text, 'j');
  if (!number.has_value()) return std::nullopt;
  return JobId{*number};
}

}  // namespace hearth::server
