#include "hearth/base/crash_point.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "hearth/base/mutex.h"

namespace hearth {
namespace {

class CrashPlan {
 public:
  CrashPlan() {
    const char* points = std::getenv("HEARTH_CRASH_AT");
    if (points == nullptr) return;
    for (const absl::string_view point :
         absl::StrSplit(points, ',', absl::SkipEmpty())) {
      const std::pair<absl::string_view, absl::string_view> halves =
          absl::StrSplit(point, absl::MaxSplits('@', 1));
      int visits = 1;
      if (!halves.second.empty() && !absl::SimpleAtoi(halves.second, &visits)) {
        continue;
      }
      visits_left_[std::string(halves.first)] = visits;
    }
    if (const char* file = std::getenv("HEARTH_CRASH_ONCE")) once_ = file;
    any_ = !visits_left_.empty();
  }

  bool any() const { return any_; }

  bool IsNow(absl::string_view name) {
    MutexLock lock(mutex_);
    const auto found = visits_left_.find(std::string(name));
    if (found == visits_left_.end() || --found->second != 0) return false;
    if (once_.empty()) return true;
    return open(once_.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0;
  }

 private:
  bool any_ = false;
  std::string once_;
  Mutex mutex_;
  std::map<std::string, int> visits_left_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void CrashPoint(absl::string_view name) {
  static CrashPlan* const plan = new CrashPlan;
  if (plan->any() && plan->IsNow(name)) kill(getpid(), SIGKILL);
}

}  // namespace hearth
