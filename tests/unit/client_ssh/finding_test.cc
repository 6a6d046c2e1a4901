#include "client/launch/ssh/finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Found(const std::string& words, int status = 255) {
  return FindingOf("node7", SshEnd{.exit_status = status, .last_words = words});
}

TEST(Finding, SaysWhatToDoAboutEachWayAnSshFails) {
  EXPECT_THAT(Found("root@n: Permission denied (publickey).\r\n"),
              AllOf(HasSubstr("Permission denied"), HasSubstr("ssh-copy-id")));
  EXPECT_THAT(Found("No ED25519 host key is known for n.\n"
                    "Host key verification failed.\n"),
              HasSubstr("host key is not known; try \"ssh node7 true\""));
  EXPECT_THAT(Found("@  WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!  @\n"
                    "Host key verification failed.\n"),
              HasSubstr("host key has changed"));
  EXPECT_THAT(Found("ssh: Could not resolve hostname node7: Name or service "
                    "not known\n"),
              HasSubstr("no such host"));
  EXPECT_THAT(Found("ssh: connect to host n port 22: Connection timed out\n"),
              HasSubstr("unreachable"));
  EXPECT_THAT(Found("", 255), HasSubstr("status 255"));
  EXPECT_THAT(Found("something new\n"), HasSubstr("something new"));
  EXPECT_THAT(Found("/bin/sh: 1: exec: ssj: not found\n", 127),
              HasSubstr("HEARTH_SSH"));
}

TEST(Finding, StaysOneLineOfPlainText) {
  for (const std::string& found :
       {Found("\x1b[31mred\x1b[0m\nlast\x07\tline\n"),
        FindingOf("disk", "a\nb\x1b[2J"), FindingOf("new-kind", "\r\n")}) {
    EXPECT_THAT(found, AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b")),
                             Not(HasSubstr("\r"))));
  }
  EXPECT_LT(FindingOf("runs", std::string(10'000, 'x')).size(), 600U);
}

TEST(Finding, NamesTheLibraryAndTheScript) {
  EXPECT_THAT(FindingOf("libraries", "libgrpc++.so.1.51 libabsl.so "),
              AllOf(HasSubstr("libgrpc++.so.1.51"),
                    HasSubstr("deploy/install-dependencies.sh")));
}

TEST(Finding, SaysThatAHostStandsInTheFileTwice) {
  EXPECT_THAT(FindingOf("twice", ""),
              AllOf(HasSubstr("another name"), HasSubstr("leave one of them")));
}

TEST(Finding, PassesOnWhatAProcessSaidWithoutItsName) {
  EXPECT_THAT(FindingOf("worker", "hearth: join: refused; do this"),
              "its workers did not start: join: refused; do this");
}

}  // namespace
}  // namespace hearth::client
