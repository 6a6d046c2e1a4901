#include "hearth/base/absolute_path.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace hearth {
namespace {

namespace fs = std::filesystem;

class AbsolutePathOf : public ::testing::Test {
 protected:
  AbsolutePathOf() {
    std::string made = fs::temp_directory_path() / "hearth-XXXXXX";
    folder_ = fs::canonical(mkdtemp(made.data())).string();
    fs::create_directories(folder_ + "/a/b");
    fs::create_directory_symlink(folder_ + "/a/b", folder_ + "/link");
  }
  ~AbsolutePathOf() override { fs::remove_all(folder_); }

  std::string folder_;
};

TEST_F(AbsolutePathOf, LeavesOutDetours) {
  EXPECT_EQ(AbsolutePath(folder_ + "/./a//b/../x"), folder_ + "/a/x");
  EXPECT_EQ(AbsolutePath("x"), fs::current_path().string() + "/x");
}

TEST_F(AbsolutePathOf, KeepsADetourThatLeadsElsewhereThanItSays) {
  EXPECT_EQ(AbsolutePath(folder_ + "/link/x"), folder_ + "/link/x");
  EXPECT_EQ(AbsolutePath(folder_ + "/link/../x"), folder_ + "/link/../x");
  EXPECT_EQ(AbsolutePath(folder_ + "/none/../x"), folder_ + "/none/../x");
}

}  // namespace
}  // namespace hearth
