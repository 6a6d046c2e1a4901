#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "hearth/base/id.h"
#include "hearth/object/value.h"

namespace hearth {

// A call that is to run once: who asks, and the how many-eth of its such calls
// it is. Asked again, it has the same.
struct OnceId {
  Id client{};
  std::uint64_t number = 0;
  friend auto operator<=>(const OnceId&, const OnceId&) = default;
};

// The results of calls that must run once, kept until their clients have said
// that they have them.
//
// Kind:   resource, single-threaded, pure.
// Bound:  results of `bytes_max` in all. Then the oldest are let go, and their
//         calls, asked again, are told that their outcome can't be known: never
//         are they run a second time.
class OnceTable {
 public:
  explicit OnceTable(std::int64_t bytes_max) : bytes_max_(bytes_max) {}

  struct Run {};      // for the first time: run it, then Finish
  struct IsRunning {  // Finish gives `waiter` back
  };
  using Verdict =
      std::variant<Run, IsRunning, absl::StatusOr<Value>>;  // or known already

  // `waiter`: told the result if it is running already.
  Verdict Ask(const OnceId& id, std::uint64_t waiter);
  // Its result, and those who asked meanwhile.
  std::vector<std::uint64_t> Finish(const OnceId& id,
                                    const absl::StatusOr<Value>& result);
  // It was refused before it ran: asked again, it may run.
  std::vector<std::uint64_t> Withdraw(const OnceId& id);
  // The client has the results of its calls up to this number.
  void Confirm(const Id& client, std::uint64_t up_to);
  // Nobody of that client asks again.
  void Forget(const Id& client);

  std::int64_t bytes() const { return bytes_; }
  std::size_t size() const;

 private:
  struct Entry {
    std::optional<absl::StatusOr<Value>> result;  // none: it runs
    std::vector<std::uint64_t> waiters;
    std::int64_t bytes = 0;
  };
  struct Client {
    std::map<std::uint64_t, Entry> entries;
    std::uint64_t confirmed = 0;  // up to here, nobody asks again
    std::uint64_t lost = 0;       // up to here, results may have been let go
  };
  void LetGoOfOldest();

  const std::int64_t bytes_max_;
  std::int64_t bytes_ = 0;
  std::map<Id, Client> clients_;
  std::deque<OnceId> finished_;  // oldest first; may name what is gone
};

}  // namespace hearth
