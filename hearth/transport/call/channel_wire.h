#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"
#include "hearth/transport/call/conversation.h"
#include "hearth/transport/call/object_host.h"

namespace hearth {

// Opens the stream of a pair of processes on `channel`: says Hello as
// `host.id()`, and returns once the other end has said who it is.
// `own_threads`: as a rule one, which reads while nobody waits.
//
// Fails: object-gone when nobody answers by `deadline`.
absl::StatusOr<std::shared_ptr<Conversation>> OpenConversation(
    std::shared_ptr<grpc::Channel> channel, ObjectHost& host,
    absl::Time deadline);

}  // namespace hearth
