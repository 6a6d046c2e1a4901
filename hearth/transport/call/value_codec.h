// Values and errors of calls, to messages and back. Whatever comes from a wire
// is checked here, once.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/object/value.h"
#include "protos/object.pb.h"

namespace hearth {

void ToProto(Value value, proto::Value& out);
// Moves texts and bytes out of `message`.
//
// Fails: BAD_USAGE naming the field that no Value could have; TOO_LARGE beyond
// limits::kValueDepthMax and kCallValuesMax.
absl::StatusOr<Value> FromProto(proto::Value& message);
absl::StatusOr<std::vector<Value>> FromProto(
    google::protobuf::RepeatedPtrField<proto::Value>& messages);

proto::ObjectRef ToProto(const ObjectHandle& handle);
ObjectHandle FromProto(const proto::ObjectRef& message);

proto::CallError ToCallError(const absl::Status& status);
// Never OK.
absl::Status FromProto(const proto::CallError& error);

}  // namespace hearth
