#include "hearth/transport/call/crew.h"

#include <utility>

namespace hearth {

Crew::~Crew() {
  std::deque<std::function<void()>> dropped;
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
    dropped.swap(waiting_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    // Its own last words: what it ran held the last reference to all this.
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

void Crew::Post(std::function<void()> work) {
  {
    std::scoped_lock lock(mutex_);
    if (stopping_) return;
    waiting_.push_back(std::move(work));
    if (static_cast<int>(waiting_.size()) > idle_ &&
        static_cast<int>(threads_.size()) < threads_max_) {
      threads_.emplace_back([this] { Work(); });
      return;
    }
  }
  changed_.notify_one();
}

void Crew::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (stopping_) return;
    std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

}  // namespace hearth
