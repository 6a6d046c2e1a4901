#include "worker/keeper/runtime_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "hearth/base/error.h"
#include "hearth/base/unix_socket.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker_keeper/system_faults.h"

namespace hearth::worker {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::worker::testing::Faults;
using ::testing::HasSubstr;

class RuntimeSockets : public ::testing::Test {
 protected:
  RuntimeSockets() {
    std::string name =
        (std::filesystem::temp_directory_path() / "hearth-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~RuntimeSockets() override { std::filesystem::remove_all(folder_); }

  std::ptrdiff_t FileCount() const {
    return std::distance(std::filesystem::directory_iterator(folder_),
                         std::filesystem::directory_iterator());
  }

  std::string folder_;
};

TEST_F(RuntimeSockets, CanBeConnectedToAndLeaveNothing) {
  {
    auto one = RuntimeSocket::Make(folder_);
    auto other = RuntimeSocket::Make(folder_);
    ASSERT_THAT(one, IsOk());
    ASSERT_THAT(other, IsOk());
    EXPECT_NE(one->address(), other->address());
    for (const auto* made : {&*one, &*other}) {
      EXPECT_THAT(
          ConnectUnix(made->address(), SocketType::kPacket, absl::Seconds(1)),
          IsOk());
    }
    EXPECT_EQ(FileCount(), 4);
  }
  EXPECT_EQ(FileCount(), 0);
}

TEST_F(RuntimeSockets, OfAKilledKeeperAreSweptByTheNextStart) {
  const pid_t child = fork();
  if (child == 0) {
    const auto made = RuntimeSocket::Make(folder_);
    _exit(made.ok() ? 0 : 1);  // no destructor runs
  }
  int status = -1;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(FileCount(), 2);
  const auto next = RuntimeSocket::Make(folder_);
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ(FileCount(), 2);
  EXPECT_THAT(
      ConnectUnix(next->address(), SocketType::kPacket, absl::Seconds(1)),
      IsOk());
}

// On NFS without its lock service, or 9p, it tried new names for ever.
TEST_F(RuntimeSockets, AreRefusedWhereNothingCanBeLocked) {
  for (const int error : {ENOLCK, EOPNOTSUPP}) {
    Faults().flock_error = error;
    const auto made = RuntimeSocket::Make(folder_);
    Faults().flock_error = 0;
    EXPECT_THAT(std::string(made.status().message()),
                HasSubstr("lock a file in the runtime directory"));
    EXPECT_EQ(FileCount(), 0);
  }
}

TEST_F(RuntimeSockets, WantAFolderThatOnlyItsUserWrites) {
  EXPECT_EQ(ReasonOf(RuntimeSocket::Make(folder_ + "/none").status()),
            Reason::kFileMissing);
  chmod(folder_.c_str(), 0777);
  EXPECT_EQ(ReasonOf(RuntimeSocket::Make(folder_).status()),
            Reason::kNotAllowed);
  chmod(folder_.c_str(), 0700);
  const std::string deep = folder_ + "/" + std::string(100, 'd');
  std::filesystem::create_directory(deep);
  EXPECT_EQ(ReasonOf(RuntimeSocket::Make(deep).status()), Reason::kBadUsage);
  EXPECT_TRUE(std::filesystem::is_empty(deep));
}

}  // namespace
}  // namespace hearth::worker
