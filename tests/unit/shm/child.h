// A forked process that does one thing and then waits to be killed. Tests only.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "absl/functional/function_ref.h"

namespace hearth::testing {

class Child {
 public:
  // Returns once `work` is done in the child, which then stays.
  explicit Child(absl::FunctionRef<void()> work) {
    std::array<int, 2> done{};
    if (pipe(done.data()) != 0) ADD_FAILURE() << "pipe";
    pid_ = fork();
    if (pid_ == 0) {
      work();
      if (write(done[1], "x", 1) != 1) _exit(1);
      for (;;) pause();
    }
    char byte = 0;
    close(done[1]);
    EXPECT_EQ(read(done[0], &byte, 1), 1) << "the child ended early";
    close(done[0]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { Kill(); }

  pid_t pid() const { return pid_; }

  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    int ended = 0;
    waitpid(pid_, &ended, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace hearth::testing
