#include "server/service/job_watch.h"

#include <utility>

namespace hearth::server {

std::shared_ptr<JobWatch> JobWatch::Open(OnGone on_gone) {
  std::shared_ptr<JobWatch> watch(new JobWatch(std::move(on_gone)));
  watch->self_ = watch;
  return watch;
}

void JobWatch::Show(proto::JobUpdate update, bool last) {
  {
    MutexLock lock(mutex_);
    if (last_) return;  // the outcome is the last word
    next_ = std::move(update);
    has_next_ = true;
    last_ = last;
  }
  Advance();
}

void JobWatch::Refuse(const grpc::Status& status) {
  {
    MutexLock lock(mutex_);
    if (last_) return;
    last_ = true;
    has_next_ = false;
    status_ = status;
  }
  Advance();
}

void JobWatch::Advance() {
  bool write = false;
  grpc::Status status;
  {
    MutexLock lock(mutex_);
    if (writing_ || finished_) return;
    if (has_next_ && !broken_) {
      sending_ = std::move(next_);
      has_next_ = false;
      writing_ = true;
      write = true;
    } else if (last_ || broken_) {
      finished_ = true;
      status = status_;
    } else {
      return;
    }
  }
  if (write) {
    StartWrite(&sending_);
  } else {
    Finish(status);
  }
}

void JobWatch::OnWriteDone(bool ok) {
  {
    MutexLock lock(mutex_);
    writing_ = false;
    if (!ok) broken_ = true;
  }
  Advance();
}

void JobWatch::OnCancel() {
  {
    MutexLock lock(mutex_);
    broken_ = true;
  }
  Advance();
}

void JobWatch::OnDone() {
  on_gone_(this);
  self_.reset();
}

}  // namespace hearth::server
