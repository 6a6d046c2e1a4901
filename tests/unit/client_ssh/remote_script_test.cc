// The scripts by themselves, run by the shells of this machine.
#include "client/launch/ssh/remote_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hearth::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kMark[] = "mark-1";

// A host of one's own: a folder as its runtime directory.
class HostTest : public ::testing::TestWithParam<const char*> {
 protected:
  HostTest() {
    std::string name = ::testing::TempDir() + "/hearth host XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~HostTest() override { std::filesystem::remove_all(folder_); }

  // Reports of `script`, given to it as ssh does, then `rest`.
  std::vector<std::string> Run(const std::string& script,
                               const std::string& rest = "") {
    const std::string input = folder_ + "/../input" + std::to_string(getpid());
    std::ofstream(input, std::ios::binary) << script << rest;
    const std::string command = absl::StrCat(
        "XDG_RUNTIME_DIR=", ShellQuoted(folder_), " TMPDIR= ", GetParam(),
        " -c ", ShellQuoted(LoaderCommand(script.size())), " <",
        ShellQuoted(input), " 2>&1");
    FILE* output = popen(command.c_str(), "r");
    std::string text;
    std::array<char, 4096> piece;
    for (std::size_t got;
         (got = fread(piece.data(), 1, piece.size(), output)) > 0;) {
      text.append(piece.data(), got);
    }
    pclose(output);
    unlink(input.c_str());
    std::vector<std::string> reports;
    for (const auto line : absl::StrSplit(text, '\n')) {
      if (const auto report = ParseReport(kMark, line)) {
        reports.push_back(absl::StrCat(report->word, " ", report->rest));
      }
    }
    return reports;
  }

  std::size_t FilesLeft() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::recursive_directory_iterator(folder_),
                      std::filesystem::recursive_directory_iterator()));
  }

  std::string folder_;
};

INSTANTIATE_TEST_SUITE_P(Shells, HostTest,
                         ::testing::Values("dash", "bash", "sh"));

StartScript Start() {
  return {.mark = kMark,
          .id = "0123456789ab",
          .version = "0.1.0",
          .binary_bytes = 6,
          .binary_sha256 = std::string(64, '0'),
          .own_path = "/nowhere/it's here/hearth"};
}

TEST_P(HostTest, ThatGetsNoBinaryIsLeftAsItWas) {
  const auto reports = Run(Start().Text());
  ASSERT_GE(reports.size(), 2U);
  EXPECT_THAT(reports[0], HasSubstr("cores "));
  EXPECT_EQ(FilesLeft(), 0U);
}

TEST_P(HostTest, RefusesABinaryThatArrivesDamaged) {
  const auto reports = Run(Start().Text(), "broken");
  EXPECT_THAT(reports.back(), HasSubstr("fail damaged"));
  EXPECT_EQ(FilesLeft(), 0U);
}

TEST_P(HostTest, LeavesWhatAnotherSessionOfTheClusterMade) {
  const std::string directory =
      absl::StrCat(folder_, "/hearth-", getuid(), "-0123456789ab");
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/version") << "0.1.0\n";
  EXPECT_THAT(Run(Start().Text(), "binary").back(), HasSubstr("fail twice"));
  EXPECT_EQ(FilesLeft(), 2U);
}

TEST_P(HostTest, RunsNothingThatAMarkOrPathSays) {
  StartScript script = Start();
  script.own_path = absl::StrCat("'; touch ", folder_, "/owned; '$(touch ",
                                 folder_, "/owned)`");
  Run(script.Text());
  EXPECT_EQ(FilesLeft(), 0U);
}

TEST_P(HostTest, EndsNothingWhereNothingIs) {
  EXPECT_THAT(
      Run(EndScript{.mark = kMark, .ids = {"0123456789ab", "ffff"}}.Text()),
      ElementsAre("done "));
}

TEST_P(HostTest, RemovesTheDirectoryAndKillsNoProcessThatTookARecordedPid) {
  const std::string directory =
      absl::StrCat(folder_, "/hearth-", getuid(), "-0123456789ab");
  std::filesystem::create_directory(directory);
  // This very process, recorded with another start: an earlier one's number.
  std::ofstream(directory + "/worker.pid") << getpid() << " 1 some-boot\n";
  EXPECT_THAT(Run(EndScript{.mark = kMark, .ids = {"0123456789ab"}}.Text()),
              ElementsAre("ending 0123456789ab", "gone 0123456789ab", "done "));
  EXPECT_EQ(FilesLeft(), 0U);
}

TEST_P(HostTest, RemovesNoDirectoryThatOnlyBeginsLikeTheOneOfACluster) {
  const std::string copy =
      absl::StrCat(folder_, "/hearth-", getuid(), "-0123456789ab.bak");
  std::filesystem::create_directory(copy);
  std::ofstream(copy + "/version") << "0.1.0\n";
  EXPECT_THAT(Run(EndScript{.mark = kMark, .ids = {"0123456789ab"}}.Text()),
              ElementsAre("done "));
  EXPECT_EQ(FilesLeft(), 2U);
}

TEST_P(HostTest, FollowsNoLinkToADirectoryOfSomebodyElse) {
  const std::string victim = folder_ + "/victim";
  std::filesystem::create_directory(victim);
  std::filesystem::create_symlink(
      victim, absl::StrCat(folder_, "/hearth-", getuid(), "-0123456789ab"));
  EXPECT_THAT(Run(EndScript{.mark = kMark, .ids = {"0123456789ab"}}.Text()),
              ElementsAre("done "));
  EXPECT_TRUE(std::filesystem::exists(victim));
}

TEST_P(HostTest, SaysThatAClusterIsNotHere) {
  EXPECT_THAT(Run(LookScript{.mark = kMark, .id = "0123456789ab"}.Text()),
              ElementsAre("done "));
}

TEST(ParseReport, TakesMarkedLinesAlone) {
  EXPECT_EQ(ParseReport("m", "m word some rest")->word, "word");
  EXPECT_EQ(ParseReport("m", "m word some rest")->rest, "some rest");
  EXPECT_EQ(ParseReport("m", "m word")->rest, "");
  for (const char* line : {"", "m", "mword", "Welcome!", " m word"}) {
    EXPECT_FALSE(ParseReport("m", line).has_value()) << line;
  }
}

TEST(ShellQuoted, IsOneWordWhateverItHolds) {
  EXPECT_EQ(ShellQuoted("a b"), "'a b'");
  EXPECT_EQ(ShellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuoted(""), "''");
}

}  // namespace
}  // namespace hearth::client
