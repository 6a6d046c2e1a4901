// Values and errors of calls, to messages and back. Whatever comes from a wire
// is checked here, once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/object/value.h"
#include "hearth/transport/call/attachment.h"
#include "protos/object.pb.h"

namespace hearth {

// A text that is no UTF-8 travels as bytes: Protobuf would end the stream at
// it. Large arrays go to `beside`, which is made when it is needed first;
// without it, into the message like the others.
void ToProto(Value value, proto::Value& out,
             std::shared_ptr<Attachment>* beside = nullptr);
// Moves texts and bytes out of `message`.
//
// Fails: BAD_USAGE naming the field that no Value could have; TOO_LARGE beyond
// limits::kValueDepthMax and kCallValuesMax.
// What couldn't be had of what is attached to the frame is the error, too.
absl::StatusOr<Value> FromProto(proto::Value& message,
                                const Attached& attached = Attached(nullptr));
absl::StatusOr<std::vector<Value>> FromProto(
    google::protobuf::RepeatedPtrField<proto::Value>& messages,
    const Attached& attached = Attached(nullptr));

// TOO_LARGE for what no connection would take: it would break there, and every
// call that is under way on it. `what` begins the message: "call add: its
// arguments".
absl::Status CheckFitsMessage(const google::protobuf::MessageLite& message,
                              absl::string_view what);

proto::ObjectRef ToProto(const ObjectHandle& handle);
ObjectHandle FromProto(const proto::ObjectRef& message);

proto::CallError ToCallError(const absl::Status& status);
// Never OK.
absl::Status FromProto(const proto::CallError& error);

}  // namespace hearth
