#include "server/core/homes.h"

#include <algorithm>
#include <utility>

namespace hearth::server {
namespace {

// How many blocks a leaf has, as a power of two: the least that gives so many
// leaves.
int LeafBlocksLog2(std::int64_t block_count, std::int64_t leaf_count) {
  int log2 = 0;
  while (((block_count - 1) >> log2) + 1 > leaf_count) ++log2;
  return log2;
}

void Append(std::vector<LeafRun>& runs, LeafRun run) {
  if (run.empty()) return;
  if (!runs.empty() && runs.back().end >= run.begin) {
    runs.back().end = std::max(runs.back().end, run.end);
  } else {
    runs.push_back(run);
  }
}

// What of `runs` is in none of `others`; both in order.
std::vector<LeafRun> Without(const std::vector<LeafRun>& runs,
                             const std::vector<LeafRun>& others) {
  std::vector<LeafRun> rest;
  auto other = others.begin();
  for (LeafRun run : runs) {
    while (other != others.end() && other->end <= run.begin) ++other;
    for (auto at = other; at != others.end() && at->begin < run.end; ++at) {
      Append(rest, {run.begin, at->begin});
      run.begin = at->end;
    }
    Append(rest, run);
  }
  return rest;
}

std::vector<LeafRun> Joined(std::vector<LeafRun> runs) {
  std::sort(runs.begin(), runs.end());
  std::vector<LeafRun> joined;
  for (const LeafRun run : runs) Append(joined, run);
  return joined;
}

const std::vector<LeafRun>& RunsOf(
    const std::map<std::string, std::vector<LeafRun>>& by_host,
    const std::string& host) {
  static const std::vector<LeafRun> none;
  const auto found = by_host.find(host);
  return found == by_host.end() ? none : found->second;
}

}  // namespace

BlockRun BlocksOf(LeafRun run, std::int64_t block_count,
                  std::int64_t leaf_count) {
  const int log2 = LeafBlocksLog2(block_count, leaf_count);
  return {run.begin << log2, std::min(run.end << log2, block_count)};
}

Homes::Homes(const std::vector<SegmentPart>& parts,
             const FragmentBook& fragments, std::int64_t block_count,
             std::int64_t leaf_count) {
  const int log2 = LeafBlocksLog2(block_count, leaf_count);
  // The first leaf that begins at this block or later.
  const auto leaf_from = [&](std::int64_t block) {
    return block >= block_count
               ? leaf_count
               : ((block + (std::int64_t{1} << log2) - 1) >> log2);
  };
  std::vector<LeafRun> landed;
  for (const SegmentPart& part : parts) {
    // Those that begin here; and, for who serves them, the one that a
    // neighbour began.
    const LeafRun begun = {leaf_from(part.block_begin),
                           leaf_from(part.block_end)};
    Span span{.run = {part.block_begin >> log2, begun.end},
              .begun = begun,
              .hosts = {}};
    for (const Replica& one : part.segment->replicas) {
      span.hosts.push_back(one.host);
      homes_.insert(one.host);
      Append(at_host_[one.host], begun);
    }
    spans_.push_back(std::move(span));
    const auto* by_host = fragments.Find(part.segment->token);
    if (by_host == nullptr) continue;
    for (const auto& [host, runs] : *by_host) {
      if (part.segment->IsAt(host)) continue;
      for (const BlockRun& run : runs) {
        // Whole leaves alone.
        const LeafRun leaves = {leaf_from(run.begin), run.end >= block_count
                                                          ? leaf_count
                                                          : run.end >> log2};
        if (leaves.empty()) continue;
        Append(at_host_[host], leaves);
        landed.push_back(leaves);
      }
    }
  }
  if (landed.empty()) return;
  landed = Joined(std::move(landed));
  for (const std::string& host : homes_) {
    only_at_host_[host] = Without(at_host_[host], landed);
  }
}

const std::vector<LeafRun>& Homes::At(const std::string& host) const {
  return RunsOf(at_host_, host);
}

const std::vector<LeafRun>& Homes::OnlyAt(const std::string& host) const {
  return RunsOf(only_at_host_, host);
}

bool Homes::IsAt(const std::string& host, LeafRun run) const {
  const std::vector<LeafRun>& here = At(host);
  return std::any_of(here.begin(), here.end(),
                     [run](const LeafRun& one) { return one.Contains(run); });
}

std::vector<LeafRun> Homes::Served(const MembershipCore& members) const {
  std::vector<LeafRun> served;
  std::int64_t cut_off_until = 0;
  for (const Span& span : spans_) {
    const bool is_served = std::any_of(span.hosts.begin(), span.hosts.end(),
                                       [&](const std::string& host) {
                                         return members.live_count_at(host) > 0;
                                       });
    if (is_served) {
      Append(served, {std::max(span.run.begin, cut_off_until), span.run.end});
      continue;
    }
    cut_off_until = span.run.end;
    // A leaf that begins before this piece needs it, too.
    if (!served.empty() && served.back().end > span.run.begin) {
      served.back().end = span.run.begin;
      if (served.back().empty()) served.pop_back();
    }
  }
  return served;
}

std::vector<LeafRun> Homes::Unattended(const MembershipCore& members) const {
  std::vector<LeafRun> unattended;
  for (const Span& span : spans_) {
    const bool is_attended = std::any_of(
        span.hosts.begin(), span.hosts.end(), [&](const std::string& host) {
          return members.ready_count_at(host) > 0;
        });
    if (!is_attended) Append(unattended, span.begun);
  }
  if (unattended.empty()) return unattended;
  std::vector<LeafRun> both;
  for (const LeafRun served : Served(members)) {
    for (const LeafRun one : unattended) {
      Append(both, {std::max(served.begin, one.begin),
                    std::min(served.end, one.end)});
    }
  }
  return both;
}

int Homes::WorkersElsewhere(const std::string& host,
                            const MembershipCore& members) const {
  int workers = 0;
  for (const std::string& other : homes_) {
    if (other != host) workers += members.ready_count_at(other);
  }
  return workers;
}

}  // namespace hearth::server
