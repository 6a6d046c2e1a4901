// Segments on more hosts than one: how they get there, and what becomes of them
// when hosts go and come back.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/error.h"
#include "server/core/coordinator_impl.h"
#include "server/core/job_story.h"

namespace hearth::server {
namespace {

// A replica that no host had room for is tried again after this.
constexpr absl::Duration kMendAgain = absl::Seconds(5);
constexpr int kMendsAtOnce = 64;
// What is remembered of hosts that may come back.
constexpr std::size_t kAbsentHostsMax = 1024;
constexpr std::size_t kOwedDropsMax = 65'536;
constexpr std::size_t kLostRowsToldMax = 8;

}  // namespace

// --- put ---------------------------------------------------------------------

void CoordinatorCore::Impl::On(PutMatrix& put) {
  if (put.origin != nullptr) return Place(put);
  auto* segment = std::get_if<SegmentSource>(&put.record.source);
  if (segment != nullptr) segment->replicas_wanted = std::max(1, put.replicas);
  if (put.replicas > 1) return PutReplicas(put);
  absl::Status status = Register(
      {put.call, std::move(put.record), put.replace, put.holds_replaced});
  Say(Answer{put.call, std::move(status), {}});
}

absl::Status CoordinatorCore::Impl::Register(PendingPut put) {
  const std::string name = put.record.name;
  const auto before = catalog_.Get(name);
  const bool holds = put.holds_replaced && before.ok();
  if (holds) catalog_.Use(*before);
  absl::Status status = catalog_.Put(std::move(put.record), put.replace);
  if (status.ok()) {
    Say(KeepMatrix{*catalog_.Get(name)});
    if (holds) replaced_[put.call] = *before;
  } else if (holds) {
    catalog_.Unuse(*before);
  }
  return status;
}

void CoordinatorCore::Impl::On(PutWritten& written) {
  const auto found = replaced_.extract(written.call);
  if (!written.is_written && found.empty()) {
    RemoveMatrix remove{written.call, written.name};
    On(remove);
  } else if (!written.is_written) {
    // It was accepted once, and still has its bytes.
    catalog_.Put(*found.mapped(), /*replace=*/true).IgnoreError();
    Say(KeepMatrix{*catalog_.Get(written.name)});
  }
  if (!found.empty()) catalog_.Unuse(found.mapped());
}

void CoordinatorCore::Impl::PutReplicas(PutMatrix& put) {
  const auto refuse = [&](absl::Status status) {
    Say(Answer{put.call, std::move(status), {}});
  };
  const std::string attempt = absl::StrCat("put \"", put.record.name, "\"");
  const auto* segment = std::get_if<SegmentSource>(&put.record.source);
  if (segment == nullptr) {
    return refuse(
        Error(Reason::kBadUsage,
              absl::StrCat(attempt, ": a file is read where it lies; replicas ",
                           "are of bytes in memory, so say --copy, too")));
  }
  absl::Status possible = catalog_.CheckPut(put.record.name, put.replace);
  if (!possible.ok()) return refuse(std::move(possible));
  CopyCore::Want want{.segment = segment->token,
                      .from = segment->replicas,
                      .bytes = put.record.layout.bytes(),
                      .count = put.replicas - 1,
                      .attempt = attempt};
  possible = copies_.Check(want);
  if (!possible.ok()) return refuse(std::move(possible));
  for (const Replica& one : segment->replicas) {
    tokens_.Hold({"", one.token, one.host});
  }
  purposes_.emplace(copies_.Begin(std::move(want), now_),
                    PendingPut{put.call, std::move(put.record), put.replace,
                               put.holds_replaced});
}

void CoordinatorCore::Impl::Ended(PendingPut& put,
                                  const CopyCore::Ended& ended) {
  auto& segment = std::get<SegmentSource>(put.record.source);
  segment.replicas.insert(segment.replicas.end(), ended.made.begin(),
                          ended.made.end());
  const std::vector<Replica> replicas = segment.replicas;
  absl::Status status = ended.status;
  const CallId call = put.call;
  if (status.ok()) status = Register(std::move(put));
  for (const Replica& one : replicas) {
    if (status.ok()) {
      tokens_.Release(one.token);
    } else {
      tokens_.Drop(one.host, one.token);
    }
  }
  Say(Answer{call, std::move(status), {}});
}

// --- copies ------------------------------------------------------------------

void CoordinatorCore::Impl::On(const Sender& sender, SegmentCopied& copied) {
  const BytesRef made{"", copied.token, sender.host};
  if (copies_.OnCopied(sender.worker, copied)) {
    tokens_.Hold(made);
  } else if (made.has_token()) {
    tokens_.DropUnlessLive(made);
  }
  look_at_drains_ = true;
}

void CoordinatorCore::Impl::FillCopies() {
  for (const CopyCore::Ended& ended : copies_.Fill(now_, actions_)) {
    const auto found = purposes_.find(ended.copy);
    if (found == purposes_.end()) {  // given up with another one
      for (const Replica& one : ended.made) tokens_.Drop(one.host, one.token);
      continue;
    }
    Purpose purpose = std::move(found->second);
    purposes_.erase(found);
    std::visit([&](auto& what) { Ended(what, ended); }, purpose);
  }
}

// --- mending -----------------------------------------------------------------

void CoordinatorCore::Impl::MendSome() {
  if (options_.no_mending_for_test) return;
  for (int i = 0; i < kMendsAtOnce && !mends_due_.empty() &&
                  mends_due_.begin()->first <= now_;
       ++i) {
    const Id segment = mends_due_.begin()->second;
    mends_due_.erase(mends_due_.begin());
    const CatalogCore::Held* held = catalog_.Find(segment);
    if (held == nullptr || mending_.contains(segment) ||
        std::ssize(held->source.replicas) >= held->source.replicas_wanted) {
      continue;
    }
    CopyCore::Want want{.segment = segment,
                        .from = held->source.replicas,
                        .bytes = held->bytes,
                        .count = 1,
                        .attempt = "make a replica again"};
    if (!copies_.Check(want).ok()) {
      mends_due_.emplace(now_ + kMendAgain, segment);
      continue;
    }
    mending_.insert(segment);
    purposes_.emplace(copies_.Begin(std::move(want), now_), Mending{segment});
  }
}

void CoordinatorCore::Impl::Ended(const Mending& mending,
                                  const CopyCore::Ended& ended) {
  mending_.erase(mending.segment);
  const CatalogCore::Held* held = catalog_.Find(mending.segment);
  for (const Replica& one : ended.made) {
    // Another host may have come back with its own meanwhile.
    const bool is_wanted =
        held != nullptr && ended.status.ok() && !held->source.IsAt(one.host) &&
        std::ssize(held->source.replicas) < held->source.replicas_wanted;
    if (!is_wanted) {
      tokens_.Drop(one.host, one.token);
      continue;
    }
    std::vector<Replica> replicas = held->source.replicas;
    replicas.push_back(one);
    catalog_.SetReplicas(mending.segment, std::move(replicas));
    tokens_.Release(one.token);
  }
  const bool failed = !ended.status.ok();
  mends_due_.emplace(failed ? now_ + kMendAgain : now_, mending.segment);
}

// --- hosts that go and come back ---------------------------------------------

void CoordinatorCore::Impl::HostArrived(const std::string& host) {
  hosts_.Arrived(host);
  auto returned = absent_.extract(host);
  if (returned.empty()) return;
  for (const Id& token : returned.mapped().owed) tokens_.Drop(host, token);
  for (const auto& [segment, replica] : returned.mapped().struck) {
    const CatalogCore::Held* held = catalog_.Find(segment);
    const bool is_wanted =
        held != nullptr && !held->source.IsAt(host) &&
        (std::ssize(held->source.replicas) < held->source.replicas_wanted ||
         std::all_of(held->source.replicas.begin(), held->source.replicas.end(),
                     [&](const Replica& one) {
                       return members_.live_count_at(one.host) == 0;
                     }));
    if (!is_wanted) {
      tokens_.Drop(host, replica.token);
      continue;
    }
    std::vector<Replica> replicas = held->source.replicas;
    replicas.push_back(replica);
    catalog_.SetReplicas(segment, std::move(replicas));
  }
}

void CoordinatorCore::Impl::LoseHost(const std::string& host) {
  fragments_.ForgetHost(host);
  Strike(host);
  LosePiecesAt(host);
  // What was being copied from there alone has no beginning any more.
  std::vector<CopyId> pointless;
  for (const auto& [copy, purpose] : purposes_) {
    const auto* put = std::get_if<PendingPut>(&purpose);
    if (put == nullptr) continue;
    if (std::get<SegmentSource>(put->record.source).IsAt(host)) {
      pointless.push_back(copy);
    }
  }
  for (const CopyId copy : pointless) {
    auto put = std::move(std::get<PendingPut>(purposes_.at(copy)));
    purposes_.erase(copy);
    Ended(put, {copy,
                Error(Reason::kWorkerLost,
                      absl::StrCat("put \"", put.record.name, "\": it was on ",
                                   hosts_.Describe(host), "; put it again")),
                copies_.Cancel(copy)});
  }
  FailThoseWhoseMatrixIsLost();
}

void CoordinatorCore::Impl::Strike(const std::string& host) {
  for (const Id& segment : catalog_.SegmentsAt(host)) {
    std::vector<Replica> left;
    std::vector<Replica> struck;
    bool is_elsewhere = false;
    for (const Replica& one : catalog_.Find(segment)->source.replicas) {
      (one.host == host ? struck : left).push_back(one);
      is_elsewhere =
          is_elsewhere || (one.host != host && !hosts_.IsLost(one.host));
    }
    // The last one stays in the books: only there can it ever come back.
    if (!is_elsewhere) continue;
    absent_[host].struck[segment] = struck.front();
    catalog_.SetReplicas(segment, std::move(left));
    mends_due_.emplace(now_, segment);
  }
  for (const auto& [job, live] : live_) {
    if (live->failing.has_value()) continue;
    const JobCore::Loss loss = live->core.OnHostLost(host);
    if (loss == JobCore::Loss::kNothing) continue;
    live->core.CountRetry();
    if (loss == JobCore::Loss::kEverything) {
      scheduler_.RevokeAll(job);
    } else {
      // Sooner than they find out by themselves.
      for (const InFlight& task : scheduler_.TakeBackOnPartials(job)) {
        live->core.GiveBack(task.kind, task.round, task.run, task.care);
      }
    }
    Settle(job, *live);
  }
  while (absent_.size() > kAbsentHostsMax) absent_.erase(absent_.begin());
  look_at_everyone_ = true;
}

// A host that nobody can tell now is told when it comes back.
void CoordinatorCore::Impl::RememberDrops(std::size_t first_action) {
  for (std::size_t i = first_action; i < actions_.size(); ++i) {
    const auto* drop = std::get_if<DropTokens>(&actions_[i]);
    if (drop == nullptr || !hosts_.Knows(drop->host) ||
        members_.live_count_at(drop->host) > 0) {
      continue;
    }
    std::vector<Id>& owed = absent_[drop->host].owed;
    if (owed.size() + drop->tokens.size() > kOwedDropsMax) continue;
    owed.insert(owed.end(), drop->tokens.begin(), drop->tokens.end());
  }
}

void CoordinatorCore::Impl::TellJobsOfMoves() {
  const CatalogCore::Moved moved = catalog_.TakeMoved();
  if (!moved.any) return;
  for (const std::string& name : moved.names) {
    Say(KeepMatrix{*catalog_.Get(name)});
  }
  for (const auto& [job, live] : live_) {
    JobOrder order = *live->core.record().order;
    bool has_moved = false;
    const auto refresh = [&](MatrixPtr& matrix) {
      MatrixPtr current = catalog_.Current(matrix);
      has_moved = has_moved || current != matrix;
      matrix = std::move(current);
    };
    refresh(order.matrix);
    for (auto& [name, parameter] : order.parameters) refresh(parameter);
    if (!has_moved) continue;
    live->core.SetOrder(std::make_shared<const JobOrder>(std::move(order)));
    kept_.insert(job);
    scheduler_.BriefAgain(job);
  }
}

void CoordinatorCore::Impl::TellJobsOfAddresses() {
  const std::set<std::string> hosts = std::exchange(readdressed_, {});
  if (hosts.empty()) return;
  const auto lies_there = [&](const MatrixRecord& matrix) {
    for (const SegmentPart& part : SegmentsOf(matrix)) {
      for (const Replica& one : part.segment->replicas) {
        if (hosts.contains(one.host)) return true;
      }
    }
    return false;
  };
  for (const auto& [job, live] : live_) {
    const JobOrder& order = *live->core.record().order;
    if (lies_there(*order.matrix) ||
        std::any_of(order.parameters.begin(), order.parameters.end(),
                    [&](const auto& parameter) {
                      return lies_there(*parameter.second);
                    })) {
      scheduler_.BriefAgain(job);
    }
  }
}

// --- matrices that are lost --------------------------------------------------

// A job's record may be older than the last move.
const SegmentSource* CoordinatorCore::Impl::CurrentSource(
    const SegmentSource& segment) const {
  const CatalogCore::Held* held = catalog_.Find(segment.token);
  return held == nullptr ? &segment : &held->source;
}

bool CoordinatorCore::Impl::IsLost(const SegmentSource& segment) const {
  const SegmentSource* current = CurrentSource(segment);
  return !current->replicas.empty() &&
         std::all_of(
             current->replicas.begin(), current->replicas.end(),
             [this](const Replica& one) { return hosts_.IsLost(one.host); });
}

bool CoordinatorCore::Impl::IsLost(const MatrixRecord& matrix) const {
  if (!hosts_.any_lost()) return false;
  const auto parts = SegmentsOf(matrix);
  return std::any_of(
      parts.begin(), parts.end(),
      [this](const SegmentPart& part) { return IsLost(*part.segment); });
}

std::vector<CoordinatorCore::Impl::LostRows> CoordinatorCore::Impl::LostRowsOf(
    const MatrixRecord& matrix) const {
  std::vector<LostRows> lost;
  std::int64_t last_end = -1;
  for (const SegmentPart& part : SegmentsOf(matrix)) {
    if (!IsLost(*part.segment)) continue;
    const RowRange rows = RowsOf(matrix, part.block_begin, part.block_end);
    // Neighbours are one loss.
    if (part.block_begin == last_end) {
      lost.back().rows.end = rows.end;
    } else {
      lost.push_back({rows, {}});
    }
    last_end = part.block_end;
    const SegmentSource* current = CurrentSource(*part.segment);
    lost.back().replicas.insert(lost.back().replicas.end(),
                                current->replicas.begin(),
                                current->replicas.end());
  }
  return lost;
}

bool CoordinatorCore::Impl::WaitsForAHost(const Live& live) const {
  const JobRecord& job = live.core.record();
  const auto is_cut_off = [this](const MatrixRecord& matrix) {
    const auto parts = SegmentsOf(matrix);
    return std::any_of(
        parts.begin(), parts.end(), [this](const SegmentPart& part) {
          const SegmentSource* current = CurrentSource(*part.segment);
          return std::none_of(current->replicas.begin(),
                              current->replicas.end(),
                              [this](const Replica& one) {
                                return members_.live_count_at(one.host) > 0;
                              });
        });
  };
  const auto is_away = [this](const BytesRef& bytes) {
    return bytes.has_token() && members_.live_count_at(bytes.host) == 0;
  };
  if (is_away(live.core.round_state()) ||
      (job.plan != nullptr && is_away(job.plan->result))) {
    return true;
  }
  return is_cut_off(*job.order->matrix) ||
         std::any_of(job.order->parameters.begin(), job.order->parameters.end(),
                     [&](const auto& parameter) {
                       return is_cut_off(*parameter.second);
                     });
}

absl::Status CoordinatorCore::Impl::LostStory(
    absl::string_view attempt, const MatrixRecord& matrix) const {
  std::vector<std::string> rows;
  std::vector<std::string> hosts;
  const std::vector<LostRows> lost = LostRowsOf(matrix);
  for (const LostRows& one : lost) {
    rows.push_back(absl::StrCat(one.rows.begin, ":", one.rows.end));
    for (const Replica& replica : one.replicas) {
      std::string host = hosts_.Describe(replica.host);
      if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) {
        hosts.push_back(std::move(host));
      }
    }
  }
  std::string more;
  if (rows.size() > kLostRowsToldMax) {
    more = absl::StrCat(" and ", rows.size() - kLostRowsToldMax, " more runs");
    rows.resize(kLostRowsToldMax);
  }
  return Error(Reason::kSegmentGone,
               absl::StrCat(attempt, ": rows ", absl::StrJoin(rows, ", "), more,
                            " of \"", matrix.name, "\" were only on ",
                            absl::StrJoin(hosts, " and on "),
                            "; put it again, with --replicas 2 to be safe from "
                            "this"));
}

absl::Status CoordinatorCore::Impl::CheckMatrix(
    const MatrixRecord& matrix) const {
  if (!IsLost(matrix)) return absl::OkStatus();
  return LostStory(absl::StrCat("read \"", matrix.name, "\""), matrix);
}

void CoordinatorCore::Impl::FailThoseWhoseMatrixIsLost() {
  std::vector<std::pair<JobId, absl::Status>> lost;
  for (const auto& [job, live] : live_) {
    const JobRecord& record = live->core.record();
    if (live->failing.has_value() || record.state == JobState::kFinishing) {
      continue;
    }
    MatrixPtr gone =
        IsLost(*record.order->matrix) ? record.order->matrix : nullptr;
    for (const auto& [name, parameter] : record.order->parameters) {
      if (IsLost(*parameter)) gone = parameter;
    }
    if (gone != nullptr) {
      lost.emplace_back(job, LostStory(Describe(record), *gone));
    }
  }
  for (auto& [job, status] : lost) {
    End(job, JobState::kFailed, std::move(status));
  }
}

}  // namespace hearth::server
