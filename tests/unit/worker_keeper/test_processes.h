// What the tests of real keeper processes share: segments to hand around, a
// forked keeper with its lifeline, and waiting that ends.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/handover/segment_card.h"
#include "worker/keeper/keeper.h"

namespace hearth::worker::testing {

// A sealed memfd with these bytes, opened read-only, as segments are handed
// out.
UniqueFd SealedMemory(absl::string_view bytes);
// A memfd, opened read-write.
UniqueFd OpenMemory(absl::string_view bytes);
std::string BytesBehind(int fd);
SegmentCard CardOf(absl::string_view bytes,
                   SegmentKind kind = SegmentKind::kSealed);

// Whether `condition` came true within ten seconds.
bool Eventually(const std::function<bool()>& condition);
bool Alive(pid_t process);
// Processes with `mark` in their environment.
std::vector<pid_t> ProcessesMarked(absl::string_view mark);
// Living keepers that were started for the tickets of `starter`.
std::vector<pid_t> TicketKeepersStartedBy(pid_t starter);

// This test program, run as a worker that behaves so; see main.cc. It writes
// what it sees as lines to descriptor 5, if it has one.
ChildCommand WorkerThat(absl::string_view behaviour, int report = -1);

// Lines that workers wrote, one after the other.
class Report {
 public:
  Report();
  int write_end() const { return write_.get(); }
  // The next line; empty when none came within ten seconds.
  std::string Line();

 private:
  UniqueFd read_;
  UniqueFd write_;
  std::string waiting_;
};

// RunKeeper in a forked process that ends, with all it started, with this
// object.
class KeeperProcess {
 public:
  explicit KeeperProcess(KeeperOptions options);
  ~KeeperProcess();

  const Address& address() const { return address_; }
  pid_t pid() const { return pid_; }
  // The pids of on_ready; empty when it did not come.
  std::vector<pid_t> Ready();
  void CloseLifeline() { lifeline_.Reset(); }
  void Signal(int signal);
  // Its exit status, or 128 + signal; -1 when it did not end in ten seconds.
  int Ended();

 private:
  Address address_;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  UniqueFd lifeline_;
  UniqueFd ready_;
  bool reaped_ = false;
};

}  // namespace hearth::worker::testing
