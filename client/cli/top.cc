// top: a cluster, looked at every second.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/interrupt.h"
#include "client/cli/listings.h"
#include "client/cli/top_screen.h"
#include "hearth/base/status.h"
#include "hearth/base/unique_fd.h"

namespace hearth::client {
namespace {

constexpr int kPauseMs = 1000;

absl::StatusOr<ClusterLook> LookAt(const Cluster& cluster) {
  ClusterLook look;
  look.at = absl::Now();
  HEARTH_ASSIGN_OR_RETURN(look.workers, cluster.Workers());
  HEARTH_ASSIGN_OR_RETURN(look.jobs, cluster.Jobs());
  HEARTH_ASSIGN_OR_RETURN(look.matrices, cluster.List());
  return look;
}

ScreenSize SizeOfTerminal() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ||
      size.ws_row == 0) {
    return {.columns = 80, .rows = 24};
  }
  return {.columns = size.ws_col, .rows = size.ws_row};
}

constexpr absl::string_view kOpenPage = "\x1b[?1049h\x1b[?25l";
constexpr absl::string_view kClosePage = "\x1b[?25h\x1b[?1049l";

void Write(absl::string_view text) {
  [[maybe_unused]] const ssize_t ignored =
      write(STDOUT_FILENO, text.data(), text.size());
}

// A page of its own, without a cursor. The one before comes back with the end,
// or with Ctrl-C, whatever is waited for then.
class Page {
 public:
  Page() { Write(kOpenPage); }
  ~Page() {
    if (!InterruptGuard::interrupted()) Write(kClosePage);
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  // Line by line over what was there, so that nothing flickers. The last line
  // ends without a newline, which would scroll.
  void Draw(std::string text) {
    if (!text.empty()) text.pop_back();
    if (InterruptGuard::interrupted()) return;
    Write(absl::StrCat("\x1b[H",
                       absl::StrReplaceAll(text, {{"\n", "\x1b[K\n"}}),
                       "\x1b[K\x1b[J"));
  }
};

absl::Status Watch(const Context& context, int& exit_status) {
  const UniqueFd wake(eventfd(0, EFD_CLOEXEC));
  if (!wake.valid()) return ErrnoStatus("make an eventfd");
  const InterruptGuard guard({.run =
                                  [&] {
                                    Write(kClosePage);
                                    const std::uint64_t one = 1;
                                    [[maybe_unused]] const ssize_t ignored =
                                        write(wake.get(), &one, sizeof(one));
                                  },
                              .patience = absl::Seconds(2)});
  Page page;
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(ClusterLook now, LookAt(cluster));
  std::optional<ClusterLook> before;
  while (true) {
    page.Draw(TopScreen(cluster.address(), now,
                        before.has_value() ? &*before : nullptr,
                        SizeOfTerminal()));
    pollfd waited{.fd = wake.get(), .events = POLLIN, .revents = 0};
    poll(&waited, 1, kPauseMs);
    if (InterruptGuard::interrupted()) {
      exit_status = kExitInterrupted;
      return absl::OkStatus();
    }
    before = std::move(now);
    HEARTH_ASSIGN_OR_RETURN(now, LookAt(cluster));
  }
}

absl::Status RunTop(CommandLine& line) {
  if (!line.context.json && isatty(STDOUT_FILENO) == 1) {
    return Watch(line.context, line.exit_status);
  }
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, line.context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const ClusterLook look, LookAt(cluster));
  if (line.context.json) {
    PrintJson({{"workers", WorkersJson(look.workers)},
               {"jobs", JobsJson(look.jobs)}});
  } else {
    std::fputs(TopScreen(cluster.address(), look, nullptr, {}).c_str(), stdout);
  }
  return absl::OkStatus();
}

}  // namespace

void AddTop(CLI::App& app, CommandLine& line) {
  AddCommand(app, line, "top", "Watch a cluster, until Ctrl-C",
             "  hearth top            # on a terminal: anew every second\n"
             "  hearth top | cat      # once\n"
             "  hearth top --json     # once: {\"workers\", \"jobs\"}",
             [&line] { return RunTop(line); });
}

}  // namespace hearth::client
