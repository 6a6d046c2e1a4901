#include "hearth/base/log.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace hearth {
namespace {

std::string& Who() {
  static std::string& who = *new std::string;
  return who;
}

}  // namespace

void StartLog(std::string who) { Who() = std::move(who); }

bool IsLogging() { return !Who().empty(); }

void Log(absl::string_view line) {
  if (!IsLogging()) return;
  std::string text =
      absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(),
                                    absl::UTCTimeZone()),
                   " hearth ", Who(), ": ", line);
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  text += '\n';
  // Where nobody reads it there is nobody to be told.
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace hearth
