#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"
#include "hearth/base/unix_socket.h"

namespace hearth::worker {

// A process that the keeper execs. It finds its lifeline on descriptor 3
// (lifeline.h), its standard error in the keeper's log ring, /dev/null on its
// standard input, and nothing else that is not named here.
struct ChildCommand {
  std::string name = {};               // for stories and logs: "worker"
  std::vector<std::string> argv = {};  // argv[0] is the path that is exec'ed
  std::vector<std::string> environment = {};  // "NAME=value", added to ours
  // Given to the child under the number `as` (4 or more). Borrowed.
  struct PassedFd {
    int fd = -1;
    int as = -1;
  };
  std::vector<PassedFd> descriptors = {};
};

// What a child said when it was ready.
struct ReadyChild {
  std::string name = {};
  pid_t pid = 0;
  std::string note = {};  // its address, if it listens
};

struct KeeperOptions {
  // Where descriptors are deposited and fetched: from ListenUnix(...,
  // SocketType::kPacket). Tell the workers its name in their argv.
  UniqueFd listener = {};
  PeerRule peers = {};

  // `worker_count` processes of this command, each started again when it
  // crashes: after 100 ms, doubling, not after three crashes in a minute. One
  // that hangs (limits::kSilentLooksMax) is killed, and has crashed.
  ChildCommand worker = {};
  int worker_count = 0;

  // Children without a successor, such as the coordinator of `hearth local`:
  // the end of one ends everything. Started first.
  std::vector<ChildCommand> essentials = {};

  // End of file on it kills all children at once and returns: the keeper hangs
  // on its own parent as the workers hang on it.
  UniqueFd lifeline = {};

  // Called once, when every child has said Ready(): essentials first, in order,
  // then workers by slot. Runs on the keeper's only thread: be short.
  std::function<void(const std::vector<ReadyChild>&)> on_ready = {};

  // What all segments that it holds may take together; 0: what the host has.
  std::uint64_t segment_bytes_max = 0;

  // SIGTERM lets the workers hand over what only this host holds, and end by
  // themselves; a second one, or SIGINT, ends them at once.
  bool hands_over = false;

  // Children's standard error goes to ours too, not only into the ring.
  bool verbose = false;

  // Between SIGTERM and SIGKILL when stopping.
  absl::Duration grace = absl::Seconds(2);
};

// Runs until told to stop (SIGTERM, SIGINT, the lifeline), until an essential
// child ends, until all workers have exited with status 0, or until all have
// crashed too often. No child outlives it, and none outlives a kill -9 of it:
// they hang on their lifelines.
//
// Threads: single-threaded; call it from a main, before any thread is started.
//          Blocks SIGTERM, SIGINT and SIGCHLD, and ignores SIGPIPE, for good.
// Returns: an exit status: 0 after SIGTERM, the lifeline or finished workers;
//          130 after SIGINT; the essential child's own (1 after a signal); 1
//          when the workers crashed too often or the keeper could not start,
//          which standard error explains in one line.
int RunKeeper(KeeperOptions options);

// `hearth keeper`: holds tickets for sharing without a server. Exec'ed by
// TicketOffice with a listener on descriptor 3. Detaches: own session, parent
// init, / as its folder. Returns when it holds nothing, or all that it watches
// are dead.
struct TicketKeeperOptions {
  UniqueFd listener = {};
  pid_t starter = 0;  // while nothing was deposited yet, it waits for this one
};
int RunTicketKeeper(TicketKeeperOptions options);

}  // namespace hearth::worker
