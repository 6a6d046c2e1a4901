// Layouts and failures, as every message carries them.
#include "hearth/base/error.h"
#include "hearth/transport/control/codec.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(control_codec) {
  const auto size = static_cast<int>(input.size());
  hearth::proto::Layout layout;
  if (layout.ParseFromArray(input.data(), size)) {
    const auto read = hearth::FromProto(layout);
    if (read.ok()) {
      Require(read->bytes() >= 0 && read->element_count() >= 0);
      const auto again = hearth::FromProto(hearth::ToProto(*read));
      Require(again.ok() && *again == *read);
    }
  }
  hearth::proto::Failure failure;
  if (failure.ParseFromArray(input.data(), size)) {
    const absl::Status status = hearth::FromProto(failure);
    Require(status.ok() == (failure.code() == 0));
    const absl::Status again = hearth::FromGrpc(hearth::ToGrpc(status));
    Require(again.code() == status.code() &&
            hearth::ReasonOf(again) == hearth::ReasonOf(status));
  }
  hearth::FromGrpc(
      grpc::Status(grpc::StatusCode::UNKNOWN, "message", std::string(input)))
      .IgnoreError();
}
