// The queue's structs to messages and back.
#pragma once

#include "absl/status/statusor.h"
#include "protos/worker.pb.h"
#include "worker/core/task_queue_core.h"

namespace hearth::worker {

BytesRef FromWire(const proto::BytesRef& message);
proto::BytesRef ToWire(const BytesRef& bytes, const std::string& host);

Task FromWire(const proto::Task& message);
proto::Reports ToWire(const Send& batch, const std::string& host);

}  // namespace hearth::worker
