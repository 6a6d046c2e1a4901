#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/cli/cli.h"
#include "hearth/base/error.h"
#include "main/mains.h"
#include "worker/keeper/keeper.h"
#include "worker/keeper/lifeline.h"

namespace hearth {

absl::Status PrintReady(absl::string_view command, const ReadyLine& ready,
                        bool json) {
  signal(SIGPIPE, SIG_IGN);
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
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return absl::OkStatus();
  }
  return Error(Reason::kNotAllowed,
               absl::StrCat("start hearth ", command,
                            ": standard output does not take the ready line (",
                            errno == 0 ? "a write failed" : strerror(errno),
                            "), and nobody would learn the address; start it "
                            "where somebody reads it, as with > FILE"));
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
