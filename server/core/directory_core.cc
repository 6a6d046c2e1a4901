#include "server/core/directory_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"

namespace hearth::server {
namespace {

bool Has(const std::vector<std::string>& tags, const std::string& tag) {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

}  // namespace

bool Matches(const ObjectQuery& query, const ObjectRecord& record) {
  const auto has = [&](const std::string& tag) {
    return Has(record.tags, tag);
  };
  return (query.name.empty() || record.name == query.name) &&
         absl::StartsWith(record.name, query.prefix) &&
         (query.host.zero() || record.host == query.host) &&
         std::all_of(query.all_tags.begin(), query.all_tags.end(), has) &&
         (query.any_tags.empty() ||
          std::any_of(query.any_tags.begin(), query.any_tags.end(), has));
}

std::vector<DirectoryAction> DirectoryCore::Handle(const DirectoryEvent& event,
                                                   absl::Time now) {
  Actions actions;
  std::visit([&](const auto& one) { On(one, now, actions); }, event);
  return actions;
}

std::vector<ObjectRecord> DirectoryCore::Find(const ObjectQuery& query) const {
  std::vector<ObjectRecord> found;
  if (!query.name.empty()) {
    const auto one = names_.find(query.name);
    if (one != names_.end() && Matches(query, one->second)) {
      found.push_back(one->second);
    }
    return found;
  }
  for (auto it = names_.lower_bound(query.prefix);
       it != names_.end() && absl::StartsWith(it->first, query.prefix); ++it) {
    if (Matches(query, it->second)) found.push_back(it->second);
  }
  return found;
}

std::vector<ObjectHostRecord> DirectoryCore::FindHosts(
    absl::string_view class_name) const {
  std::vector<ObjectHostRecord> found;
  for (const auto& [id, host] : hosts_) {
    if (class_name.empty() ||
        Has(host.record.classes, std::string(class_name))) {
      found.push_back(host.record);
    }
  }
  return found;
}

const ObjectHostRecord* DirectoryCore::FindHost(const Id& host) const {
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? nullptr : &found->second.record;
}

bool DirectoryCore::HasLost(const Id& host, const std::string& name) const {
  const auto found = hosts_.find(host);
  return found != hosts_.end() && found->second.lost.contains(name);
}

void DirectoryCore::On(const HostRenewed& event, absl::Time now,
                       Actions& actions) {
  if (event.record.host.zero()) return;
  Host& host = hosts_[event.record.host];
  host.lease_ends = now + options_.lease;
  std::set<std::string> lost;
  for (const std::string& name : event.names) {
    if (host.lost.contains(name)) lost.insert(name);
  }
  host.lost = std::move(lost);
  if (host.record == event.record) return;
  host.record = event.record;
  actions.emplace_back(HostCame{event.record});
}

void DirectoryCore::On(const HostEnded& event, absl::Time, Actions& actions) {
  EndHost(event.host, actions);
}

absl::Status DirectoryCore::CheckBinding(const NameBound& event) const {
  const ObjectRecord& record = event.record;
  const auto refuse = [&](Reason reason, absl::string_view finding) {
    return Error(reason, absl::StrCat("name an object ", Quoted(record.name),
                                      ": ", finding));
  };
  if (record.name.empty() || std::ssize(record.name) > limits::kNameBytesMax ||
      std::ssize(record.key) > limits::kNameBytesMax ||
      std::ssize(record.class_name) > limits::kNameBytesMax) {
    return refuse(
        Reason::kBadUsage,
        absl::StrCat("a name has 1 to ", limits::kNameBytesMax, " bytes"));
  }
  if (std::ssize(record.tags) > limits::kTagsMax) {
    return refuse(Reason::kTooLarge,
                  absl::StrCat("it has ", record.tags.size(),
                               " tags; the limit is ", limits::kTagsMax));
  }
  for (const std::string& tag : record.tags) {
    if (tag.empty() || std::ssize(tag) > limits::kNameBytesMax) {
      return refuse(
          Reason::kBadUsage,
          absl::StrCat("a tag has 1 to ", limits::kNameBytesMax, " bytes"));
    }
  }
  if (!hosts_.contains(record.host)) {
    return refuse(Reason::kObjectGone,
                  "its process is not known here; it has to say first that it "
                  "is there");
  }
  const auto taken = names_.find(record.name);
  if (taken != names_.end() && !event.replace &&
      (taken->second.host != record.host || taken->second.key != record.key)) {
    return refuse(Reason::kNameTaken,
                  "another object has that name; choose another one, or ask "
                  "to replace it");
  }
  if (taken == names_.end() && names_.size() >= limits::kObjectsMax) {
    return refuse(Reason::kTooLarge,
                  absl::StrCat("there are ", names_.size(),
                               " names, the most there may be"));
  }
  return absl::OkStatus();
}

void DirectoryCore::On(const NameBound& event, absl::Time, Actions& actions) {
  if (absl::Status status = CheckBinding(event); !status.ok()) {
    actions.emplace_back(BindAnswered{event.call, std::move(status)});
    return;
  }
  ObjectRecord record = event.record;
  std::sort(record.tags.begin(), record.tags.end());
  record.tags.erase(std::unique(record.tags.begin(), record.tags.end()),
                    record.tags.end());
  const auto taken = names_.find(record.name);
  if (taken == names_.end() || taken->second != record) {
    if (taken != names_.end()) {
      const auto before = hosts_.find(taken->second.host);
      if (before != hosts_.end()) before->second.lost.insert(record.name);
      Unbind(record.name, actions);
    }
    hosts_[record.host].names.insert(record.name);
    hosts_[record.host].lost.erase(record.name);
    names_[record.name] = record;
    actions.emplace_back(NameCame{record});
  }
  actions.emplace_back(BindAnswered{event.call, absl::OkStatus()});
}

void DirectoryCore::On(const NamesUnbound& event, absl::Time,
                       Actions& actions) {
  for (const ObjectRecord& record : Find(event.query)) {
    Unbind(record.name, actions);
  }
}

void DirectoryCore::On(const DirectoryRecovered& event, absl::Time now,
                       Actions&) {
  for (const ObjectHostRecord& record : event.hosts) {
    hosts_[record.host] = {.record = record,
                           .lease_ends = now + options_.lease,
                           .names = {},
                           .lost = {}};
  }
  for (const ObjectRecord& record : event.names) {
    const auto host = hosts_.find(record.host);
    if (host == hosts_.end()) continue;
    host->second.names.insert(record.name);
    names_[record.name] = record;
  }
}

void DirectoryCore::On(const DirectoryTimePassed&, absl::Time now,
                       Actions& actions) {
  std::vector<Id> over;
  for (const auto& [id, host] : hosts_) {
    if (host.lease_ends <= now) over.push_back(id);
  }
  for (const Id& id : over) EndHost(id, actions);
}

void DirectoryCore::Unbind(const std::string& name, Actions& actions) {
  const auto found = names_.find(name);
  if (found == names_.end()) return;
  const auto host = hosts_.find(found->second.host);
  if (host != hosts_.end()) host->second.names.erase(name);
  actions.emplace_back(NameLeft{std::move(found->second)});
  names_.erase(found);
}

void DirectoryCore::EndHost(const Id& id, Actions& actions) {
  const auto found = hosts_.find(id);
  if (found == hosts_.end()) return;
  const std::set<std::string> names = std::move(found->second.names);
  hosts_.erase(found);
  for (const std::string& name : names) Unbind(name, actions);
  actions.emplace_back(HostLeft{id});
}

}  // namespace hearth::server
