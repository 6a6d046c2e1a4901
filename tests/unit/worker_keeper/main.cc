// The test program, which is also the worker that its keepers start
// (`worker BEHAVIOUR`) and the keeper that tickets need (`keeper --starter
// PID`).

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/handover/keeper_launch.h"
#include "worker/keeper/keeper.h"
#include "worker/keeper/lifeline.h"

namespace hearth::worker {
namespace {

void Tell(absl::string_view line) {
  const std::string text = absl::StrCat(line, "\n");
  [[maybe_unused]] const auto ignored = write(5, text.data(), text.size());
}

int RunWorker(absl::string_view behaviour) {
  if (behaviour == "crash-before-ready") {
    std::cerr << "no library\n";
    return 7;
  }
  auto lifeline = WorkerLifeline::Take(UniqueFd(kLifelineFd));
  if (!lifeline.ok()) {
    std::cerr << lifeline.status() << "\n";
    return 9;
  }
  const WorkerLifeline::Hello& hello = (*lifeline)->hello();
  for (const WorkerStory& story : hello.predecessors) {
    Tell(absl::StrCat("predecessor: ", story.Sentence()));
    for (const std::string& line : story.last_lines) {
      Tell(absl::StrCat("last line: ", line));
    }
  }
  (*lifeline)->StartWatching(
      {.on_story =
           [](const WorkerStory& story) {
             Tell(absl::StrCat("sibling: ", story.Sentence()));
           },
       .on_keeper_gone = nullptr});
  if (behaviour == "stubborn") signal(SIGTERM, SIG_IGN);
  std::cerr << "slot " << hello.slot << " is up\n";
  if (!(*lifeline)->Ready("note").ok()) return 8;
  Tell(absl::StrCat("ready: ", hello.slot, " ", getpid()));
  if (behaviour == "finish") return 0;
  if (behaviour == "crash-first" && hello.predecessors.empty()) {
    std::cerr << "about to crash" << std::endl;
    std::_Exit(3);
  }
  for (;;) pause();
}

}  // namespace
}  // namespace hearth::worker

int main(int argc, char** argv) {
  const absl::string_view role = argc > 1 ? argv[1] : "";
  if (role == "worker") return hearth::worker::RunWorker(argv[2]);
  if (role == "keeper") {
    return hearth::worker::RunTicketKeeper(
        {.listener = hearth::UniqueFd(hearth::kKeeperListenerFd),
         .starter = static_cast<pid_t>(std::atoi(argv[3]))});
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
