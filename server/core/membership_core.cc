#include "server/core/membership_core.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hearth::server {
namespace {

// A keeper numbers the places of its host; people know the worker's id.
std::string NamedByItsId(absl::string_view story, WorkerId worker) {
  absl::string_view rest = story;
  if (!absl::ConsumePrefix(&rest, "worker ")) return std::string(story);
  const std::size_t end = rest.find_first_not_of("0123456789");
  if (end == 0 || end == absl::string_view::npos || rest[end] != ' ') {
    return std::string(story);
  }
  return absl::StrCat("worker ", ToString(worker), rest.substr(end));
}

}  // namespace

absl::string_view NameOf(WorkerState state) {
  switch (state) {
    case WorkerState::kReady:
      return "ready";
    case WorkerState::kDraining:
      return "draining";
    case WorkerState::kLost:
      return "lost";
  }
  return "unknown";
}

MembershipCore::Joined MembershipCore::Join(const WorkerIdentity& identity,
                                            absl::Time now) {
  ForgetOldest();
  Joined joined;
  const auto lose = [&](WorkerId worker, absl::string_view why) {
    WorkerRecord& record = workers_.at(worker);
    if (record.state == WorkerState::kLost) return;
    MarkLost(record, why, now);
    joined.lost.push_back(worker);
  };

  const auto known = by_incarnation_.find(identity.incarnation);
  if (known != by_incarnation_.end()) {
    joined.worker = known->second;
    lose(joined.worker, "it came back on a new stream");
    std::erase(ended_, joined.worker);
  } else {
    const auto seat = by_slot_.find({identity.host, identity.slot});
    if (seat != by_slot_.end()) {
      lose(seat->second, "another process took its slot");
    }
    const bool is_free = NumberOf(identity.called) != 0 &&
                         NumberOf(identity.called) < next_number_ &&
                         !workers_.contains(identity.called);
    joined.worker = is_free ? identity.called : WorkerId{next_number_++};
  }
  by_incarnation_[identity.incarnation] = joined.worker;
  by_slot_[{identity.host, identity.slot}] = joined.worker;

  WorkerRecord& record = workers_[joined.worker];
  record.id = joined.worker;
  record.identity = identity;
  joined.epoch = ++record.epoch;
  record.state = WorkerState::kReady;
  record.lease_ends = now + lease_;
  record.lost_why.clear();
  record.is_silent = false;
  record.story.reset();
  leases_[record.lease_ends].push_back(record.id);
  CountReady(record, +1);
  File(live_by_host_, record, true);
  if (!identity.neighbourhood.empty()) {
    neighbourhoods_[identity.host] = identity.neighbourhood;
  }
  return joined;
}

bool MembershipCore::IsCurrent(WorkerId worker, std::uint64_t epoch) const {
  const WorkerRecord* record = Find(worker);
  return record != nullptr && record->state != WorkerState::kLost &&
         record->epoch == epoch;
}

bool MembershipCore::Renew(WorkerId worker, std::uint64_t epoch,
                           absl::Time now) {
  if (!IsCurrent(worker, epoch)) return false;
  workers_.at(worker).lease_ends = now + lease_;
  return true;
}

bool MembershipCore::Lose(WorkerId worker, std::uint64_t epoch,
                          absl::string_view why, absl::Time now) {
  if (!IsCurrent(worker, epoch)) return false;
  MarkLost(workers_.at(worker), why, now);
  return true;
}

bool MembershipCore::Drain(WorkerId worker) {
  const auto found = workers_.find(worker);
  if (found == workers_.end() || found->second.state == WorkerState::kLost) {
    return false;
  }
  if (found->second.state == WorkerState::kReady) {
    CountReady(found->second, -1);
    found->second.state = WorkerState::kDraining;
  }
  return true;
}

bool MembershipCore::Undrain(WorkerId worker) {
  const auto found = workers_.find(worker);
  if (found == workers_.end() || found->second.state == WorkerState::kLost) {
    return false;
  }
  if (found->second.state == WorkerState::kDraining) {
    found->second.state = WorkerState::kReady;
    CountReady(found->second, +1);
  }
  return true;
}

std::vector<WorkerId> MembershipCore::Expire(absl::Time now) {
  ForgetOldest();
  // A renewed lease leaves its entry where it was, and is filed again when
  // that one comes up: one move a lease, not one a heartbeat.
  std::vector<WorkerId> expired;
  while (!leases_.empty() && leases_.begin()->first <= now) {
    const std::vector<WorkerId> due = std::move(leases_.begin()->second);
    leases_.erase(leases_.begin());
    for (const WorkerId worker : due) {
      const auto found = workers_.find(worker);
      if (found == workers_.end()) continue;
      WorkerRecord& record = found->second;
      if (record.state == WorkerState::kLost) continue;
      if (record.lease_ends > now) {
        leases_[record.lease_ends].push_back(worker);
        continue;
      }
      MarkLost(record,
               absl::StrCat("no heartbeat for ", absl::FormatDuration(lease_)),
               now);
      record.is_silent = true;
      expired.push_back(worker);
    }
  }
  return expired;
}

