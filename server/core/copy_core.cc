#include "server/core/copy_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/missing_hosts.h"

namespace hearth::server {
namespace {

bool IsAt(const std::vector<Replica>& replicas, const std::string& host) {
  return std::any_of(replicas.begin(), replicas.end(),
                     [&](const Replica& one) { return one.host == host; });
}

// Another try on that host would end the same way.
bool IsFull(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  return reason == Reason::kOutOfMemory || reason == Reason::kTooLarge;
}

}  // namespace

absl::Status CopyCore::NoHost(const Want& want, int ready, int found,
                              std::int64_t most) const {
  if (want.is_move && ready == 0) {
    return Error(Reason::kOutOfMemory,
                 absl::StrCat(want.attempt,
                              ": only this host has it and no other one is "
                              "ready; start workers on another host, or remove "
                              "it"));
  }
  const int replicas = want.count + static_cast<int>(want.from.size());
  if (ready < want.count) {
    const int there = ready + static_cast<int>(want.from.size());
    return Error(
        Reason::kOutOfMemory,
        absl::StrCat(want.attempt, ": ", MissingHosts(replicas, there)));
  }
  return Error(
      Reason::kOutOfMemory,
      absl::StrCat(want.attempt, ": ", want.bytes, " bytes need room on ",
                   want.count, " more ", want.count == 1 ? "host" : "hosts",
                   "; ", found, " of ", ready, " have it (the most that one ",
                   "has free is ", most, "); free some, or add a host"));
}

absl::Status CopyCore::Check(const Want& want) const {
  int ready = 0;
  int found = 0;
  std::int64_t most = 0;
  for (const std::string& host : members_.ReadyHosts()) {
    if (IsAt(want.from, host)) continue;
    ++ready;
    most = std::max(most, hosts_.FreeAt(host));
    found += hosts_.FreeAt(host) >= want.bytes ? 1 : 0;
  }
  if (found >= want.count) return absl::OkStatus();
  return NoHost(want, ready, found, most);
}

CopyId CopyCore::Begin(Want want, absl::Time now) {
  const CopyId copy{next_copy_++};
  look_ = true;
  Entry& entry = wants_[copy];
  entry.parts.resize(static_cast<std::size_t>(want.count));
  for (std::size_t i = 0; i < entry.parts.size(); ++i) {
    entry.parts[i].moved_at = now;
    if (i < want.planned.size()) entry.parts[i].planned = want.planned[i];
  }
  entry.want = std::move(want);
  return copy;
}

std::vector<Replica> CopyCore::Cancel(CopyId copy) {
  const auto found = wants_.find(copy);
  if (found == wants_.end()) return {};
  std::vector<Replica> made;
  for (Part& part : found->second.parts) {
    if (part.made.has_value()) made.push_back(*std::move(part.made));
    Stop(found->second, part, /*tell=*/true);
  }
  wants_.erase(found);
  return made;
}

void CopyCore::Stop(Entry& entry, Part& part, bool tell) {
  if (part.order == 0) return;
  look_ = true;
  if (tell) stops_.emplace_back(StopCopy{part.worker, part.order});
  hosts_.Unpromise(part.host, entry.want.bytes);
  by_order_.erase(part.order);
  --at_host_[part.host];
  const auto worker = at_worker_.find(part.worker);
  worker->second.erase(part.order);
  if (worker->second.empty()) at_worker_.erase(worker);
  part.order = 0;
  if (!part.made.has_value()) part.host.clear();
}

bool CopyCore::OnCopied(WorkerId worker, const SegmentCopied& copied) {
  const auto ordered = by_order_.find(copied.order);
  if (ordered == by_order_.end()) return false;
  Entry& entry = wants_.at(ordered->second);
  const auto part =
      std::find_if(entry.parts.begin(), entry.parts.end(),
                   [&](const Part& one) { return one.order == copied.order; });
  if (part->worker != worker) return false;
  const std::string host = part->host;
  if (copied.status.ok() && !copied.token.zero()) {
    part->made = Replica{copied.token, host};
    Stop(entry, *part, /*tell=*/false);
    return true;
  }
  Stop(entry, *part, /*tell=*/false);
  if (IsFull(copied.status)) {
    entry.full.insert(host);
    part->planned.clear();
  } else {
    ++entry.failures;
  }
  entry.last_failure = copied.status;
  return true;
}

void CopyCore::OnProgress(WorkerId worker, absl::Time now) {
  const auto found = at_worker_.find(worker);
  if (found == at_worker_.end()) return;
  for (const std::uint64_t order : found->second) {
    for (Part& part : wants_.at(by_order_.at(order)).parts) {
      if (part.order == order) part.moved_at = now;
    }
  }
}

void CopyCore::OnWorkerLost(WorkerId worker) {
  const auto found = at_worker_.find(worker);
  if (found == at_worker_.end()) return;
  for (const std::uint64_t order : std::set<std::uint64_t>(found->second)) {
    Entry& entry = wants_.at(by_order_.at(order));
    for (Part& part : entry.parts) {
      if (part.order == order) Stop(entry, part, /*tell=*/false);
    }
    ++entry.failures;
    entry.last_failure =
        Error(Reason::kWorkerLost,
              absl::StrCat(entry.want.attempt, ": the worker that copied it, ",
                           ToString(worker), ", was lost"));
  }
}

std::vector<Replica> CopyCore::OnHostLost(const std::string& host) {
  std::vector<Replica> lost;
  for (auto& [copy, entry] : wants_) {
    for (Part& part : entry.parts) {
      if (!part.made.has_value() || part.made->host != host) continue;
      lost.push_back(*std::exchange(part.made, std::nullopt));
      part.host.clear();
      part.planned.clear();
      look_ = true;
    }
  }
  return lost;
}

void CopyCore::OnTimePassed(absl::Time now) {
  look_ = !wants_.empty();
  for (auto& [copy, entry] : wants_) {
    for (Part& part : entry.parts) {
      if (part.order == 0 || now - part.moved_at < options_.copy_stall) {
        continue;
      }
      Stop(entry, part, /*tell=*/true);
      entry.failures = kAttemptsMax;
      entry.last_failure = Error(
          Reason::kDeadlineExceeded,
          absl::StrCat(entry.want.attempt, ": copying it to another host ",
                       "brought nothing for ",
                       absl::FormatDuration(options_.copy_stall),
                       "; is the network whole?"));
    }
  }
}

bool CopyCore::IsBusy(const std::string& host, const Entry& entry) const {
  const auto busy = at_host_.find(host);
  if (busy == at_host_.end()) return false;
  const int most = entry.want.origin == nullptr
                       ? kAtOnce
                       : std::max(kAtOnce, members_.ready_count_at(host));
  return busy->second >= most;
}

CopyCore::Choice CopyCore::Choose(const Entry& entry, const Part& part) const {
  Choice choice;
  // What is free there was counted when it was planned, and by now includes
  // some of what was planned with it: the host itself says when it is full.
  if (!part.planned.empty() && !entry.full.contains(part.planned) &&
      members_.ready_count_at(part.planned) > 0) {
    choice.may_come = IsBusy(part.planned, entry);
    if (!choice.may_come) choice.host = part.planned;
    return choice;
  }
  int ready = 0;
  int found = 0;
  std::int64_t most = 0;
  std::int64_t most_of_chosen = -1;
  for (const std::string& host : members_.ReadyHosts()) {
    const bool has_one =
        IsAt(entry.want.from, host) ||
        std::any_of(entry.parts.begin(), entry.parts.end(),
                    [&](const Part& other) {
                      return other.host == host || other.planned == host;
                    });
    if (has_one) continue;
    ++ready;
    if (entry.full.contains(host)) continue;
    const std::int64_t free = hosts_.FreeAt(host);
    most = std::max(most, free);
    if (free < entry.want.bytes) {
      // What is on its way there may be counted twice, as promised and as
      // taken: it is known when that has ended.
      const auto busy = at_host_.find(host);
      if (busy != at_host_.end() && busy->second > 0) choice.may_come = true;
      continue;
    }
    ++found;
    if (IsBusy(host, entry)) {
      choice.may_come = true;
    } else if (free > most_of_chosen) {
      most_of_chosen = free;
      choice.host = host;
    }
  }
  if (found == 0) {
    const bool was_told = ready > 0 && !entry.last_failure.ok();
    choice.why_none =
        was_told ? entry.last_failure : NoHost(entry.want, ready, found, most);
  }
  return choice;
}

std::vector<CopyCore::Ended> CopyCore::Fill(absl::Time now,
                                            std::vector<Action>& actions) {
  std::vector<Ended> ended;
  for (Action& stop : stops_) actions.emplace_back(std::move(stop));
  stops_.clear();
  if (!std::exchange(look_, false)) return ended;
  for (auto at = wants_.begin(); at != wants_.end();) {
    const auto here = at++;
    auto& [copy, entry] = *here;
    absl::Status failed;
    if (entry.failures >= kAttemptsMax) failed = entry.last_failure;
    for (Part& part : entry.parts) {
      if (!failed.ok() || part.order != 0 || part.made.has_value()) continue;
      const Choice choice = Choose(entry, part);
      if (choice.host.empty()) {
        failed = choice.may_come ? absl::OkStatus() : choice.why_none;
        continue;
      }
      const std::vector<WorkerId> workers = members_.ReadyAt(choice.host);
      const auto orders = [this](WorkerId worker) {
        const auto busy = at_worker_.find(worker);
        return busy == at_worker_.end() ? 0 : busy->second.size();
      };
      part.worker = *std::min_element(workers.begin(), workers.end(),
                                      [&](WorkerId one, WorkerId other) {
                                        return orders(one) < orders(other);
                                      });
      part.host = choice.host;
      part.order = next_order_++;
      part.moved_at = now;
      by_order_[part.order] = copy;
      ++at_host_[part.host];
      at_worker_[part.worker].insert(part.order);
      hosts_.Promise(part.host, entry.want.bytes);
      actions.emplace_back(CopySegment{
          part.worker, part.order, entry.want.segment, entry.want.from,
          entry.want.bytes, entry.want.origin, entry.want.offset});
    }
    const bool all_made =
        std::all_of(entry.parts.begin(), entry.parts.end(),
                    [](const Part& part) { return part.made.has_value(); });
    if (failed.ok() && !all_made) continue;
    const CopyId id = copy;
    ended.push_back({id, failed, Cancel(id)});
    for (Action& stop : stops_) actions.emplace_back(std::move(stop));
    stops_.clear();
  }
  return ended;
}

}  // namespace hearth::server
