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

}  // namespace

Homes::Homes(const SpreadSource& spread, std::int64_t block_count,
             std::int64_t leaf_count) {
  const int log2 = LeafBlocksLog2(block_count, leaf_count);
  for (const Piece& piece : spread.pieces) {
    // Those that begin here; and, for who serves them, the one that a
    // neighbour began.
    const bool is_last = &piece == &spread.pieces.back();
    const LeafRun begun = {
        ((piece.block_begin - 1) >> log2) + 1,
        is_last ? leaf_count
                : std::min(((piece.block_end - 1) >> log2) + 1, leaf_count)};
    Span span{.run = {piece.block_begin >> log2, begun.end},
              .begun = begun,
              .hosts = {}};
    for (const Replica& one : piece.segment.replicas) {
      span.hosts.push_back(one.host);
      Append(at_host_[one.host], begun);
    }
    spans_.push_back(std::move(span));
  }
}

const std::vector<LeafRun>& Homes::At(const std::string& host) const {
  static const std::vector<LeafRun> nowhere;
  const auto found = at_host_.find(host);
  return found == at_host_.end() ? nowhere : found->second;
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
  for (const auto& [other, runs] : at_host_) {
    if (other != host) workers += members.ready_count_at(other);
  }
  return workers;
}

}  // namespace hearth::server
