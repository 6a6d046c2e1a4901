#include "worker/keeper/handover_server.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include "absl/cleanup/cleanup.h"
#include "hearth/base/descriptor_limit.h"
#include "hearth/base/limits.h"
#include "hearth/base/memfd.h"
#include "hearth/transport/handover/notice.h"
#include "hearth/transport/handover/packet.h"
#include "worker/keeper/held_probe.h"

namespace hearth::worker {
namespace {

constexpr int kAcceptsInARow = 64;
constexpr int kRequestsInARow = 16;
constexpr int kNoticesInARow = 1000;
// A notice that nothing else brings to light waits no longer.
constexpr absl::Duration kNoticePause = absl::Seconds(1);
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

template <class... Handlers>
struct Match : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Match(Handlers...) -> Match<Handlers...>;

// Of a file on another machine, what was known of it last: that machine may
// not answer.
struct statx About(int fd) {
  struct statx about {};
  if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
            STATX_TYPE | STATX_INO | STATX_BLOCKS, &about) != 0) {
    return {};
  }
  return about;
}

// What a sparse segment takes; 0 where the kernel won't tell.
std::uint64_t PagesOf(int fd) { return About(fd).stx_blocks * 512; }

// Whether `fd` is what the card says, as far as nobody can make us wait for
// the answer.
bool Matches(int fd, SegmentKind kind) {
  if (kind == SegmentKind::kFile) {
    return S_ISREG(About(fd).stx_mode);
  }
  if (kind == SegmentKind::kOpen || kind == SegmentKind::kFragment) {
    return fcntl(fd, F_GET_SEALS) >= 0;
  }
  return SealedForEver(fd);
}

// The kernel frees a gigabyte in 60 ms and more, and everybody waits for this
// thread meanwhile.
void CloseAside(int fd) {
  constexpr std::uint64_t kQuick = 256 * limits::kMiB;
  if (PagesOf(fd) < kQuick) {
    close(fd);
    return;
  }
  try {
    std::thread([fd] { close(fd); }).detach();
  } catch (const std::system_error&) {  // no thread to be had
    close(fd);
  }
}

HeldMessage ToWire(const HeldSegment& held) {
  HeldMessage line;
  line.token_high = held.token.high;
  line.token_low = held.token.low;
  line.bytes = held.bytes;
  line.segment_kind = static_cast<std::uint16_t>(held.kind);
  line.flags = static_cast<std::uint16_t>((held.is_ticket ? 1 : 0) |
                                          (held.fetched ? 2 : 0));
  line.depositor_pid = held.depositor_pid;
  return line;
}

}  // namespace

HandoverServer::Options WithinOpenFilesLimit(HandoverServer::Options options) {
  RaiseDescriptorLimit();
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  // Half for segments, an eighth for connections, an eighth for processes; the
  // rest for children and for what passes through.
  const std::size_t files = static_cast<std::size_t>(
      std::min<rlim_t>(limit.rlim_cur, 4 * limits::kSegmentsHeldMax));
  options.bounds.held_max =
      std::min<std::size_t>(limits::kSegmentsHeldMax, files / 2);
  options.bounds.watched_max = files / 8;
  options.connections_max =
      std::min<std::size_t>(limits::kKeeperConnectionsMax, files / 8);
  return options;
}

HandoverServer::HandoverServer(Options options, EventLoop& loop,
                               const Clock& clock)
    : options_(std::move(options)),
      loop_(loop),
      clock_(clock),
      books_(options_.bounds),
      watch_(loop,
             [this](pid_t process) {
               ReadNotices();
               Tell(ProcessEnded{process}, nullptr);
             }),
      kernel_counts_(KernelCountsHolders()) {}

HandoverServer::~HandoverServer() {
  loop_.Remove(options_.listener.get());
  for (const auto& [fd, connection] : connections_) loop_.Remove(fd);
}

absl::Status HandoverServer::Start() {
  return loop_.Add(options_.listener.get(), [this] { AcceptWaiting(); });
}

std::optional<absl::Time> HandoverServer::next_wake() const {
  absl::Time wake = books_.next_wake().value_or(absl::InfiniteFuture());
  wake = std::min(wake, listen_again_.value_or(absl::InfiniteFuture()));
  if (options_.notices.valid() && !books_.empty()) {
    wake = std::min(wake, notices_read_ + kNoticePause);
  }
  if (wake == absl::InfiniteFuture()) return std::nullopt;
  return wake;
}

