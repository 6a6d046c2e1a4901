#include "worker/segments/kept_segments.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "hearth/base/status.h"

namespace hearth::worker {
namespace {

constexpr std::size_t kGoneMax = 1024;

}  // namespace

std::shared_ptr<const SealedSegment> KeptSegments::Find(const Id& token) {
  const auto found =
      std::find_if(kept_.begin(), kept_.end(),
                   [&](const Kept& one) { return one.token == token; });
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.end(), kept_, found);
  return found->segment;
}

absl::StatusOr<std::shared_ptr<const SealedSegment>> KeptSegments::Map(
    const SegmentPlace& place) {
  std::uint64_t cleared = 0;
  {
    MutexLock lock(mutex_);
    if (auto kept = Find(place.token); kept != nullptr) return kept;
    cleared = cleared_;
  }
  HEARTH_ASSIGN_OR_RETURN(std::optional<FetchedSegment> fetched,
                          reach_.Fetch(place));
  if (!fetched.has_value()) return nullptr;
  HEARTH_ASSIGN_OR_RETURN(
      SealedSegment segment,
      SealedSegment::Adopt(std::move(fetched->fd), place.bytes));
  return Keep(place.token, std::move(segment), cleared);
}

std::shared_ptr<const SealedSegment> KeptSegments::Keep(const Id& token,
                                                        SealedSegment segment,
                                                        std::uint64_t cleared) {
  auto made = std::make_shared<const SealedSegment>(std::move(segment));
  std::shared_ptr<const SealedSegment> last;  // unmapped without the lock
  MutexLock lock(mutex_);
  if (std::find(gone_.begin(), gone_.end(), token) != gone_.end()) return made;
  if (cleared != cleared_) return made;  // nobody would tell that it is gone
  if (auto kept = Find(token); kept != nullptr) return kept;
  kept_.push_back({token, made});
  if (kept_.size() > kKeptMax) {
    last = std::move(kept_.front().segment);
    kept_.pop_front();
  }
  return made;
}

void KeptSegments::Forget(const Id& token) {
  std::list<Kept> gone;  // unmapped without the lock
  MutexLock lock(mutex_);
  gone_.push_back(token);
  if (gone_.size() > kGoneMax) gone_.pop_front();
  const auto found =
      std::find_if(kept_.begin(), kept_.end(),
                   [&](const Kept& one) { return one.token == token; });
  if (found != kept_.end()) gone.splice(gone.end(), kept_, found);
}

bool KeptSegments::IsGone(const Id& token) {
  MutexLock lock(mutex_);
  return std::find(gone_.begin(), gone_.end(), token) != gone_.end();
}

void KeptSegments::Clear() {
  std::list<Kept> gone;
  MutexLock lock(mutex_);
  gone.swap(kept_);
  ++cleared_;
}

}  // namespace hearth::worker
