// One table of mains: the processes that this binary can be.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/context.h"

namespace hearth {

// Each returns the exit status. Called before any thread is started.
absl::StatusOr<int> RunLocal(const client::LocalProcess& options,
                             const client::Context& context);
absl::StatusOr<int> RunCoordinator(const client::CoordinatorProcess& options,
                                   const client::Context& context);
absl::StatusOr<int> RunWorkers(const client::WorkerProcess& options,
                               const client::Context& context);
absl::StatusOr<int> RunOneWorker(const client::WorkerProcess& options,
                                 const client::Context& context);

struct ReadyLine {
  std::string address;
  std::vector<int> pids;  // this process's first
  // Of the gateway, where there is one: its URL, and the file with its token.
  std::string http = {};
  std::string http_token = {};
};
// Prints "ready ADDRESS", or its JSON; where the gateway is, besides that, on
// stderr or in the JSON. NOT_ALLOWED where nobody can have read it: whoever
// waits for the line would wait for ever, so `command` has to end.
absl::Status PrintReady(absl::string_view command, const ReadyLine& ready,
                        bool json);

// Tells a child of this binary what its TCP connections go by.
void AddSecurityOptions(const client::Context& context,
                        std::vector<std::string>& argv);

// Cores that this process may run on.
int CoreCount();

}  // namespace hearth