void MembershipCore::Tell(absl::string_view host, std::int64_t pid,
                          absl::string_view story) {
  for (auto entry = workers_.rbegin(); entry != workers_.rend(); ++entry) {
    WorkerRecord& record = entry->second;
    if (record.identity.pid != pid || record.identity.host != host) continue;
    record.story = NamedByItsId(story, record.id);
    record.is_silent = false;
    return;
  }
}

const WorkerRecord* MembershipCore::Find(WorkerId worker) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? nullptr : &found->second;
}

std::vector<WorkerRecord> MembershipCore::List() const {
  std::vector<WorkerRecord> list;
  list.reserve(workers_.size());
  for (const auto& [id, record] : workers_) list.push_back(record);
  return list;
}

int MembershipCore::ready_count_at(absl::string_view host) const {
  const auto found = ready_by_host_.find(host);
  return found == ready_by_host_.end() ? 0
                                       : static_cast<int>(found->second.size());
}

std::vector<std::string> MembershipCore::ReadyHosts() const {
  std::vector<std::string> hosts;
  for (const auto& [host, workers] : ready_by_host_) hosts.push_back(host);
  return hosts;
}

std::vector<WorkerId> MembershipCore::ReadyAt(absl::string_view host) const {
  const auto found = ready_by_host_.find(host);
  if (found == ready_by_host_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

bool MembershipCore::AreNear(absl::string_view one,
                             absl::string_view other) const {
  if (one == other) return true;
  const auto first = neighbourhoods_.find(one);
  const auto second = neighbourhoods_.find(other);
  return first != neighbourhoods_.end() && second != neighbourhoods_.end() &&
         first->second == second->second;
}

int MembershipCore::live_count_at(absl::string_view host) const {
  const auto found = live_by_host_.find(host);
  return found == live_by_host_.end() ? 0
                                      : static_cast<int>(found->second.size());
}

std::vector<WorkerId> MembershipCore::LiveAt(absl::string_view host) const {
  const auto found = live_by_host_.find(host);
  if (found == live_by_host_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::vector<std::string> MembershipCore::AddressesAt(
    absl::string_view host) const {
  std::vector<std::string> addresses;
  const auto add = [&](const WorkerRecord& worker) {
    const std::string& address = worker.identity.address;
    if (addresses.size() == kAddressesMax || address.empty()) return;
    addresses.push_back(address);
  };
  const auto found = live_by_host_.find(host);
  if (found != live_by_host_.end()) {
    for (const WorkerId worker : found->second) add(workers_.at(worker));
    return addresses;
  }
  for (const WorkerId worker : ended_) {
    const WorkerRecord& record = workers_.at(worker);
    if (record.is_silent && record.identity.host == host) add(record);
  }
  return addresses;
}

void MembershipCore::MarkLost(WorkerRecord& record, absl::string_view why,
                              absl::Time now) {
  if (record.state == WorkerState::kReady) CountReady(record, -1);
  File(live_by_host_, record, false);
  record.state = WorkerState::kLost;
  record.lost_at = now;
  record.lost_why = std::string(why);
  if (live_count_at(record.identity.host) == 0) {
    neighbourhoods_.erase(record.identity.host);
  }
  ended_.push_back(record.id);
}

void MembershipCore::ForgetOldest() {
  while (ended_.size() > kEndedMax) {
    const auto oldest = workers_.find(ended_.front());
    ended_.pop_front();
    by_incarnation_.erase(oldest->second.identity.incarnation);
    const auto seat = by_slot_.find(
        {oldest->second.identity.host, oldest->second.identity.slot});
    if (seat != by_slot_.end() && seat->second == oldest->first) {
      by_slot_.erase(seat);
    }
    workers_.erase(oldest);
  }
}

void MembershipCore::CountReady(const WorkerRecord& record, int by) {
  ready_count_ += by;
  File(ready_by_host_, record, by > 0);
}

void MembershipCore::File(ByHost& hosts, const WorkerRecord& record,
                          bool is_in) {
  std::set<WorkerId>& there = hosts[record.identity.host];
  if (is_in) {
    there.insert(record.id);
  } else {
    there.erase(record.id);
  }
  if (there.empty()) hosts.erase(record.identity.host);
}

}  // namespace hearth::server
