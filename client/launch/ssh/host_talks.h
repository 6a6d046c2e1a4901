#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/launch/ssh/remote_script.h"
#include "client/launch/ssh/ssh_session.h"
#include "hearth/base/clock.h"

namespace hearth::client {

// Scripts on many hosts at once, one ssh session each.
//
// Kind:    resource; its destructor ends the sessions that are left, and gives
//          their scripts some seconds to leave nothing behind.
// Threads: one.
// Bounds:  at most limits::kSshStartsMax sessions that have not reported yet;
//          a host that is silent for as long as it was given is given up.
class HostTalks {
 public:
  struct Options {
    std::string ssh;  // empty: ssh
    std::vector<std::string> hosts;
    std::string mark;
    std::string script;
    std::vector<std::string> variables;  // of each ssh, as NAME=VALUE
    absl::Duration first_word_within = absl::Seconds(15);
    int interrupt_fd = -1;  // readable: stop
    const Clock* clock = &Clock::Real();
  };

  struct Event {
    enum class Kind { kReport, kEnded, kInterrupted, kAllEnded };
    Kind kind = Kind::kAllEnded;
    std::size_t host = 0;
    Report report;        // kReport
    std::string finding;  // kEnded: how, for a host that should have gone on
  };

  explicit HostTalks(Options options);
  ~HostTalks();

  // Blocks until the next one. Starts sessions as their turn comes.
  Event Next();

  void Send(std::size_t host, std::string text);
  void SendView(std::size_t host, absl::string_view view);
  // How long it may be silent from now on; infinite while it waits for us.
  void Expect(std::size_t host, absl::Duration within);
  // Ends it, without an event.
  void End(std::size_t host);

 private:
  struct Talk {
    std::optional<SshSession> session;
    bool begun = false;
    bool reported = false;
    absl::Duration patience;
    absl::Time silent_since;
  };

  void Begin(std::size_t host);
  void BeginSome();
  void Poll();
  void Read(std::size_t host);
  void GiveUpSilent();
  void Ended(std::size_t host, std::string finding);

  Options options_;
  std::vector<Talk> talks_;
  std::vector<Event> events_;  // oldest first
};

}  // namespace hearth::client