void HandoverServer::Tick() {
  if (listen_again_.has_value() && *listen_again_ <= clock_.Now()) {
    listen_again_.reset();
    if (!Start().ok()) listen_again_ = clock_.Now() + kAcceptPause;
  }
  watch_.TryAgain();
  const absl::Time now = clock_.Now();
  const auto wake = books_.next_wake();
  const bool due = wake.has_value() && *wake <= now;
  if (due || now >= notices_read_ + kNoticePause) ReadNotices();
  if (due) Tell(TimePassed{}, nullptr);
}

void HandoverServer::ReadNotices() {
  if (!options_.notices.valid()) return;
  notices_read_ = clock_.Now();
  for (int i = 0; i < kNoticesInARow; ++i) {
    const std::optional<Notice> notice = NextNotice(options_.notices.get());
    if (!notice.has_value()) return;
    const Id token = notice->head.token();
    switch (static_cast<HandoverVerb>(notice->head.verb)) {
      case HandoverVerb::kAwait:
        Tell(Awaited{token, notice->from.pid}, nullptr);
        break;
      case HandoverVerb::kOpened:
        Tell(Opened{token, notice->from.pid}, nullptr);
        break;
      default:
        break;  // nothing that is told like this
    }
  }
}

void HandoverServer::AcceptWaiting() {
  for (int i = 0; i < kAcceptsInARow; ++i) {
    absl::StatusOr<UniqueFd> accepted =
        AcceptUnix(options_.listener.get(), options_.peers);
    if (absl::IsPermissionDenied(accepted.status())) continue;
    if (!accepted.ok()) {
      // Out of descriptors: the connection stays in the queue, and asking for
      // it again at once would only spin.
      CloseQuietest();
      loop_.Remove(options_.listener.get());
      listen_again_ = clock_.Now() + kAcceptPause;
      return;
    }
    if (!accepted->valid()) return;
    if (connections_.size() >= options_.connections_max) CloseQuietest();

    const absl::StatusOr<Peer> peer = PeerOf(accepted->get());
    const int fd = accepted->get();
    if (!peer.ok()) continue;
    connections_[fd] = {*std::move(accepted), *peer, ++uses_};
    // A client sends before we accept; its request mostly waits already.
    Serve(fd);
    if (!connections_.contains(fd)) continue;
    if (!loop_.Add(fd, [this, fd] { Serve(fd); }).ok()) connections_.erase(fd);
  }
}

void HandoverServer::CloseQuietest() {
  const auto quietest =
      std::min_element(connections_.begin(), connections_.end(),
                       [](const auto& a, const auto& b) {
                         return a.second.used < b.second.used;
                       });
  if (quietest != connections_.end()) Close(quietest->first);
}

void HandoverServer::Close(int connection) {
  loop_.Remove(connection);
  connections_.erase(connection);
}

void HandoverServer::Serve(int connection) {
  Connection& from = connections_.at(connection);
  from.used = ++uses_;
  for (int i = 0; i < kRequestsInARow; ++i) {
    if (ServeOne(from)) continue;
    if (errno != EAGAIN) Close(connection);
    return;
  }
}

// False with EAGAIN when no request waits, with another errno when the
// connection is of no more use.
bool HandoverServer::ServeOne(Connection& connection) {
  std::array<std::byte, kHandoverPacketBytesMax> buffer;
  std::vector<UniqueFd> descriptors;
  const PacketResult received =
      ReceivePacket(connection.fd.get(), buffer, descriptors);
  if (received.error != 0) {
    errno = received.error;
    return false;
  }
  const std::optional<ParsedMessage> message = ParseMessage(
      {reinterpret_cast<const char*>(buffer.data()), received.bytes});
  if (!message.has_value() || (message->head.verb & kReplyBit) != 0) {
    errno = EPROTO;
    return false;
  }
  ReadNotices();
  Request request{connection, *message, descriptors};
  reply_failed_ = false;
  absl::Cleanup forget_offers = [this] { offered_.clear(); };
  const Translated translated = Translate(request);
  if (const auto* event = std::get_if<BookEvent>(&translated)) {
    Tell(*event, &request);
  } else if (const Reason reason = std::get<Reason>(translated);
             reason != Reason::kUnspecified) {
    Answered(request, reason);
  } else {
    errno = EPROTO;
    return false;
  }
  errno = EPIPE;
  return !reply_failed_;
}

