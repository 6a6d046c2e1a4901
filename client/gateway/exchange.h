#pragma once

#include "client/gateway/http_message.h"
#include "client/gateway/http_reply.h"
#include "client/objects.h"

namespace hearth::client {

// Answers one request with what it asks of the objects: the paths of gateway.h.
// Waits for the call that it makes; `reply` is ended when it returns.
//
// Threads: any.
void Answer(const Objects& objects, HttpRequest request, HttpReply& reply);

}  // namespace hearth::client
