// What a keeper is told without being woken up for it.
//
// A notice is a datagram that waits in the keeper's queue until the keeper
// looks, which it does before whatever could let a ticket go. Nobody waits for
// an answer, and no process has to run: to hand an array out once more, or to
// open one that its creator still holds, costs one system call here.
//
// Notices arrive in the order in which they were sent, by whomever: what one
// process caused in another comes after its cause.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/handover/segment_message.h"

namespace hearth {

enum class NoticeSent : std::uint8_t {
  kYes,
  kNotNow,  // the queue is full: ask, which empties it
  kNobody,  // there is no such keeper
};

// To the keeper that listens at `keeper`. Any thread, and in a forked child.
NoticeSent SendNotice(const Address& keeper, const SegmentMessage& notice);

// The keeper's end, beside its listener on an abstract name.
// Fails: name-taken; bad-usage for another kind of listener.
absl::StatusOr<UniqueFd> ListenForNotices(int listener);

struct Notice {
  SegmentMessage head;
  Peer from;
};

// The next one that this user's processes sent; nothing where none waits.
std::optional<Notice> NextNotice(int socket);

}  // namespace hearth