HandoverServer::Translated HandoverServer::Translate(Request& request) {
  const SegmentMessage& head = request.message.head;
  const Id token = head.token();
  const pid_t process = request.from.peer.pid;
  const auto verb = static_cast<HandoverVerb>(head.verb);
  const bool brings = verb == HandoverVerb::kDeposit ||
                      verb == HandoverVerb::kReplace ||
                      verb == HandoverVerb::kDepositTicket;
  if (request.descriptors.empty() == brings) return Reason::kUnspecified;
  if (brings && !Matches(request.descriptors.front().get(),
                         static_cast<SegmentKind>(head.segment_kind))) {
    return Reason::kBadUsage;
  }
  switch (verb) {
    case HandoverVerb::kDeposit:
    case HandoverVerb::kReplace:
      if (request.descriptors.size() != 1) return Reason::kUnspecified;
      if (options_.tickets_only) return Reason::kNotAllowed;
      {
        const int fd = request.descriptors.front().Release();
        return DepositAsked{token,
                            fd,
                            request.message.card(),
                            process,
                            verb == HandoverVerb::kReplace,
                            About(fd).stx_ino};
      }
    case HandoverVerb::kDepositTicket:
      return TranslateTicket(request);
    case HandoverVerb::kFetch:
      return FetchAsked{token, process};
    case HandoverVerb::kRelease:
      return ReleaseAsked{token, process,
                          (head.flags & SegmentMessage::kWithdraw) != 0};
    case HandoverVerb::kAwait:
      return Awaited{token, process, /*asked=*/true};
    case HandoverVerb::kOpened:
      return Opened{token, process, /*asked=*/true};
    case HandoverVerb::kList:
      if (head.count != 0) return Reason::kUnspecified;
      return ListAsked{token};
    case HandoverVerb::kDrop: {
      DropAsked asked;
      for (std::uint32_t i = 0; i < head.count; ++i) {
        TokenMessage entry;
        std::memcpy(&entry, request.message.entries.data() + i * sizeof(entry),
                    sizeof(entry));
        asked.tokens.push_back({entry.high, entry.low});
      }
      return asked;
    }
  }
  return Reason::kUnspecified;
}

HandoverServer::Translated HandoverServer::TranslateTicket(Request& request) {
  const SegmentMessage& head = request.message.head;
  const pid_t depositor = request.from.peer.pid;
  // A process of another pid namespace has no number here to watch it by.
  if (depositor == 0 || request.descriptors.size() != 1 + head.count) {
    return Reason::kUnspecified;
  }
  TicketAsked asked;
  asked.token = head.token();
  asked.card = request.message.card();
  asked.depositor = depositor;
  watch_.Refresh(depositor);
  for (std::uint32_t i = 0; i < head.count; ++i) {
    std::int32_t pid = 0;
    std::memcpy(&pid, request.message.entries.data() + i * sizeof(pid),
                sizeof(pid));
    if (pid <= 0) return Reason::kUnspecified;
    watch_.Refresh(pid);
    offered_[pid] = std::move(request.descriptors[1 + i]);
    asked.ancestors.push_back(pid);
  }
  UniqueFd& given = request.descriptors.front();
  if (kernel_counts_ && asked.card.kind != SegmentKind::kFile) {
    UniqueFd kept = KeepUncounted(given.get());
    if (kept.valid()) {
      given = std::move(kept);
      asked.fetchers_countable = true;
      // The depositor waits for our answer with its own descriptor open: if the
      // kernel doesn't count it now, it never will.
      asked.depositor_countable = CountHolders(given.get()) == Holders::kSome;
    }
  }
  asked.fd = given.Release();
  return asked;
}

