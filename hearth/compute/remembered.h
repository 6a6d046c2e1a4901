#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "hearth/base/mutex.h"
#include "hearth/base/status.h"
#include "hearth/compute/operation.h"

namespace hearth {

// What was last made of a state: a plan is given the same one for each row
// block of a pass.
//
// Threads: any. Several may make it at once; one of theirs stays.
template <class T>
class Remembered {
 public:
  // What make(), a StatusOr<T>, gives for those bytes.
  template <class Make>
  absl::StatusOr<std::shared_ptr<const T>> Get(std::span<const std::byte> bytes,
                                               Make&& make) const {
    std::shared_ptr<const Entry> entry;
    {
      MutexLock lock(mutex_);
      entry = entry_;
    }
    if (entry == nullptr ||
        !std::equal(bytes.begin(), bytes.end(), entry->bytes.begin(),
                    entry->bytes.end())) {
      HEARTH_ASSIGN_OR_RETURN(T made, make());
      entry = std::make_shared<const Entry>(
          Entry{Bytes(bytes.begin(), bytes.end()), std::move(made)});
      MutexLock lock(mutex_);
      entry_ = entry;
    }
    return std::shared_ptr<const T>(entry, &entry->made);
  }

 private:
  struct Entry {
    Bytes bytes;
    T made;
  };
  mutable Mutex mutex_;
  mutable std::shared_ptr<const Entry> entry_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hearth
