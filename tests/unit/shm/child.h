// A forked process that does one thing and then waits to be killed. Tests only.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

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

// What `work` returned in a forked child that has ended since; "" is what a
// child says that found nothing wrong.
inline std::string SaidByChild(absl::FunctionRef<std::string()> work) {
  std::array<int, 2> words{};
  if (pipe(words.data()) != 0) return "pipe";
  const pid_t pid = fork();
  if (pid == 0) {
    const std::string said = work();
    // Not exit(): the parent's open files and tests are not ours to end.
    _exit(write(words[1], said.data(), said.size()) ==
                  static_cast<ssize_t>(said.size())
              ? 0
              : 1);
  }
  close(words[1]);
  std::string said;
  std::array<char, 1024> piece;
  ssize_t got = 0;
  while ((got = read(words[0], piece.data(), piece.size())) > 0) {
    said.append(piece.data(), static_cast<std::size_t>(got));
  }
  close(words[0]);
  int ended = 0;
  waitpid(pid, &ended, 0);
  if (WIFSIGNALED(ended)) {
    return "killed by signal " + std::to_string(WTERMSIG(ended));
  }
  return WEXITSTATUS(ended) == 0 ? said : "the child failed";
}

}  // namespace hearth::testing
