// A call as it comes from a stream: its arguments, then the call itself, of an
// object with methods of every kind of parameter.
#include <string>

#include "hearth/object/declare.h"
#include "hearth/transport/call/value_codec.h"
#include "tests/fuzz/target.h"

namespace {

using hearth::fuzz::Require;

struct Pair {
  std::string name;
  std::vector<std::optional<std::int32_t>> numbers;
};
auto Describe(hearth::As<Pair>) {
  return hearth::Struct("Pair", hearth::Field("name", &Pair::name),
                        hearth::Field("numbers", &Pair::numbers));
}

class Taker {
 public:
  std::int64_t Scalars(bool a, std::uint8_t b, double c, std::string d) {
    return a + b + (c > 0) + std::ssize(d);
  }
  std::int64_t Nested(std::map<std::string, std::vector<Pair>> pairs) {
    return std::ssize(pairs);
  }
  std::int64_t Others(hearth::ValueArray array, hearth::ValueBytes bytes,
                      hearth::MatrixHandle matrix) {
    return std::ssize(array.bytes) + std::ssize(bytes.data) +
           std::ssize(matrix.text);
  }
};
hearth::Class Describe(hearth::As<Taker>) {
  return hearth::Declare<Taker>("Taker")
      .Method("scalars", &Taker::Scalars)
      .Method("nested", &Taker::Nested)
      .Method("others", &Taker::Others);
}

}  // namespace

HEARTH_FUZZ_TARGET(call_value) {
  hearth::proto::MethodCall call;
  if (!call.ParseFromArray(input.data(), static_cast<int>(input.size()))) {
    return;
  }
  auto arguments = hearth::FromProto(*call.mutable_arguments());
  if (!arguments.ok()) return;
  for (const hearth::Value& value : *arguments) {
    hearth::proto::Value message;
    hearth::ToProto(value, message);
    const auto again = hearth::FromProto(message);
    Require(again.ok());
    Require(again->TypeName() == value.TypeName());
  }
  Taker taker;
  const hearth::Class& of = *hearth::ClassOf<Taker>();
  hearth::CallContext context;
  const auto method = hearth::FindMethod(of, call.object(), call.method());
  if (method.ok()) {
    hearth::Invoke(of, **method, &taker, context, *arguments).IgnoreError();
  }
}
