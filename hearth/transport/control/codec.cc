#include "hearth/transport/control/codec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"

namespace hearth {

proto::Token ToProto(const Id& id) {
  proto::Token token;
  token.set_high(id.high);
  token.set_low(id.low);
  return token;
}

Id FromProto(const proto::Token& token) { return {token.high(), token.low()}; }

proto::Layout ToProto(const MatrixLayout& layout) {
  proto::Layout message;
  message.set_element_type(static_cast<std::uint32_t>(layout.type));
  message.set_foreign_byte_order(layout.byte_order == ByteOrder::kForeign);
  message.set_fortran_order(layout.order == Order::kFortran);
  for (const std::int64_t length : layout.shape) message.add_shape(length);
  return message;
}

absl::StatusOr<MatrixLayout> FromProto(const proto::Layout& layout) {
  if (!IsKnown(layout.element_type())) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read a layout: element type ",
                              layout.element_type(), " is not one of ours"));
  }
  if (layout.shape_size() > limits::kAxisCountMax) {
    return Error(Reason::kTooLarge,
                 absl::StrCat("read a layout: ", layout.shape_size(),
                              " axes; the limit is ", limits::kAxisCountMax));
  }
  return MatrixLayout::Make(
      static_cast<ElementType>(layout.element_type()),
      layout.foreign_byte_order() ? ByteOrder::kForeign : ByteOrder::kNative,
      layout.fortran_order() ? Order::kFortran : Order::kC,
      Shape(layout.shape().begin(), layout.shape().end()));
}

proto::Failure ToProto(const absl::Status& status) {
  proto::Failure failure;
  failure.set_code(static_cast<std::uint32_t>(status.code()));
  failure.set_reason(static_cast<std::uint32_t>(ReasonOf(status)));
  failure.set_message(ValidUtf8(std::string(status.message())));
  return failure;
}

absl::Status FromProto(const proto::Failure& failure) {
  if (failure.code() == 0) return absl::OkStatus();
  const auto reason = ReasonFromNumber(failure.reason());
  if (reason.has_value() && *reason != Reason::kUnspecified) {
    return Error(*reason, failure.message());
  }
  constexpr std::uint32_t kLastCode = 16;
  const auto code = failure.code() <= kLastCode
                        ? static_cast<absl::StatusCode>(failure.code())
                        : absl::StatusCode::kUnknown;
  return absl::Status(code, failure.message());
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      ValidUtf8(std::string(status.message())),
                      ToProto(status).SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  proto::Failure failure;
  if (!status.error_details().empty() &&
      failure.ParseFromString(status.error_details()) && failure.code() != 0) {
    return FromProto(failure);
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

}  // namespace hearth
