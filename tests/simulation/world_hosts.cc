// Hosts: matrices on them, copies between them, and how they end.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "tests/simulation/model.h"
#include "tests/simulation/world.h"

namespace hearth::simulation {

std::string World::HostName(std::size_t host) const {
  if (scenario_.host_count == 1) return "a";
  return absl::StrCat("h", host, ".", generations_[host]);
}

void World::PutMatrices() {
  const std::string host = HostName(0);
  for (std::size_t i = 0; i < scenario_.matrices.size(); ++i) {
    if (scenario_.matrices[i].in_pieces) {
      server::PutMatrix put{.call = next_call_++, .record = {}};
      put.record.name = absl::StrCat("m", i);
      put.record.layout.shape = {kBlocksInPieces * 1024, 128};
      put.record.source = server::Unmade();
      put.replicas = scenario_.matrices[i].replicas;
      put.origin = std::make_shared<const server::Origin>(
          server::Origin{.token = NewId(), .from = server::RandomNumbers{}});
      other_calls_.insert(put.call);
      Tell(std::move(put));
      continue;
    }
    const Id token = NewId();
    segments_[token] = {.value = Mix(i), .rows = {}, .maker = {}, .host = host};
    server::PutMatrix put{.call = next_call_++, .record = {}};
    put.record.name = absl::StrCat("m", i);
    put.record.layout.shape = {1000, 8};
    put.record.source = server::SegmentAt(token, host);
    put.replicas = scenario_.matrices[i].replicas;
    other_calls_.insert(put.call);
    Tell(std::move(put));
  }
}

// As many replicas as were asked for, each with the bytes; and then nobody
// wants them any more.
void World::CheckMatrices() {
  for (std::size_t i = 0; i < scenario_.matrices.size(); ++i) {
    const std::string name = absl::StrCat("m", i);
    const auto matrix = core_->catalog().Get(name);
    if (!matrix.ok()) {
      Problem(name + " is gone from the catalog");
      continue;
    }
    const auto* spread = std::get_if<server::SpreadSource>(&(*matrix)->source);
    if ((spread != nullptr) != scenario_.matrices[i].in_pieces) {
      Problem(name + " is in pieces, or not, as it should not be");
    }
    std::int64_t offset = 0;
    for (const server::SegmentPart& part : server::SegmentsOf(**matrix)) {
      const std::uint64_t value =
          spread == nullptr ? Mix(i) : ValueOf(spread->token, offset);
      const int whole = WholeReplicas(*part.segment, value);
      if (whole != scenario_.matrices[i].replicas) {
        Problem(absl::StrCat(name, " from block ", part.block_begin, " has ",
                             whole, " whole replicas, and ",
                             part.segment->replicas.size(), " in the books"));
      }
      offset += part.bytes;
    }
    if (offset != (*matrix)->layout.bytes()) {
      Problem(name + ": its pieces are not all of it");
    }
    Tell(server::RemoveMatrix{next_call_++, name});
  }
}

// --- copies, and ends that are wanted ----------------------------------------

void World::Copy(const ProcessPtr& process, const server::CopySegment& copy) {
  const Id token = NewId();
  segments_[token] = {.value = 0,
                      .rows = {},
                      .maker = process->incarnation,
                      .host = process->host,
                      .is_open = true};
  process->copying[copy.order] = token;
  const absl::Duration most =
      absl::Milliseconds(copy.origin == nullptr ? 800 : 100);
  After(UpTo(most), [this, process, copy, token] {
    // Stopped, or its stream broke, or it died meanwhile.
    if (!process->alive || process->copying.erase(copy.order) == 0) return;
    worker::SegmentCopied copied{.order = copy.order};
    if (copy.origin != nullptr) {
      segments_[token].value = ValueOf(copy.origin->token, copy.offset);
      segments_[token].is_open = false;
      copied.token = token;
      ++counts_.pieces;
    }
    for (const server::Replica& from : copy.from) {
      const auto source = segments_.find(from.token);
      if (source == segments_.end() || source->second.is_open) continue;
      if (source->second.host == process->host) {
        Problem("a copy was made where there was one");
      }
      segments_[token].value = source->second.value;
      segments_[token].rows = source->second.rows;
      segments_[token].is_open = false;
      copied.token = token;
    }
    if (copied.token.zero()) {
      segments_.erase(token);
      copied.status = Error(Reason::kSegmentGone, "nobody has it");
    }
    ++counts_.copies;
    Hear(process, worker::CopyEnded{copied});
  });
}

std::uint64_t World::ValueOf(const Id& origin, std::int64_t offset) {
  return Mix(origin.low ^ Mix(static_cast<std::uint64_t>(offset)));
}

int World::WholeReplicas(const server::SegmentSource& source,
                         std::uint64_t value) const {
  return static_cast<int>(std::count_if(
      source.replicas.begin(), source.replicas.end(),
      [&](const server::Replica& one) {
        const auto found = segments_.find(one.token);
        return found != segments_.end() && found->second.value == value &&
               found->second.host == one.host && !found->second.is_open;
      }));
}

bool World::IsServed(const std::vector<server::Replica>& replicas) const {
  return std::any_of(replicas.begin(), replicas.end(),
                     [this](const server::Replica& one) {
                       return segments_.contains(one.token);
                     });
}

// All blocks of the leaf, of whichever pieces.
bool World::CanRead(const JobCache& job, std::int64_t leaf) const {
  if (job.pieces.empty()) return job.matrix.empty() || IsServed(job.matrix);
  int log2 = 0;
  while (((kBlocksInPieces - 1) >> log2) + 1 > job.leaf_count) ++log2;
  return std::all_of(
      job.pieces.begin(), job.pieces.end(), [&](const server::Piece& piece) {
        const bool has_some = piece.block_begin < (leaf + 1) << log2 &&
                              piece.block_end > leaf << log2;
        return !has_some || IsServed(piece.segment.replicas);
      });
}

void World::LetGo(const ProcessPtr& process) {
  process->alive = false;
  streams_.erase(process->stream);
  process->stream = 0;
  TellLeftovers(process);
  const std::size_t host = HostOf(process->slot);
  for (const ProcessPtr& other : processes_) {
    if (other->alive && HostOf(other->slot) == host) return;
  }
  if (process->host == HostName(host)) EndKeeper(host);
}

// Everything that it held is gone; later another one is started there.
void World::EndKeeper(std::size_t host) {
  const std::string name = HostName(host);
  std::erase_if(segments_,
                [&](const auto& entry) { return entry.second.host == name; });
  ++generations_[host];
  After(absl::Seconds(2) + UpTo(absl::Seconds(4)), [this, host] {
    for (int slot = 0; slot < scenario_.worker_count; ++slot) {
      if (HostOf(slot) == host) Start(slot);
    }
  });
}

// Dies, or is asked to leave, or is drained worker by worker.
void World::EndHost() {
  if (troubles_over_) return;
  const std::size_t host = Pick(static_cast<std::size_t>(scenario_.host_count));
  const std::uint64_t kind = host_ends_++ == 0 ? 0 : Pick(4);
  if (kind <= 1) {
    ++counts_.host_deaths;
    for (const ProcessPtr& process : processes_) {
      if (process == nullptr || HostOf(process->slot) != host) continue;
      if (!process->alive) continue;
      process->alive = false;
      if (process->stream != 0) Break(process->stream, false);
    }
    return EndKeeper(host);
  }
  ++counts_.drains;
  for (const ProcessPtr& process : processes_) {
    if (HostOf(process->slot) != host || !process->alive) continue;
    const auto stream = streams_.find(process->stream);
    if (stream == streams_.end() || stream->second.epoch == 0) continue;
    const server::WorkerId worker = stream->second.worker;
    if (kind == 2) {
      Tell(server::HostLeaves{worker, stream->second.epoch});
      return;
    }
    Tell(server::DrainWorker{next_call_++, worker});
  }
}

}  // namespace hearth::simulation
