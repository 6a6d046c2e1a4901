#include "client/cli/output/npy_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/cli_output/array_of.h"

namespace hearth::client {
namespace {

using ::hearth::testing::IsOk;
using ::testing::HasSubstr;

class NpyWriter : public ::testing::Test {
 protected:
  NpyWriter() {
    std::string path = std::filesystem::temp_directory_path() / "hearth-XXXXXX";
    directory_ = mkdtemp(path.data());
  }
  ~NpyWriter() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ / name; }
  static std::string Content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path directory_;
};

const std::vector<std::uint8_t> kThree = {1, 2, 3};

TEST_F(NpyWriter, WritesAHeaderAndTheElements) {
  ASSERT_THAT(WriteArrays(Path("a.npy"), std::vector{ViewOf(ElementType::kUint8,
                                                            {3}, kThree)}),
              IsOk());
  const std::string content = Content(Path("a.npy"));
  EXPECT_EQ(content.substr(0, 6), "\x93NUMPY");
  EXPECT_THAT(content, HasSubstr("'shape': (3,)"));
  EXPECT_EQ(content.substr(content.size() - 3), "\1\2\3");
  EXPECT_EQ(content.size() % 64, 3u);
}

TEST_F(NpyWriter, WritesSeveralArraysAsMembers) {
  ASSERT_THAT(
      WriteArrays(
          Path("a.npz"),
          std::vector{
              ViewOf(ElementType::kUint8, {3}, kThree, Order::kC, "counts"),
              ViewOf(ElementType::kUint8, {3, 1}, kThree, Order::kC, "edges")}),
      IsOk());
  const std::string content = Content(Path("a.npz"));
  EXPECT_EQ(content.substr(0, 4), "PK\3\4");
  EXPECT_THAT(content, HasSubstr("counts.npy"));
  EXPECT_THAT(content, HasSubstr("edges.npy"));
}

TEST_F(NpyWriter, RefusesSeveralArraysInOneNpy) {
  const absl::Status status = WriteArrays(
      Path("a.npy"), std::vector(2, ViewOf(ElementType::kUint8, {3}, kThree)));
  EXPECT_EQ(ReasonOf(status), Reason::kBadUsage);
  EXPECT_THAT(std::string(status.message()), HasSubstr(".npz"));
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(NpyWriter, RefusesAnotherEnding) {
  EXPECT_EQ(ReasonOf(CheckOutputPath("a.txt", 1)), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(CheckOutputPath("a", 1)), Reason::kBadUsage);
  EXPECT_THAT(CheckOutputPath("a.npz", 1), IsOk());
}

TEST_F(NpyWriter, LeavesNothingWhenAnArrayCannotBeWritten) {
  const absl::Status status = WriteArrays(
      Path("a.npy"), std::vector{ViewOf(ElementType::kFloat64, {3}, kThree)});
  EXPECT_EQ(ReasonOf(status), Reason::kInternal);
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

}  // namespace
}  // namespace hearth::client
