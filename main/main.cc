#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "client/cli/cli.h"
#include "client/cli/surroundings.h"
#include "main/mains.h"
#include "worker/keeper/keeper.h"
#include "worker/keeper/lifeline.h"

namespace hearth {

void PrintReady(const ReadyLine& ready, bool json) {
  if (json) {
    nlohmann::ordered_json line = {{"address", ready.address},
                                   {"pid", ready.pids.front()},
                                   {"pids", ready.pids}};
    if (!ready.http.empty()) {
      line["http"] = ready.http;
      line["http_token"] = ready.http_token.empty()
                               ? nlohmann::ordered_json(nullptr)
                               : nlohmann::ordered_json(ready.http_token);
    }
    std::printf("%s\n", line.dump().c_str());
  } else {
    if (!ready.http.empty()) {
      std::fprintf(
          stderr, "gateway %s, %s%s\n", ready.http.c_str(),
          ready.http_token.empty() ? "without a token" : "its token is in ",
          ready.http_token.c_str());
    }
    std::printf("ready %s\n", ready.address.c_str());
  }
  // Whoever waits for the line would wait for ever: all ends, and the exit
  // status and one line on standard error say why.
  if (!client::FlushOutput().ok()) kill(getpid(), SIGTERM);
}

void AddSecurityOptions(const client::Context& context,
                        std::vector<std::string>& argv) {
  if (context.insecure) argv.push_back("--insecure");
  if (!context.tls_dir.empty()) argv.push_back("--tls-dir=" + context.tls_dir);
}

int CoreCount() {
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores);
}

}  // namespace hearth

int main(int argc, char** argv) {
  const hearth::client::ProcessMains mains = {
      .local = hearth::RunLocal,
      .coordinator = hearth::RunCoordinator,
      .worker = hearth::RunWorkers,
      .one_worker = hearth::RunOneWorker,
      .keeper = [](int starter) {
        return hearth::worker::RunTicketKeeper(
            {.listener = hearth::UniqueFd(hearth::worker::kLifelineFd),
             .starter = starter});
      }};
  return hearth::client::RunCommandLine(argc, argv, mains);
}
