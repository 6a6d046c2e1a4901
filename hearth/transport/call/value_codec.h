// Values and errors of calls, to messages and back. Whatever comes from a wire
// is checked here, once.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/object/value.h"
#include "protos/object.pb.h"

namespace hearth {

// A text that is no UTF-8 travels as bytes: Protobuf would end the stream at
// it.
void ToProto(Value value, proto::Value& out);
// For names: what is no UTF-8, C-escaped.
std::string Utf8(std::string text);
// Moves texts and bytes out of `message`.
//
// Fails: BAD_USAGE naming the field that no Value could have; TOO_LARGE beyond
// limits::kValueDepthMax and kCallValuesMax.
absl::StatusOr<Value> FromProto(proto::Value& message);
absl::StatusOr<std::vector<Value>> FromProto(
    google::protobuf::RepeatedPtrField<proto::Value>& messages);

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
