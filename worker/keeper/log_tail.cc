#include "worker/keeper/log_tail.h"

#include <utility>

#include "hearth/base/limits.h"

namespace hearth::worker {

void LogTail::Append(absl::string_view bytes) {
  for (const char byte : bytes) {
    if (byte == '\n') {
      EndLine();
    } else if (unfinished_.size() < limits::kStoryLineBytesMax) {
      // Stories go into JSON, onto terminals and into protobuf strings: no
      // escape sequence of a worker's output may act there.
      const auto code = static_cast<unsigned char>(byte);
      const bool plain = code == '\t' || (code >= 0x20 && code < 0x7f);
      unfinished_.push_back(plain ? byte : '?');
    }
  }
}

std::vector<std::string> LogTail::Lines() const {
  std::vector<std::string> lines(lines_.begin(), lines_.end());
  if (!unfinished_.empty()) lines.push_back(unfinished_);
  if (lines.size() > limits::kStoryLinesMax) lines.erase(lines.begin());
  return lines;
}

void LogTail::EndLine() {
  lines_.push_back(std::exchange(unfinished_, {}));
  if (lines_.size() > limits::kStoryLinesMax) lines_.pop_front();
}

}  // namespace hearth::worker
