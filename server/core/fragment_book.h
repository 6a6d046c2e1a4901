#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hearth/base/id.h"

namespace hearth::server {

// Row blocks [begin, end) of a matrix.
struct BlockRun {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  friend bool operator==(const BlockRun&, const BlockRun&) = default;
};

// Where row blocks have landed beside the hosts that are counted on to keep
// them. Caches, which those hosts may have let go of since: good for choosing
// who computes what, never counted on.
//
// Kind:  resource, single-threaded.
// Bound: kRunsMax runs a segment and host; what is beyond is not noted.
class FragmentBook {
 public:
  static constexpr std::size_t kRunsMax = 4096;
  using ByHost = std::map<std::string, std::vector<BlockRun>>;

  void Note(const Id& segment, const std::string& host, BlockRun blocks);
  // In order, neighbours joined; null where nothing of it landed anywhere.
  const ByHost* Find(const Id& segment) const;
  bool HasAll(const Id& segment, const std::string& host,
              BlockRun blocks) const;

  void Forget(const Id& segment) { by_segment_.erase(segment); }
  void ForgetHost(const std::string& host);
  void ForgetAt(const Id& segment, const std::string& host);

 private:
  std::map<Id, ByHost> by_segment_;
};

}  // namespace hearth::server
