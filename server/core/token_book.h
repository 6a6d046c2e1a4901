#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "server/core/actions.h"
#include "server/core/bytes_ref.h"

namespace hearth::server {

// Which segments of partials, states and results are wanted: the one place
// that decides that a token is dropped, so that none is dropped while wanted
// and none is forgotten.
//
// Kind: resource, single-threaded.
class TokenBook {
 public:
  bool IsLive(const Id& token) const { return live_.contains(token); }
  void Hold(const BytesRef& ref) {
    if (ref.has_token()) live_.insert(ref.token);
  }
  // Somebody else answers for it from now on.
  void Release(const Id& token) { live_.erase(token); }
  // Not wanted (any more). Harmless for inline bytes.
  void Drop(const BytesRef& ref) {
    if (ref.has_token()) Drop(ref.host, ref.token);
  }
  void Drop(absl::string_view host, const Id& token) {
    live_.erase(token);
    drops_[std::string(host)].push_back(token);
  }
  // A report that may be a second copy: what is wanted already stays.
  void DropUnlessLive(const BytesRef& ref) {
    if (!IsLive(ref.token)) Drop(ref);
  }

  // What was dropped since the last call, one action a host; but not what has
  // a second life, as a result that was given a name.
  template <class Predicate>
  void TakeDrops(Predicate is_kept, std::vector<Action>& actions) {
    for (auto& [host, tokens] : drops_) {
      std::erase_if(tokens, is_kept);
      if (!tokens.empty()) {
        actions.emplace_back(DropTokens{host, std::move(tokens)});
      }
    }
    drops_.clear();
  }
  std::size_t live_count() const { return live_.size(); }

 private:
  absl::flat_hash_set<Id> live_;
  std::map<std::string, std::vector<Id>> drops_;
};

}  // namespace hearth::server
