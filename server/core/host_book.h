#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace hearth::server {

// What is known of hosts beside who works there: the memory that their keepers
// have for segments, and since when nobody has been heard of them.
//
// A host whose last worker is gone is missing. After the grace it is lost: what
// only it held is not counted on any more. It may come back after that, with
// all that it held: its keeper lives as long as its name.
//
// Kind:  resource, single-threaded.
// Bound: hosts that are there, and the last kLostMax that were lost.
class HostBook {
 public:
  static constexpr std::size_t kLostMax = 1024;
  // A claim beyond this is nobody's memory.
  static constexpr std::int64_t kFreeBytesMax = std::int64_t{1} << 50;

  explicit HostBook(absl::Duration grace) : grace_(grace) {}

  // A worker of it is there (again).
  void Arrived(const std::string& host);
  // Its last worker is gone; `who` says which one, for people.
  void Emptied(const std::string& host, std::string who, absl::Time now);
  // It has left for good: lost without a grace.
  void Left(const std::string& host);
  // Missing for longer than the grace, since the last call: lost from now on.
  std::vector<std::string> TakeLost(absl::Time now);

  bool any_lost() const { return !lost_.empty(); }
  bool Knows(const std::string& host) const { return hosts_.contains(host); }
  bool IsLost(const std::string& host) const;
  // "the host of w3 at 10.0.0.2:7001, which was lost (its connection broke)"
  std::string Describe(const std::string& host) const;

  // As its workers say; anything below zero is nothing.
  void NoteFree(const std::string& host, std::int64_t bytes);
  // Memory that a copy on its way there will take.
  void Promise(const std::string& host, std::int64_t bytes);
  void Unpromise(const std::string& host, std::int64_t bytes);
  std::int64_t FreeAt(const std::string& host) const;

 private:
  struct Host {
    std::int64_t free_bytes = 0;
    std::int64_t promised_bytes = 0;
    std::optional<absl::Time> missing_since;
    bool lost = false;
    std::string who;
  };

  void MarkLost(const std::string& host, Host& entry);

  const absl::Duration grace_;
  std::map<std::string, Host> hosts_;
  std::multimap<absl::Time, std::string> missing_;  // looked at lazily
  std::vector<std::string> lost_;                   // oldest first
};

}  // namespace hearth::server
