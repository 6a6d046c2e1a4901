#include "client/launch/ssh/cluster_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"

namespace hearth::client {
namespace {

using ::hearth::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string NewFolder() {
  std::string name = ::testing::TempDir() + "/hearth records XXXXXX";
  return mkdtemp(name.data());
}

class ClusterRecordsTest : public ::testing::Test {
 protected:
  ~ClusterRecordsTest() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = NewFolder();
  ClusterRecords records_{folder_ + "/deep/er"};
  ClusterRecord record_{.id = "0123456789ab",
                        .address = "10.0.0.1:7777",
                        .coordinator_host = "a",
                        .version = "0.1.0",
                        .tls_dir = "/home/me/tls \"x\"",
                        .ssh = "ssh -F 'a b'",
                        .since_seconds = 1'790'000'000,
                        .launcher_pid = 7,
                        .launcher_ticks = 12'345,
                        .hosts = {{.host = "a", .workers = 2},
                                  {.host = "b", .memory = "1GiB"},
                                  {.host = "c", .address = "10.0.0.3"}},
                        .untouched = {"c"}};
};

TEST_F(ClusterRecordsTest, ReadsBackWhatItWrote) {
  ASSERT_THAT(records_.Write(record_), IsOk());
  const auto listed = records_.List();
  ASSERT_THAT(listed, IsOk());
  EXPECT_THAT(*listed, ElementsAre(record_));
  struct stat found {};
  ASSERT_EQ(stat((records_.directory() + "/0123456789ab.json").c_str(), &found),
            0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
}

TEST_F(ClusterRecordsTest, ListsTheOldestFirst) {
  ClusterRecord older = record_;
  older.id = "ffff";
  older.since_seconds -= 1;
  ASSERT_THAT(records_.Write(record_), IsOk());
  ASSERT_THAT(records_.Write(older), IsOk());
  EXPECT_THAT(*records_.List(), ElementsAre(older, record_));
}

TEST_F(ClusterRecordsTest, ForgetsWhatIsRemoved) {
  ASSERT_THAT(records_.Write(record_), IsOk());
  EXPECT_THAT(records_.Remove(record_.id), IsOk());
  EXPECT_THAT(records_.Remove(record_.id), IsOk());
  EXPECT_THAT(*records_.List(), IsEmpty());
}

TEST_F(ClusterRecordsTest, TakesAwayWhatAKilledWriterLeft) {
  ASSERT_THAT(records_.Write(record_), IsOk());
  const std::string part = records_.directory() + "/fedcba987654.json.part";
  std::ofstream(part) << "{\"format\"";
  EXPECT_THAT(*records_.List(), ElementsAre(record_));
  EXPECT_FALSE(std::filesystem::exists(part));
}

TEST_F(ClusterRecordsTest, HasNoneWhereThereIsNoFolder) {
  EXPECT_THAT(*records_.List(), IsEmpty());
}

TEST_F(ClusterRecordsTest, NamesADamagedFile) {
  ASSERT_THAT(records_.Write(record_), IsOk());
  std::ofstream(records_.directory() + "/x.json") << "{\"format\": 1}";
  EXPECT_EQ(ReasonOf(records_.List().status()), Reason::kBadFile);
}

TEST(ClusterRecord, RefusesWhatItDidNotWrite) {
  const std::string good =
      ClusterRecord{.id = "ab", .hosts = {{.host = "a"}}}.ToJson();
  ASSERT_THAT(ClusterRecord::FromJson(good), IsOk());
  for (const auto& [from, to] :
       {std::pair("\"id\": \"ab\"", "\"id\": \"../../x\""),
        std::pair("\"id\": \"ab\"", "\"id\": \"\""),
        std::pair("\"id\": \"ab\"", "\"id\": 7"),
        std::pair("\"format\": 1", "\"format\": 2"),
        std::pair("\"hosts\"", "\"guests\""),
        std::pair("\"host\": \"a\"", "\"host\": null"), std::pair("{", "[")}) {
    std::string bad = good;
    bad.replace(bad.find(from), std::string(from).size(), to);
    EXPECT_EQ(ReasonOf(ClusterRecord::FromJson(bad).status()), Reason::kBadFile)
        << bad;
  }
}

TEST(StartTicks, TellAProcessFromALaterOneOfItsNumber) {
  EXPECT_GT(StartTicksOf(getpid()), 0U);
  EXPECT_EQ(StartTicksOf(getpid()), StartTicksOf(getpid()));
  EXPECT_EQ(StartTicksOf(1 << 30), 0U);
}

}  // namespace
}  // namespace hearth::client