void HandoverServer::Tell(const BookEvent& event, const Request* request) {
  if (telling_) {
    events_.push_back(event);
    return;
  }
  telling_ = true;
  const auto actions = books_.Handle(event, clock_.Now());
  ever_held_ = ever_held_ || !books_.empty();
  for (const BookAction& action : actions) Do(action, request);
  while (!events_.empty()) {
    const BookEvent next = std::move(events_.front());
    events_.pop_front();
    for (const BookAction& action : books_.Handle(next, clock_.Now())) {
      Do(action, nullptr);
    }
  }
  telling_ = false;
}

void HandoverServer::Answered(const Request& request, Reason reason,
                              std::uint64_t bytes_max) {
  SegmentMessage head;
  head.bytes = bytes_max;
  head.reason = static_cast<std::uint16_t>(reason);
  Reply(request, head);
}

void HandoverServer::Do(const BookAction& action, const Request* request) {
  std::visit(
      Match{
          [&](const Answer& answer) {
            Answered(*request, answer.reason, answer.bytes_max);
          },
          [&](const AnswerWithDescriptor& answer) {
            ReplyWithDescriptor(*request, answer);
          },
          [&](const AnswerWithList& answer) {
            SegmentMessage head;
            head.count = static_cast<std::uint32_t>(answer.held.size());
            head.flags = answer.more ? SegmentMessage::kMorePages : 0;
            std::string entries;
            for (HeldSegment held : answer.held) {
              const auto sparse = answer.sparse.find(held.token);
              if (sparse != answer.sparse.end()) {
                held.bytes = PagesOf(sparse->second);
              }
              const HeldMessage line = ToWire(held);
              entries.append(reinterpret_cast<const char*>(&line),
                             sizeof(line));
            }
            Reply(*request, head, {}, entries);
          },
          [&](CloseDescriptor closed) { CloseAside(closed.fd); },
          [&](WatchProcess watched) {
            UniqueFd pidfd;
            if (const auto offered = offered_.find(watched.process);
                offered != offered_.end()) {
              pidfd = std::move(offered->second);
            }
            watch_.Watch(watched.process, std::move(pidfd));
          },
          [&](UnwatchProcess watched) { watch_.Unwatch(watched.process); },
          [&](const AskForHolders& asked) {
            Tell(HoldersCounted{asked.token, MayBeHeld(asked.fd)}, nullptr);
          },
      },
      action);
}

void HandoverServer::ReplyWithDescriptor(const Request& request,
                                         const AnswerWithDescriptor& answer) {
  SegmentCard card = answer.card;
  UniqueFd fresh;
  int sent = answer.fd;
  if (answer.countable) {
    const bool open =
        card.kind == SegmentKind::kOpen || card.kind == SegmentKind::kFragment;
    fresh = OpenAgain(answer.fd, open ? O_RDWR : O_RDONLY);
    sent = fresh.get();
  }
  if (card.kind == SegmentKind::kOpen && SealedForEver(sent)) {
    // Deposited open, and sealed since by somebody who held it too. Kernels
    // before 6.7 map it only through a descriptor that can't write.
    card.kind = SegmentKind::kSealed;
    fresh = OpenAgain(sent, O_RDONLY);
    sent = fresh.get();
  }
  if (sent < 0) {
    Answered(request, Reason::kTooLarge);
    return;
  }
  SegmentMessage head;
  head.set_card(card);
  Reply(request, head, card.note, {}, sent);
}

void HandoverServer::Reply(const Request& request, SegmentMessage head,
                           absl::string_view note, absl::string_view entries,
                           int descriptor) {
  head.verb = request.message.head.verb | kReplyBit;
  head.sequence = request.message.head.sequence;
  head.set_token(request.message.head.token());
  const std::array<iovec, 3> parts = {
      iovec{.iov_base = &head, .iov_len = sizeof(head)},
      iovec{.iov_base = const_cast<char*>(note.data()), .iov_len = note.size()},
      iovec{.iov_base = const_cast<char*>(entries.data()),
            .iov_len = entries.size()}};
  const std::span<const int> descriptors =
      descriptor >= 0 ? std::span<const int>(&descriptor, 1)
                      : std::span<const int>();
  const PacketResult sent =
      SendPacket(request.from.fd.get(), parts, descriptors);
  // A client that doesn't read its answers while it asks on gets no more.
  reply_failed_ = reply_failed_ || sent.error != 0;
}

}  // namespace hearth::worker
