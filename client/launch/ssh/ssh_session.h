#pragma once

#include <sys/types.h>

#include <deque>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/launch/ssh/finding.h"
#include "hearth/base/clock.h"
#include "hearth/base/unique_fd.h"

namespace hearth::client {

// The words that begin an ssh: `command` as the user wrote it (HEARTH_SSH, for
// a shell to read, so that paths may be quoted), or ssh itself; then options
// that make it fail instead of asking, and soon instead of late; then `host`
// and what runs there.
std::vector<std::string> SshArguments(absl::string_view command,
                                      absl::string_view host,
                                      absl::string_view remote_command);

// One ssh to one host, as a child process in a group of its own: a terminal's
// Ctrl-C is ours to answer.
//
// Kind:    resource; its destructor ends the ssh. The script at the other end
//          notices.
// Threads: one.
class SshSession {
 public:
  // `variables`, as NAME=VALUE, come on top of our environment.
  static absl::StatusOr<SshSession> Start(
      const std::vector<std::string>& arguments,
      const std::vector<std::string>& variables);
  ~SshSession();
  SshSession(SshSession&&) = default;
  SshSession& operator=(SshSession&&) = delete;

  // To be sent as far as the other end takes it, in this order. What `view`
  // shows outlives the session.
  void Send(std::string text);
  void SendView(absl::string_view view);

  bool wants_to_write() const { return !views_.empty(); }
  int input() const { return input_.get(); }
  int output() const { return output_.get(); }  // invalid after its end
  int errors() const { return errors_.get(); }

  // What can be done without blocking. True if any byte went.
  bool Write();
  // Whole lines that came; false at the end of them.
  bool ReadLines(std::vector<std::string>& lines);
  bool ReadErrors();

  // Nothing more is sent; the script at the other end notices.
  void CloseInput();
  // Whether the ssh ends by itself until then.
  bool EndsBy(absl::Time deadline, const Clock& clock);

  // After output() ended: waits for the ssh, and ends it when it stays on.
  SshEnd Finish();

 private:
  SshSession() = default;
  void DropBegin(std::size_t bytes);

  struct Pid {  // moves like the rest of it
    pid_t value = -1;
    Pid() = default;
    Pid(Pid&& from) noexcept : value(from.value) { from.value = -1; }
  } pid_;
  UniqueFd input_, output_, errors_;
  std::deque<std::string> texts_;  // what some views show
  std::deque<std::pair<absl::string_view, bool>> views_;  // and if it is a text
  std::string partial_line_;
  std::string last_words_;
};

}  // namespace hearth::client
