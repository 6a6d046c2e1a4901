#include "worker/keeper/child.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "hearth/base/id.h"
#include "hearth/base/unique_fd.h"
#include "tests/support/status_matchers.h"

namespace hearth::worker {
namespace {

using ::hearth::testing::IsOk;
using ::testing::ElementsAre;

// A shell's `exec 9<file` before it started a cluster stayed open in all of it.
TEST(Child, HasNoDescriptorsButThoseItWasGiven) {
  std::vector<UniqueFd> inherited;
  for (const int number : {4, 9, 63, 64, 200}) {
    ASSERT_EQ(fcntl(number, F_GETFD), -1);
    inherited.emplace_back(dup2(STDIN_FILENO, number));  // no close-on-exec
    ASSERT_TRUE(inherited.back().valid());
  }
  ChildCommand command;
  command.name = "lister";
  command.argv = {"/bin/sh", "-c",
                  "for fd in 0 1 2 3 4 9 12 63 64 200; do "
                  "  test -e /proc/$$/fd/$fd && echo $fd; "
                  "done; true"};
  command.descriptors = {{.fd = STDERR_FILENO, .as = 12}};
  auto child = Child::Start(command, Id::Random(), absl::Now());
  ASSERT_THAT(child, IsOk());
  pollfd ended{.fd = child->pidfd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&ended, 1, 10'000), 1);
  while (child->ReadLog(/*echo=*/false)) {
  }
  const WorkerStory story = child->Reap(absl::Now());
  EXPECT_EQ(story.code, 0);
  EXPECT_THAT(story.last_lines, ElementsAre("0", "1", "2", "3", "12"));
}

}  // namespace
}  // namespace hearth::worker
