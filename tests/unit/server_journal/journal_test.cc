#include "server/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "hearth/base/error.h"

namespace hearth::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = Journal::Kind;
using Survives = Journal::Survives;

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/journal-test-XXXXXX";
    directory_ = std::filesystem::path(mkdtemp(name)) / "state";
  }
  void TearDown() override {
    std::filesystem::remove_all(directory_.parent_path());
  }

  std::unique_ptr<Journal> Open() {
    auto journal = Journal::Open(directory_);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return *std::move(journal);
  }
  static std::vector<std::string> Texts(Journal& journal) {
    std::vector<std::string> texts;
    const auto rows = journal.Read();
    EXPECT_TRUE(rows.ok()) << rows.status();
    for (const Journal::Row& row : *rows) {
      texts.push_back(std::to_string(static_cast<int>(row.kind)) + " " +
                      row.key + "=" + row.value);
    }
    return texts;
  }

  std::filesystem::path directory_;
};

TEST_F(JournalTest, GivesBackWhatWasWritten) {
  auto journal = Open();
  EXPECT_THAT(Texts(*journal), IsEmpty());
  const Journal::Change first[] = {{Kind::kMatrix, "a", "1"},
                                   {Kind::kMatrix, "b", std::string("\0x", 2)},
                                   {Kind::kJob, "a", ""}};
  ASSERT_TRUE(journal->Write(first, Survives::kMachine).ok());
  const Journal::Change second[] = {{Kind::kMatrix, "a", "2"},
                                    {Kind::kMatrix, "none", std::nullopt},
                                    {Kind::kJob, "a", std::nullopt}};
  ASSERT_TRUE(journal->Write(second, Survives::kProcess).ok());
  journal.reset();
  EXPECT_THAT(Texts(*Open()),
              ElementsAre("2 a=2", "2 b=" + std::string("\0x", 2)));
}

TEST_F(JournalTest, IsItsOwnersAlone) {
  const auto journal = Open();
  struct stat found {};
  ASSERT_EQ(stat(directory_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700u);
  ASSERT_EQ(stat((directory_ / "journal.sqlite").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST_F(JournalTest, RefusesADamagedFileByName) {
  Open();
  std::ofstream(directory_ / "journal.sqlite") << std::string(5000, 'x');
  const auto journal = Journal::Open(directory_);
  EXPECT_EQ(ReasonOf(journal.status()), Reason::kBadFile);
  EXPECT_THAT(std::string(journal.status().message()),
              HasSubstr("journal.sqlite"));
}

TEST_F(JournalTest, SaysWhereItCouldNotBeMade) {
  const auto journal = Journal::Open("/proc/nowhere/state");
  ASSERT_FALSE(journal.ok());
  EXPECT_THAT(std::string(journal.status().message()),
              HasSubstr("/proc/nowhere/state"));
}

}  // namespace
}  // namespace hearth::server
