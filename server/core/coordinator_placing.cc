// Matrices that the cluster makes itself: planned by free memory, made by the
// workers of the hosts that they are to lie on, named once all of it is there.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/error.h"
#include "hearth/base/missing_hosts.h"
#include "hearth/matrix/partition.h"
#include "server/core/coordinator_impl.h"

namespace hearth::server {
namespace {

// What was taken or freed a moment ago is known when every host has spoken
// again.
constexpr absl::Duration kRoomWait = absl::Milliseconds(2500);
constexpr std::size_t kHostsToldMax = 8;

}  // namespace

void CoordinatorCore::Impl::Place(PutMatrix& put) {
  const auto refuse = [&](absl::Status status) {
    if (!put.origin->holder.token.zero()) {
      tokens_.Drop(put.origin->holder.host, put.origin->holder.token);
    }
    Say(Answer{put.call, std::move(status), {}});
  };
  absl::Status possible = catalog_.CheckPut(put.record.name, put.replace);
  if (!possible.ok()) return refuse(std::move(possible));
  const int ready = static_cast<int>(members_.ReadyHosts().size());
  if (ready < put.replicas) {
    return refuse(Error(Reason::kOutOfMemory,
                        absl::StrCat("put \"", put.record.name, "\": ",
                                     MissingHosts(put.replicas, ready))));
  }
  tokens_.Hold({"", put.origin->holder.token});
  const std::uint64_t number = next_placing_++;
  Placing& placing = placings_[number];
  placing = {
      .put = {put.call, std::move(put.record), put.replace, put.holds_replaced},
      .replicas = put.replicas,
      .origin = std::move(put.origin),
      .refused_at = now_ + kRoomWait,
      .planned_at = now_,
      .plan = {},
      .pieces = {},
      .under_way = {}};
  BeginPlacing(number, placing);
}

void CoordinatorCore::Impl::BeginPlacings() {
  std::vector<std::uint64_t> waiting;
  for (const auto& [number, placing] : placings_) {
    if (placing.plan.empty() && placing.planned_at <= now_) {
      waiting.push_back(number);
    }
  }
  for (const std::uint64_t number : waiting) {
    BeginPlacing(number, placings_.at(number));
  }
}

void CoordinatorCore::Impl::BeginPlacing(std::uint64_t number,
                                         Placing& placing) {
  std::vector<HostRoom> rooms;
  for (const std::string& host : members_.ReadyHosts()) {
    rooms.push_back({host, hosts_.FreeAt(host)});
  }
  auto plan = PlanSpread(placing.put.record.layout, placing.replicas, rooms);
  if (!plan.has_value()) {
    if (now_ < placing.refused_at) return;
    return FinishPlacing(number, NoRoom(placing, rooms));
  }
  placing.plan = *std::move(plan);
  placing.pieces.resize(placing.plan.size());
  for (std::size_t i = 0; i < placing.plan.size(); ++i) {
    BeginPiece(number, placing, i);
  }
}

absl::Status CoordinatorCore::Impl::NoRoom(
    const Placing& placing, const std::vector<HostRoom>& rooms) const {
  std::vector<std::string> free;
  std::int64_t in_all = 0;
  for (const HostRoom& room : rooms) {
    in_all += room.free_bytes;
    if (free.size() == kHostsToldMax) continue;
    free.push_back(absl::StrCat(room.free_bytes, " on the host of ",
                                ToString(members_.ReadyAt(room.host).front())));
  }
  if (rooms.size() > free.size()) {
    free.push_back(absl::StrCat("and so on for ", rooms.size(), " hosts"));
  }
  const MatrixRecord& record = placing.put.record;
  return Error(
      Reason::kOutOfMemory,
      absl::StrCat(
          "put \"", record.name, "\": ", record.layout.bytes(), " bytes",
          placing.replicas > 1 ? absl::StrCat(", ", placing.replicas, " times,")
                               : "",
          " don't fit into what the cluster has free, ", in_all, " bytes (",
          absl::StrJoin(free, ", "), "); free some, or add a host"));
}

void CoordinatorCore::Impl::BeginPiece(std::uint64_t number, Placing& placing,
                                       std::size_t index) {
  const PlannedPiece& piece = placing.plan[index];
  const MatrixLayout& layout = placing.put.record.layout;
  const RowBlock run =
      Partition(layout).Joined(piece.block_begin, piece.block_end);
  const std::int64_t element_bytes = BytesOf(layout.type);
  const CopyId copy = copies_.Begin(
      {.segment = placing.origin->token,
       .from = {},
       .bytes = run.element_count * element_bytes,
       .count = placing.replicas,
       .attempt = absl::StrCat("put \"", placing.put.record.name, "\""),
       .origin = placing.origin,
       .offset = run.element_begin * element_bytes,
       .planned = piece.hosts},
      now_);
  placing.under_way[copy] = index;
  purposes_.emplace(copy, PlacedPiece{number, index});
}

void CoordinatorCore::Impl::Ended(const PlacedPiece& piece,
                                  const CopyCore::Ended& ended) {
  Placing& placing = placings_.at(piece.placing);
  placing.under_way.erase(ended.copy);
  if (!ended.status.ok()) {
    for (const Replica& one : ended.made) tokens_.Drop(one.host, one.token);
    const bool was_full = ReasonOf(ended.status) == Reason::kOutOfMemory;
    if (!was_full || std::exchange(placing.has_failed, true)) {
      return FinishPlacing(piece.placing, ended.status);
    }
    // Planned by figures that were out of date: once more, by others.
    GiveUpPieces(placing);
    placing.plan.clear();
    placing.planned_at = placing.refused_at = now_ + kRoomWait;
    return;
  }
  placing.pieces[piece.piece] = {.token = ended.made.front().token,
                                 .replicas = ended.made,
                                 .replicas_wanted = placing.replicas};
  if (placing.under_way.empty()) {
    FinishPlacing(piece.placing, absl::OkStatus());
  }
}

void CoordinatorCore::Impl::GiveUpPieces(Placing& placing) {
  for (const auto& [copy, piece] : std::exchange(placing.under_way, {})) {
    purposes_.erase(copy);
    for (const Replica& one : copies_.Cancel(copy)) {
      tokens_.Drop(one.host, one.token);
    }
  }
  for (const SegmentSource& piece : std::exchange(placing.pieces, {})) {
    for (const Replica& one : piece.replicas) {
      tokens_.Drop(one.host, one.token);
    }
  }
}

void CoordinatorCore::Impl::FinishPlacing(std::uint64_t number,
                                          absl::Status status) {
  auto node = placings_.extract(number);
  Placing& placing = node.mapped();
  const Replica& holder = placing.origin->holder;
  if (!holder.token.zero()) tokens_.Drop(holder.host, holder.token);
  MatrixRecord& record = placing.put.record;
  record.sealed = true;
  if (status.ok() && placing.pieces.size() == 1) {
    record.source = placing.pieces.front();
  } else if (status.ok()) {
    SpreadSource spread{.token = placing.origin->token, .pieces = {}};
    for (std::size_t i = 0; i < placing.plan.size(); ++i) {
      spread.pieces.push_back({placing.plan[i].block_begin,
                               placing.plan[i].block_end, placing.pieces[i]});
    }
    record.source = std::move(spread);
  }
  const CallId call = placing.put.call;
  if (status.ok()) status = Register(std::move(placing.put));
  if (!status.ok()) GiveUpPieces(placing);
  for (const SegmentSource& piece : placing.pieces) {
    for (const Replica& one : piece.replicas) tokens_.Release(one.token);
    // A host was lost meanwhile.
    if (std::ssize(piece.replicas) < piece.replicas_wanted) {
      mends_due_.emplace(now_, piece.token);
    }
  }
  Say(Answer{call, std::move(status), {}});
}

// Pieces of what has no name yet are made again; there is still what they are
// made of.
void CoordinatorCore::Impl::LosePiecesAt(const std::string& host) {
  for (const Replica& one : copies_.OnHostLost(host)) {
    tokens_.Drop(one.host, one.token);
  }
  for (auto& [number, placing] : placings_) {
    for (std::size_t i = 0; i < placing.pieces.size(); ++i) {
      std::vector<Replica>& replicas = placing.pieces[i].replicas;
      const bool was_made = !replicas.empty();
      std::erase_if(replicas, [&](const Replica& one) {
        if (one.host == host) tokens_.Drop(one.host, one.token);
        return one.host == host;
      });
      if (was_made && replicas.empty()) BeginPiece(number, placing, i);
    }
  }
}

}  // namespace hearth::server
