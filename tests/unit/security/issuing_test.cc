#include "hearth/transport/security/issuing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "hearth/base/error.h"
#include "hearth/transport/security/credentials.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/security/made_credentials.h"
#include "tests/unit/security/temporary_directory.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::kNow;
using ::hearth::testing::TemporaryDirectory;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class IssuingTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) {
    return directory_.path() + "/" + name;
  }
  static std::set<std::string> NamesIn(const std::string& path) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  static unsigned ModeOf(const std::string& path) {
    struct stat found {};
    EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
    return found.st_mode & 07777U;
  }

  TemporaryDirectory directory_;
};

TEST_F(IssuingTest, MakesFourFilesThatOthersCannotUse) {
  ASSERT_THAT(MakeCluster(Path("a/b/tls"), {.now = kNow}), IsOk());
  EXPECT_THAT(NamesIn(Path("a/b/tls")),
              UnorderedElementsAre("ca.pem", "ca.key", "node.pem", "node.key"));
  EXPECT_EQ(ModeOf(Path("a/b/tls")), 0700u);
  EXPECT_EQ(ModeOf(Path("a/b/tls/ca.key")), 0600u);
  EXPECT_EQ(ModeOf(Path("a/b/tls/node.key")), 0600u);
  EXPECT_THAT(NamesIn(Path("a/b")), UnorderedElementsAre("tls"));
}

TEST_F(IssuingTest, TakesAwayWhatAKilledOneLeft) {
  const std::string left = Path(".hearth-0123456789abcdef0123456789abcdef");
  std::filesystem::create_directory(left);
  std::ofstream(left + "/ca.key") << "half a key";
  const std::string other = Path(".hearth-0123");
  std::filesystem::create_directory(other);
  ASSERT_THAT(MakeCluster(Path("tls"), {.now = kNow}), IsOk());
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(other)) << "it is nobody's of ours";
}

TEST_F(IssuingTest, ReplacesOnlyWhenTold) {
  const auto first = MakeCluster(Path("tls"), {.now = kNow});
  ASSERT_THAT(first, IsOk());
  const auto again = MakeCluster(Path("tls"), {.now = kNow});
  EXPECT_EQ(ReasonOf(again.status()), Reason::kNameTaken);
  EXPECT_THAT(std::string(again.status().message()), HasSubstr("--force"));
  EXPECT_THAT(ReadCredentials(Path("tls"), kNow), IsOk());

  const auto forced =
      MakeCluster(Path("tls") + "/", {.replace = true, .now = kNow});
  ASSERT_THAT(forced, IsOk());
  EXPECT_NE(forced->authority.fingerprint, first->authority.fingerprint);
  EXPECT_THAT(ReadCredentials(Path("tls"), kNow), IsOk());
  EXPECT_THAT(NamesIn(directory_.path()), UnorderedElementsAre("tls"));
}

// The look at what is there and the renaming are two steps: the second one of
// two that come at once must not replace the first one's authority.
TEST_F(IssuingTest, LetsOneOfManyAtOnceWin) {
  std::atomic<int> made = 0;
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const absl::Status status =
          MakeCluster(Path("tls"), {.now = kNow}).status();
      made += status.ok() ? 1 : 0;
      taken += ReasonOf(status) == Reason::kNameTaken ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(taken, 7);
  EXPECT_THAT(NamesIn(directory_.path()), UnorderedElementsAre("tls"));
}

TEST_F(IssuingTest, TakesAnEmptyDirectoryAsItIs) {
  std::filesystem::create_directory(Path("tls"));
  EXPECT_THAT(MakeCluster(Path("tls"), {.now = kNow}), IsOk());
}

TEST_F(IssuingTest, NeverTouchesADirectoryOfOthers) {
  std::filesystem::create_directory(Path("home"));
  std::ofstream(Path("home/thesis.tex")) << "years";
  const auto made = MakeCluster(Path("home"), {.replace = true, .now = kNow});
  EXPECT_EQ(ReasonOf(made.status()), Reason::kNameTaken);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("thesis.tex"));
  EXPECT_THAT(NamesIn(directory_.path()), UnorderedElementsAre("home"));
  EXPECT_THAT(NamesIn(Path("home")), UnorderedElementsAre("thesis.tex"));
}

TEST_F(IssuingTest, IssuesForAnotherNodeWithoutTheAuthoritysKey) {
  ASSERT_THAT(MakeCluster(Path("tls"), {.now = kNow}), IsOk());
  ASSERT_THAT(IssueDirectory(Path("tls"), Path("node7"), {.now = kNow}),
              IsOk());
  EXPECT_THAT(NamesIn(Path("node7")),
              UnorderedElementsAre("ca.pem", "node.pem", "node.key"));
  EXPECT_THAT(ReadCredentials(Path("node7"), kNow), IsOk());
}

TEST_F(IssuingTest, RenewsTheAuthoritysOwnNodeInPlace) {
  ASSERT_THAT(MakeCluster(Path("tls"), {.now = kNow}), IsOk());
  const absl::Time later = kNow + absl::Hours(24 * 400);
  EXPECT_FALSE(ReadCredentials(Path("tls"), later).ok());
  ASSERT_THAT(
      IssueDirectory(Path("tls"), Path("tls"), {.replace = true, .now = later}),
      IsOk());
  EXPECT_THAT(ReadCredentials(Path("tls"), later), IsOk());
  EXPECT_EQ(ModeOf(Path("tls/ca.key")), 0600u);
}

TEST_F(IssuingTest, NeverLosesAnAuthority) {
  ASSERT_THAT(MakeCluster(Path("mine"), {.now = kNow}), IsOk());
  ASSERT_THAT(MakeCluster(Path("tls"), {.now = kNow}), IsOk());
  const auto issued =
      IssueDirectory(Path("mine"), Path("tls"), {.replace = true, .now = kNow});
  EXPECT_EQ(ReasonOf(issued.status()), Reason::kNameTaken);
  EXPECT_TRUE(std::filesystem::exists(Path("tls/ca.key")));
}

TEST_F(IssuingTest, SaysWhereTheAuthoritysKeyIsNot) {
  ASSERT_THAT(MakeCluster(Path("tls"), {.now = kNow}), IsOk());
  ASSERT_THAT(IssueDirectory(Path("tls"), Path("node"), {.now = kNow}), IsOk());
  const auto issued =
      IssueDirectory(Path("node"), Path("other"), {.now = kNow});
  EXPECT_EQ(ReasonOf(issued.status()), Reason::kFileMissing);
  EXPECT_THAT(std::string(issued.status().message()),
              HasSubstr("where the authority lives"));
  EXPECT_FALSE(std::filesystem::exists(Path("other")));
}

TEST_F(IssuingTest, LeavesNothingWhereItFails) {
  std::ofstream(Path("file")) << "x";
  const auto made = MakeCluster(Path("file/tls"), {.now = kNow});
  EXPECT_EQ(ReasonOf(made.status()), Reason::kFileMissing);
  const auto on_file = MakeCluster(Path("file"), {.now = kNow});
  EXPECT_FALSE(on_file.ok());
  EXPECT_THAT(NamesIn(directory_.path()), UnorderedElementsAre("file"));
}

}  // namespace
}  // namespace hearth
