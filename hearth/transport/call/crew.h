#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hearth {

// Threads for work that may block: as many as there is work, up to a bound.
// They wait for more when it is done.
//
// Kind:    resource; its destructor waits for what runs, and drops what waits.
// Threads: Post from any.
class Crew {
 public:
  explicit Crew(int threads_max) : threads_max_(threads_max) {}
  ~Crew();

  void Post(std::function<void()> work);

 private:
  void Work();

  const int threads_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::thread> threads_;
  int idle_ = 0;
  bool stopping_ = false;
};

}  // namespace hearth
