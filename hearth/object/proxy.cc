#include "hearth/object/proxy.h"

namespace hearth {
namespace {

absl::Status Nowhere(const std::string& method) {
  return Error(Reason::kBadUsage,
               absl::StrCat("call ", method,
                            ": the proxy leads to no object; get one by name"));
}

}  // namespace

absl::StatusOr<Value> Proxy::CallValues(const std::string& method,
                                        std::vector<Value> arguments) const {
  if (target_ == nullptr) return Nowhere(method);
  return target_->Call({method, std::move(arguments)}, options_);
}

absl::Status Proxy::SendValues(const std::string& method,
                               std::vector<Value> arguments) const {
  if (target_ == nullptr) return Nowhere(method);
  return target_->Send({method, std::move(arguments)}, options_);
}

std::shared_ptr<object_internal::Outcome> Proxy::Begin(
    const std::string& method, std::vector<Value> arguments,
    const Cancellation& cancellation) const {
  auto outcome = std::make_shared<object_internal::Outcome>();
  BeginThen(
      method, std::move(arguments), cancellation,
      [outcome](absl::StatusOr<Value> value) {
        outcome->Set(std::move(value));
      },
      /*done_is_quick=*/true);
  return outcome;
}

void Proxy::BeginThen(const std::string& method, std::vector<Value> arguments,
                      const Cancellation& cancellation, Target::Done done,
                      bool done_is_quick) const {
  if (target_ == nullptr) return done(Nowhere(method));
  CallOptions options = options_;
  options.cancellation = cancellation;
  options.done_is_quick = done_is_quick;
  target_->CallLater({method, std::move(arguments)}, options, std::move(done));
}

absl::StatusOr<std::shared_ptr<ItemSource>> Proxy::Open(
    const std::string& method, std::vector<Value> arguments) const {
  absl::StatusOr<Value> value = CallValues(method, std::move(arguments));
  if (!value.ok()) return value.status();
  auto* stream = value->get<ValueStream>();
  if (stream == nullptr || stream->source == nullptr) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("iterate over ", method, ": it returns a ",
                              value->TypeName(), ", no stream"));
  }
  return std::move(stream->source);
}

absl::StatusOr<Value> Proxy::Describe() const {
  if (target_ == nullptr) return Nowhere("describe");
  return target_->Describe(options_);
}

bool Type<Proxy>::Read(Value& value, Proxy& out, std::string& fault) {
  const auto* handle = value.get<ObjectHandle>();
  if (handle == nullptr) {
    fault = object_internal::Mismatch("object", value);
    return false;
  }
  Surroundings* surroundings = SurroundingsScope::Current();
  if (surroundings == nullptr) {
    fault = "is an object, and nothing here leads to objects";
    return false;
  }
  out = Proxy(surroundings->Bind(*handle));
  return true;
}

}  // namespace hearth
