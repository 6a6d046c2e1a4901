#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"

namespace hearth::server {

// A process that serves objects.
struct ObjectHostRecord {
  Id host{};
  std::vector<std::string> addresses{};  // best first
  std::string machine{};  // its keeper's handover address; empty: none
  std::int64_t pid = 0;
  std::vector<std::string> classes{};  // that it can create
  friend bool operator==(const ObjectHostRecord&,
                         const ObjectHostRecord&) = default;
};
// An object by its name.
struct ObjectRecord {
  std::string name{};
  std::vector<std::string> tags{};  // sorted, each once
  Id host{};
  std::string key{};
  std::string class_name{};
  friend bool operator==(const ObjectRecord&, const ObjectRecord&) = default;
};

// All that is given must hold.
struct ObjectQuery {
  std::string name{};
  std::string prefix{};
  std::vector<std::string> all_tags{};
  std::vector<std::string> any_tags{};
  Id host{};  // zero: any
};
bool Matches(const ObjectQuery& query, const ObjectRecord& record);

// --- what is told to the directory -------------------------------------------

struct HostRenewed {
  ObjectHostRecord record{};
  std::vector<std::string> names{};  // that it believes to be bound
};
struct HostEnded {
  Id host{};
};
struct NameBound {
  std::uint64_t call = 0;
  ObjectRecord record{};
  bool replace = false;
};
struct NamesUnbound {
  ObjectQuery query{};
};
// What an earlier directory knew. The first event, or none.
struct DirectoryRecovered {
  std::vector<ObjectHostRecord> hosts{};
  std::vector<ObjectRecord> names{};
};
struct DirectoryTimePassed {};
using DirectoryEvent =
    std::variant<HostRenewed, HostEnded, NameBound, NamesUnbound,
                 DirectoryRecovered, DirectoryTimePassed>;

// --- what it asks in reply ---------------------------------------------------

struct BindAnswered {
  std::uint64_t call = 0;
  absl::Status status{};
};
// For watchers and the journal, in the order in which it happened.
struct NameCame {
  ObjectRecord record{};
};
struct NameLeft {
  ObjectRecord record{};
};
struct HostCame {  // or says something new of itself
  ObjectHostRecord record{};
};
struct HostLeft {
  Id host{};
};
using DirectoryAction =
    std::variant<BindAnswered, NameCame, NameLeft, HostCame, HostLeft>;

struct DirectoryOptions {
  // What a host does not renew within this leaves.
  absl::Duration lease = absl::Seconds(4);
};

// Which object is called what, and where: names, tags, hosts, leases.
//
// Kind:   resource, single-threaded, pure. The service holds the lock.
// Time:   `now` must never run backwards.
// Bound:  limits::kObjectsMax names, limits::kTagsMax tags of each.
class DirectoryCore {
 public:
  explicit DirectoryCore(DirectoryOptions options = {}) : options_(options) {}

  std::vector<DirectoryAction> Handle(const DirectoryEvent& event,
                                      absl::Time now);

  std::vector<ObjectRecord> Find(const ObjectQuery& query) const;
  // That can create objects of a class; of any, if that is empty.
  std::vector<ObjectHostRecord> FindHosts(absl::string_view class_name) const;
  const ObjectHostRecord* FindHost(const Id& host) const;
  // Whether another host replaced what that one had bound, and still believes
  // to have.
  bool HasLost(const Id& host, const std::string& name) const;
  const DirectoryOptions& options() const { return options_; }

 private:
  using Actions = std::vector<DirectoryAction>;
  struct Host {
    ObjectHostRecord record;
    absl::Time lease_ends;
    std::set<std::string> names;
    std::set<std::string> lost;  // until it has let go of them
  };

  void On(const HostRenewed& event, absl::Time now, Actions& actions);
  void On(const HostEnded& event, absl::Time now, Actions& actions);
  void On(const NameBound& event, absl::Time now, Actions& actions);
  void On(const NamesUnbound& event, absl::Time now, Actions& actions);
  void On(const DirectoryRecovered& event, absl::Time now, Actions& actions);
  void On(const DirectoryTimePassed& event, absl::Time now, Actions& actions);
  absl::Status CheckBinding(const NameBound& event) const;
  void Unbind(const std::string& name, Actions& actions);
  void EndHost(const Id& host, Actions& actions);

  const DirectoryOptions options_;
  std::map<Id, Host> hosts_;
  std::map<std::string, ObjectRecord> names_;
};

}  // namespace hearth::server
