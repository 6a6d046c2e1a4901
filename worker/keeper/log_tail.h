#pragma once

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hearth::worker {

// The last lines of a stream that comes in pieces, bounded in lines and in
// bytes a line however long the stream's own are.
//
// Kind:    value.
class LogTail {
 public:
  void Append(absl::string_view bytes);

  // Oldest first; an unfinished last line counts. What is not printable ASCII
  // is shown as '?'.
  std::vector<std::string> Lines() const;

 private:
  void EndLine();

  std::deque<std::string> lines_;
  std::string unfinished_;
};

}  // namespace hearth::worker
