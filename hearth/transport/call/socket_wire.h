#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/call/conversation.h"
#include "hearth/transport/call/object_host.h"

namespace hearth {

// A connected stream socket on which frames go without gRPC.
struct PlainSocket {
  UniqueFd fd;  // does not block; invalid: there is none to that address
  bool carries_descriptors = false;  // a Unix socket
};

// As OpenConversation of a channel, for who listens with an ObjectListener.
//
// Fails: object-gone when nobody answers by `deadline`, or hangs up.
absl::StatusOr<std::shared_ptr<Conversation>> OpenConversation(
    PlainSocket socket, ObjectHost& host, absl::Time deadline);

}  // namespace hearth
