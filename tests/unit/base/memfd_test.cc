#include "hearth/base/memfd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace hearth {
namespace {

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

// Where vm.memfd_noexec is 2 the kernel makes no other; where there is no such
// setting (before 6.3), nothing is to be sealed.
TEST(Memfd, CanBeSealedAndNeverExecuted) {
  const UniqueFd made = NewMemfd("test");
  ASSERT_TRUE(made.valid());
  const int seals = fcntl(made.get(), F_GET_SEALS);
  EXPECT_EQ(seals & F_SEAL_SEAL, 0);
  if (access("/proc/sys/vm/memfd_noexec", F_OK) == 0) {
    EXPECT_NE(seals & F_SEAL_EXEC, 0);
  }
  EXPECT_NE(fcntl(made.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(fcntl(made.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
}

}  // namespace
}  // namespace hearth
