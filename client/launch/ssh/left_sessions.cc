#include "client/launch/ssh/left_sessions.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/pidfd.h"
#include "hearth/base/read_file.h"

namespace hearth::client {
namespace {

struct Left {
  pid_t pid;
  UniqueFd ended;  // readable then
};

std::vector<Left> SessionsOf(absl::string_view id) {
  const std::string variable = absl::StrCat(kLauncherVariable, "=", id);
  std::vector<Left> sessions;
  std::error_code unreadable;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc", unreadable)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    // The descriptor first: what is read next is then this process's.
    UniqueFd ended = OpenPidfd(pid);
    const auto variables =
        ReadSmallFile(absl::StrCat("/proc/", pid, "/environ"));
    if (!ended.valid() || !variables.ok()) continue;
    if (absl::StrContains(*variables, variable)) {
      sessions.push_back({pid, std::move(ended)});
    }
  }
  return sessions;
}

}  // namespace

void EndLeftSessions(absl::string_view id, absl::Duration patience,
                     const Clock& clock) {
  const absl::Time until = clock.Now() + patience;
  for (const Left& session : SessionsOf(id)) {
    pollfd ended{.fd = session.ended.get(), .events = POLLIN, .revents = 0};
    const absl::Duration left =
        std::max(until - clock.Now(), absl::ZeroDuration());
    if (poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(left))) <=
        0) {
      kill(session.pid, SIGTERM);
    }
  }
}

}  // namespace hearth::client
