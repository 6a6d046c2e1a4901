#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/base/clock.h"
#include "hearth/base/unique_fd.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/handover/segment_message.h"
#include "worker/keeper/event_loop.h"
#include "worker/keeper/keeper_books.h"
#include "worker/keeper/process_watch.h"

namespace hearth::worker {

// The keeper's end of the handover protocol: translates packets into what the
// books understand, and carries out what they decide.
//
// Notices are read before whatever could let a ticket go: before each request,
// each end of a process, each look, and once a second while anything is held.
//
// No client can hold up another: nothing here blocks, a client gets a few
// requests in a row, one that sends what is no request or does not read its
// answers is cut off, and when all places are taken the one that has been quiet
// longest gives up its own (its next request reconnects).
//
// Kind:    resource. Single-threaded.
class HandoverServer {
 public:
  struct Options {
    UniqueFd listener;
    UniqueFd notices = {};  // see notice.h; nothing where none are expected
    PeerRule peers;
    std::size_t connections_max = 0;
    KeeperBooks::Bounds bounds;
    // Tickets only: nothing that is held until it is dropped.
    bool tickets_only = false;
  };
  HandoverServer(Options options, EventLoop& loop,
                 const Clock& clock = Clock::Real());
  ~HandoverServer();
  HandoverServer(const HandoverServer&) = delete;
  HandoverServer& operator=(const HandoverServer&) = delete;

  absl::Status Start();

  // When Tick() is due at the latest.
  std::optional<absl::Time> next_wake() const;
  void Tick();

  const KeeperBooks& books() const { return books_; }
  bool ever_held() const { return ever_held_; }

 private:
  struct Connection {
    UniqueFd fd;
    Peer peer;
    std::uint64_t used = 0;  // a count that grows: least is quiet longest
  };
  struct Request {
    Connection& from;
    const ParsedMessage& message;
    std::vector<UniqueFd>& descriptors;
  };

  void Listen();
  void AcceptWaiting();
  void CloseQuietest();
  void Close(int connection);
  void Serve(int connection);
  bool ServeOne(Connection& connection);
  void ReadNotices();
  // What the books are told, or why they aren't; kUnspecified for a request
  // whose parts don't fit each other, which nobody meant.
  using Translated = std::variant<BookEvent, Reason>;
  Translated Translate(Request& request);
  Translated TranslateTicket(Request& request);

  void Tell(const BookEvent& event, const Request* request);
  void Do(const BookAction& action, const Request* request);
  void Answered(const Request& request, Reason reason,
                std::uint64_t bytes_max = 0);
  void ReplyWithDescriptor(const Request& request,
                           const AnswerWithDescriptor& answer);
  void Reply(const Request& request, SegmentMessage head,
             absl::string_view note = {}, absl::string_view entries = {},
             int descriptor = -1);

  Options options_;
  EventLoop& loop_;
  const Clock& clock_;
  KeeperBooks books_;
  ProcessWatch watch_;
  const bool kernel_counts_;
  std::map<int, Connection> connections_;
  // pidfds that came with the request that is being served.
  std::map<pid_t, UniqueFd> offered_;
  // Events that arose while actions were carried out: they wait for the rest.
  std::deque<BookEvent> events_;
  bool telling_ = false;
  std::uint64_t uses_ = 0;
  bool reply_failed_ = false;
  bool ever_held_ = false;
  absl::Time notices_read_ = absl::InfinitePast();
  std::optional<absl::Time> listen_again_;  // accept() failed: a pause
};

// Bounds that leave room within the limit of open files, which is raised to
// its hard one first.
HandoverServer::Options WithinOpenFilesLimit(HandoverServer::Options options);

}  // namespace hearth::worker
