#include "hearth/transport/reach/segment_reach.h"

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/transport/bulk/bulk_channel.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/security/identity.h"

namespace hearth {
namespace {

// A write into a segment at a time: what is on its way stays in a cache.
constexpr std::int64_t kPieceBytes = std::int64_t{1} << 20;
constexpr absl::Duration kCopyLook = absl::Milliseconds(20);

// A short break of the network is over by then.
constexpr std::size_t kRoundsBeforeAsking = 2;

// Of a question where bytes lie: they lie nowhere.
bool IsFinal(const absl::Status& status) {
  const Reason why = ReasonOf(status);
  return why == Reason::kNameUnknown || why == Reason::kSegmentGone ||
         why == Reason::kWorkerLost;
}

bool MakerIsDead(HandoverClient& keeper, const Id& token) {
  const auto held = keeper.List();
  if (!held.ok()) return false;
  return std::any_of(held->begin(), held->end(), [&](const HeldSegment& one) {
    return one.token == token && one.depositor_pid > 0 &&
           kill(one.depositor_pid, 0) != 0 && errno == ESRCH;
  });
}

}  // namespace

std::vector<ReplicaPlace> ReplicasOf(
    const google::protobuf::RepeatedPtrField<proto::Replica>& replicas) {
  std::vector<ReplicaPlace> places;
  for (const proto::Replica& replica : replicas) {
    places.push_back({.token = FromProto(replica.token()),
                      .host = replica.host(),
                      .addresses = {replica.addresses().begin(),
                                    replica.addresses().end()}});
  }
  return places;
}

absl::StatusOr<std::vector<ReplicaPlace>> ReplicasIn(
    const proto::MatrixInfo& info, const Id& token) {
  if (info.has_lost()) return FromProto(info.lost());
  const auto is_it = [&](const proto::SegmentSource& segment) {
    return FromProto(segment.token()) == token;
  };
  const proto::MatrixRecord& record = info.record();
  if (record.has_segment() && is_it(record.segment())) {
    return ReplicasOf(record.segment().replicas());
  }
  for (const proto::Piece& piece : record.spread().pieces()) {
    if (is_it(piece.segment())) return ReplicasOf(piece.segment().replicas());
  }
  return Error(Reason::kSegmentGone,
               absl::StrCat("read segment ", token.ToString(),
                            ": its matrix was replaced by another of that "
                            "name; read it anew"));
}

SegmentPlace SegmentPlace::From(const proto::SegmentSource& message,
                                std::int64_t bytes) {
  return {.token = FromProto(message.token()),
          .replicas = ReplicasOf(message.replicas()),
          .bytes = bytes};
}

void SegmentServers::Learn(const std::vector<ReplicaPlace>& replicas) {
  std::vector<Server> servers;
  std::size_t most = 0;
  for (const ReplicaPlace& one : replicas) {
    most = std::max(most, one.addresses.size());
  }
  for (std::size_t i = 0; i < most; ++i) {
    for (const ReplicaPlace& one : replicas) {
      if (i < one.addresses.size()) {
        servers.push_back({one.token, one.addresses[i]});
      }
    }
  }
  MutexLock lock(mutex_);
  failed_ = 0;
  if (servers == servers_) return;
  servers_ = std::move(servers);
  // Readers of many hosts begin with different ones.
  thread_local std::minstd_rand random(std::random_device{}());
  current_ = servers_.empty() ? 0 : random() % servers_.size();
}

bool SegmentServers::Pass(const std::optional<Server>& failed) {
  MutexLock lock(mutex_);
  // Not where somebody else has gone on already.
  if (!servers_.empty() && failed.has_value() &&
      servers_[current_] == *failed) {
    current_ = (current_ + 1) % servers_.size();
    ++failed_;
  }
  return failed_ >= kRoundsBeforeAsking * servers_.size();
}

absl::StatusOr<std::optional<SegmentServers::Server>> SegmentServers::Next(
    const std::optional<Server>& failed) {
  if (Pass(failed) && find_ != nullptr) {
    const auto replicas = find_();
    if (replicas.ok()) Learn(*replicas);
    // Without an answer the known ones may still be there again.
    if (IsFinal(replicas.status())) return replicas.status();
  }
  MutexLock lock(mutex_);
  if (servers_.empty()) return std::optional<Server>();
  return std::optional<Server>(servers_[current_]);
}

absl::StatusOr<std::optional<FetchedSegment>> SegmentReach::Fetch(
    const SegmentPlace& place) {
  absl::Status gone;
  bool is_elsewhere = false;
  for (const ReplicaPlace& replica : place.replicas) {
    const bool own = IsOwn(replica.host);
    absl::StatusOr<FetchedSegment> fetched =
        (own ? own_ : KeeperAt(replica.host)).Fetch(replica.token);
    if (fetched.ok()) {
      return std::optional<FetchedSegment>(*std::move(fetched));
    }
    const Reason why = ReasonOf(fetched.status());
    if (!own && (why == Reason::kClusterUnreachable ||
                 why == Reason::kNotAllowed)) {  // another user's
      is_elsewhere = true;
    } else {
      gone = fetched.status();
    }
  }
  if (is_elsewhere || gone.ok()) return std::optional<FetchedSegment>();
  return gone;
}

absl::StatusOr<OpenSegment> SegmentReach::Create(std::int64_t bytes) {
  auto created = OpenSegment::Create(bytes, MemoryLimits());
  if (ReasonOf(created.status()) != Reason::kOutOfMemory) return created;
  const auto held = own_.List();
  if (!held.ok()) return created;
  std::vector<Id> caches;
  for (const HeldSegment& one : *held) {
    if (one.kind == SegmentKind::kFragment) caches.push_back(one.token);
  }
  if (caches.empty()) return created;
  HEARTH_RETURN_IF_ERROR(own_.Drop(caches));
  return OpenSegment::Create(bytes, MemoryLimits());
}

std::unique_ptr<BulkStream> SegmentReach::Read(const SegmentPlace& place,
                                               std::int64_t offset,
                                               std::int64_t bytes,
                                               std::int64_t cut,
                                               BulkOptions options) {
  auto servers = place.servers != nullptr
                     ? place.servers
                     : std::make_shared<SegmentServers>(place.replicas);
  return std::make_unique<BulkStream>(
      BulkRange{place.token, offset, bytes, cut},
      [this, servers, token = place.token,
       asked = std::optional<SegmentServers::Server>()](
          int) mutable -> absl::StatusOr<BulkPeer> {
        HEARTH_ASSIGN_OR_RETURN(asked, servers->Next(asked));
        if (!asked.has_value()) {
          return Error(Reason::kSegmentGone,
                       absl::StrCat("read segment ", token.ToString(),
                                    ": no host that has it is there and serves "
                                    "it to others; it may come back, see "
                                    "\"hearth workers\""));
        }
        HEARTH_ASSIGN_OR_RETURN(auto channel, ChannelTo(asked->address));
        return BulkPeer{std::move(channel), asked->token};
      },
      std::move(options));
}

absl::StatusOr<SealedSegment> SegmentReach::Bring(const SegmentPlace& place) {
  HEARTH_ASSIGN_OR_RETURN(std::optional<FetchedSegment> fetched, Fetch(place));
  if (fetched.has_value()) {
    return SealedSegment::Adopt(std::move(fetched->fd),
                                static_cast<std::int64_t>(fetched->card.bytes));
  }
  HEARTH_ASSIGN_OR_RETURN(OpenSegment open,
                          OpenSegment::Create(place.bytes, MemoryLimits()));
  return Stream(std::move(open), place, [] { return false; });
}

absl::StatusOr<SealedSegment> SegmentReach::Stream(
    OpenSegment into, const SegmentPlace& place,
    const std::function<bool()>& cancelled,
    const std::function<absl::Status(std::int64_t)>& progress) {
  HEARTH_RETURN_IF_ERROR(
      StreamPart(into, place, {.bytes = place.bytes}, cancelled, progress));
  return into.Seal();
}

absl::Status SegmentReach::StreamPart(
    const OpenSegment& into, const SegmentPlace& place, const Part& part,
    const std::function<bool()>& cancelled,
    const std::function<absl::Status(std::int64_t)>& progress) {
  const auto stream =
      Read(place, part.from, part.bytes, kPieceBytes, {.cancelled = cancelled});
  std::vector<std::byte> piece;
  for (std::int64_t done = 0; done < part.bytes;) {
    piece.resize(
        static_cast<std::size_t>(std::min(kPieceBytes, part.bytes - done)));
    HEARTH_RETURN_IF_ERROR(stream->Next(piece));
    HEARTH_RETURN_IF_ERROR(into.WriteAt(part.to + done, piece));
    done += std::ssize(piece);
    if (progress != nullptr) {
      HEARTH_RETURN_IF_ERROR(progress(std::ssize(piece)));
    }
  }
  return absl::OkStatus();
}

Id SegmentReach::CopyTokenOf(const Id& token) {
  // Any fixed bits: what matters is that all processes find the same token, and
  // that nobody who does not know the first guesses the second.
  return {token.high ^ 0x636f70795f6f6600, token.low ^ 0x5f7365676d656e74};
}

absl::StatusOr<bool> SegmentReach::Claim(const Id& copy,
                                         const OpenSegment& mine) {
  HEARTH_RETURN_IF_ERROR(
      own_.Deposit(copy, mine.fd(),
                   {.kind = SegmentKind::kOpen,
                    .bytes = static_cast<std::uint64_t>(mine.bytes())}));
  // A keeper takes the first deposit of a token and answers all alike.
  HEARTH_ASSIGN_OR_RETURN(const FetchedSegment held, own_.Fetch(copy));
  struct stat theirs {};
  struct stat ours {};
  if (fstat(held.fd.get(), &theirs) != 0 || fstat(mine.fd(), &ours) != 0) {
    return ErrnoStatus("fstat of a segment");
  }
  return theirs.st_ino == ours.st_ino;
}

absl::StatusOr<SealedSegment> SegmentReach::BringOnce(
    const SegmentPlace& place, std::int64_t& streamed,
    const std::function<bool()>& cancelled) {
  return MakeOnce(
      CopyTokenOf(place.token), place.bytes,
      [&](const OpenSegment& open) {
        const absl::Status came =
            StreamPart(open, place, {.bytes = place.bytes}, cancelled);
        if (came.ok()) streamed += place.bytes;
        return came;
      },
      cancelled);
}

absl::StatusOr<SealedSegment> SegmentReach::MakeOnce(
    const Id& copy, std::int64_t bytes,
    const std::function<absl::Status(const OpenSegment&)>& fill,
    const std::function<bool()>& cancelled) {
  for (;;) {
    absl::StatusOr<FetchedSegment> held = own_.Fetch(copy);
    if (held.ok() && held->card.kind != SegmentKind::kOpen) {
      return SealedSegment::Adopt(std::move(held->fd),
                                  static_cast<std::int64_t>(held->card.bytes));
    }
    if (held.ok()) {  // another process of this host is at it
      if (cancelled()) {
        return Error(Reason::kJobCancelled, "wait for a copy: cancelled");
      }
      if (MakerIsDead(own_, copy)) own_.Drop(copy).IgnoreError();
      absl::SleepFor(kCopyLook);
      continue;
    }
    if (ReasonOf(held.status()) != Reason::kSegmentGone) return held.status();
    HEARTH_ASSIGN_OR_RETURN(OpenSegment open, Create(bytes));
    HEARTH_ASSIGN_OR_RETURN(const bool is_ours, Claim(copy, open));
    if (!is_ours) continue;
    absl::Cleanup give_up = [&] { own_.Drop(copy).IgnoreError(); };
    HEARTH_RETURN_IF_ERROR(fill(open));
    HEARTH_ASSIGN_OR_RETURN(SealedSegment sealed, open.Seal());
    HEARTH_RETURN_IF_ERROR(
        own_.Replace(copy, sealed.fd(),
                     {.kind = SegmentKind::kFragment,
                      .bytes = static_cast<std::uint64_t>(bytes)}));
    std::move(give_up).Cancel();
    return sealed;
  }
}

HandoverClient& SegmentReach::KeeperAt(const std::string& host) {
  MutexLock lock(mutex_);
  std::unique_ptr<HandoverClient>& keeper = keepers_[host];
  if (keeper == nullptr) {
    keeper = std::make_unique<HandoverClient>(
        HandoverOptions{.keeper = Address::Parse(host).value_or(Address())});
  }
  return *keeper;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> SegmentReach::ChannelTo(
    const std::string& address) {
  MutexLock lock(mutex_);
  std::shared_ptr<grpc::Channel>& channel = channels_[address];
  // One that failed is made anew, with the credentials of now.
  if (channel == nullptr || channel->GetState(/*try_to_connect=*/false) ==
                                GRPC_CHANNEL_TRANSIENT_FAILURE) {
    HEARTH_ASSIGN_OR_RETURN(const TcpSecurity tcp,
                            TcpSecurity::Open(security_));
    channel = ConnectBulk(address, tcp.ForChannel(), kClusterName);
  }
  return channel;
}

}  // namespace hearth
