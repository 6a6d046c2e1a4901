#include "server/core/fragment_book.h"

#include <algorithm>
#include <iterator>

namespace hearth::server {

void FragmentBook::Note(const Id& segment, const std::string& host,
                        BlockRun blocks) {
  if (blocks.begin >= blocks.end) return;
  std::vector<BlockRun>& runs = by_segment_[segment][host];
  // The first that is not wholly before it.
  auto first = std::lower_bound(
      runs.begin(), runs.end(), blocks.begin,
      [](const BlockRun& run, std::int64_t at) { return run.end < at; });
  auto last = first;
  for (; last != runs.end() && last->begin <= blocks.end; ++last) {
    blocks.begin = std::min(blocks.begin, last->begin);
    blocks.end = std::max(blocks.end, last->end);
  }
  if (first == last) {
    if (runs.size() < kRunsMax) runs.insert(first, blocks);
    return;
  }
  *first = blocks;
  runs.erase(std::next(first), last);
}

const FragmentBook::ByHost* FragmentBook::Find(const Id& segment) const {
  const auto found = by_segment_.find(segment);
  return found == by_segment_.end() ? nullptr : &found->second;
}

bool FragmentBook::HasAll(const Id& segment, const std::string& host,
                          BlockRun blocks) const {
  const ByHost* hosts = Find(segment);
  if (hosts == nullptr) return false;
  const auto found = hosts->find(host);
  return found != hosts->end() &&
         std::any_of(found->second.begin(), found->second.end(),
                     [&](const BlockRun& run) {
                       return run.begin <= blocks.begin &&
                              blocks.end <= run.end;
                     });
}

void FragmentBook::ForgetAt(const Id& segment, const std::string& host) {
  const auto found = by_segment_.find(segment);
  if (found == by_segment_.end()) return;
  found->second.erase(host);
  if (found->second.empty()) by_segment_.erase(found);
}

void FragmentBook::ForgetHost(const std::string& host) {
  for (auto at = by_segment_.begin(); at != by_segment_.end();) {
    at->second.erase(host);
    at = at->second.empty() ? by_segment_.erase(at) : std::next(at);
  }
}

}  // namespace hearth::server
