#include "hearth/transport/call/value_codec.h"

#include <google/protobuf/stubs/common.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/object/call_error.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

// For what travels beside a call or an answer: ids, metadata, an error's stack.
constexpr std::int64_t kFrameRoom = 64 * limits::kKiB;

bool IsUtf8(const std::string& text) {
  return google::protobuf::internal::IsStructurallyValidUTF8(
      text.data(), static_cast<int>(text.size()));
}

using Beside = std::shared_ptr<Attachment>*;

void PutAll(std::vector<Value> items, proto::Values& out, Beside beside) {
  for (Value& item : items) ToProto(std::move(item), *out.add_items(), beside);
}

struct Writes {
  proto::Value& out;
  const Beside beside;

  void operator()(std::monostate) const { out.Clear(); }
  void operator()(bool value) const { out.set_boolean(value); }
  void operator()(std::int64_t value) const { out.set_integer(value); }
  void operator()(std::uint64_t value) const { out.set_natural(value); }
  void operator()(double value) const { out.set_real(value); }
  void operator()(std::string& text) const {
    if (IsUtf8(text)) {
      out.set_text(std::move(text));
    } else {
      out.set_data(std::move(text));
    }
  }
  void operator()(ValueBytes& bytes) const {
    out.set_data(std::move(bytes.data));
  }
  void operator()(Value::List& list) const {
    PutAll(std::move(list), *out.mutable_list(), beside);
  }
  void operator()(ValueTuple& tuple) const {
    PutAll(std::move(tuple.items), *out.mutable_tuple(), beside);
  }
  void operator()(Value::Map& map) const {
    proto::Values& values = *out.mutable_map();
    for (auto& [key, value] : map) {
      ToProto(std::move(key), *values.add_items(), beside);
      ToProto(std::move(value), *values.add_items(), beside);
    }
  }
  void operator()(ValueStruct& of) const {
    proto::StructValue& structure = *out.mutable_structure();
    structure.set_type(ValidUtf8(std::move(of.type)));
    for (auto& [name, value] : of.fields) {
      structure.add_names(ValidUtf8(std::move(name)));
      ToProto(std::move(value), *structure.add_values(), beside);
    }
  }
  void operator()(ValueArray& array) const {
    proto::ArrayValue& message = *out.mutable_array();
    *message.mutable_layout() = ToProto(array.layout);
    if (beside == nullptr ||
        std::ssize(array.bytes.view()) < limits::kArrayInlineBytesMax) {
      message.set_data(std::move(array.bytes).Take());
      return;
    }
    if (*beside == nullptr) *beside = std::make_shared<Attachment>();
    message.set_attached_at(
        static_cast<std::uint64_t>((*beside)->Add(std::move(array.bytes))));
  }
  void operator()(MatrixHandle& matrix) const {
    out.set_matrix(ValidUtf8(std::move(matrix.text)));
  }
  void operator()(ObjectHandle& object) const {
    *out.mutable_object() = ToProto(object);
  }
  void operator()(ValueStream& stream) const { out.set_stream(stream.id); }
};

// Reads within bounds on depth and count.
class Reader {
 public:
  explicit Reader(const Attached& attached) : attached_(attached) {}
  absl::StatusOr<Value> Read(proto::Value& message, int depth) {
    if (++count_ > limits::kCallValuesMax) {
      return Error(Reason::kTooLarge,
                   absl::StrCat("read a value: there are more than ",
                                limits::kCallValuesMax, " in one message"));
    }
    if (depth > limits::kValueDepthMax) {
      return Error(Reason::kTooLarge,
                   absl::StrCat("read a value: it is nested deeper than ",
                                limits::kValueDepthMax));
    }
    switch (message.kind_case()) {
      case proto::Value::kBoolean:
        return Value(message.boolean());
      case proto::Value::kInteger:
        return Value(static_cast<std::int64_t>(message.integer()));
      case proto::Value::kNatural:
        return Value(static_cast<std::uint64_t>(message.natural()));
      case proto::Value::kReal:
        return Value(message.real());
      case proto::Value::kText:
        return Value(std::move(*message.mutable_text()));
      case proto::Value::kData:
        return Value(ValueBytes{std::move(*message.mutable_data())});
      case proto::Value::kList: {
        HEARTH_ASSIGN_OR_RETURN(
            auto items,
            ReadAll(*message.mutable_list()->mutable_items(), depth + 1));
        return Value(std::move(items));
      }
      case proto::Value::kTuple: {
        HEARTH_ASSIGN_OR_RETURN(
            auto items,
            ReadAll(*message.mutable_tuple()->mutable_items(), depth + 1));
        return Value(ValueTuple{std::move(items)});
      }
      case proto::Value::kMap:
        return ReadMap(*message.mutable_map(), depth);
      case proto::Value::kStructure:
        return ReadStruct(*message.mutable_structure(), depth);
      case proto::Value::kArray:
        return ReadArray(*message.mutable_array());
      case proto::Value::kMatrix:
        return Value(MatrixHandle{std::move(*message.mutable_matrix())});
      case proto::Value::kObject:
        return Value(FromProto(message.object()));
      case proto::Value::kStream:
        return Value(ValueStream{.id = message.stream()});
      case proto::Value::KIND_NOT_SET:
        return Value();
    }
    return Value();
  }

  absl::StatusOr<std::vector<Value>> ReadAll(
      google::protobuf::RepeatedPtrField<proto::Value>& messages, int depth) {
    std::vector<Value> values;
    values.reserve(static_cast<std::size_t>(messages.size()));
    for (proto::Value& message : messages) {
      HEARTH_ASSIGN_OR_RETURN(Value value, Read(message, depth));
      values.push_back(std::move(value));
    }
    return values;
  }

 private:
  absl::StatusOr<Value> ReadMap(proto::Values& message, int depth) {
    if (message.items_size() % 2 != 0) {
      return Error(Reason::kBadUsage,
                   "read a value: a map has a key without a value");
    }
    HEARTH_ASSIGN_OR_RETURN(auto items,
                            ReadAll(*message.mutable_items(), depth + 1));
    Value::Map map;
    map.reserve(items.size() / 2);
    for (std::size_t i = 0; i < items.size(); i += 2) {
      map.emplace_back(std::move(items[i]), std::move(items[i + 1]));
    }
    return Value(std::move(map));
  }

  absl::StatusOr<Value> ReadStruct(proto::StructValue& message, int depth) {
    if (message.names_size() != message.values_size()) {
      return Error(
          Reason::kBadUsage,
          absl::StrCat("read a value: a struct has ", message.names_size(),
                       " names and ", message.values_size(), " values"));
    }
    HEARTH_ASSIGN_OR_RETURN(auto values,
                            ReadAll(*message.mutable_values(), depth + 1));
    ValueStruct out{.type = std::move(*message.mutable_type()), .fields = {}};
    for (std::size_t i = 0; i < values.size(); ++i) {
      out.fields.emplace_back(
          std::move(*message.mutable_names(static_cast<int>(i))),
          std::move(values[i]));
    }
    return Value(std::move(out));
  }

  absl::StatusOr<Value> ReadArray(proto::ArrayValue& message) const {
    HEARTH_ASSIGN_OR_RETURN(MatrixLayout layout, FromProto(message.layout()));
    if (message.has_attached_at()) {
      HEARTH_RETURN_IF_ERROR(attached_.status());
      if (*attached_ == nullptr) {
        return Error(Reason::kBadUsage,
                     absl::StrCat("read a value: an array of shape ",
                                  ToString(layout.shape),
                                  " is said to lie beside the message, where "
                                  "nothing came"));
      }
      HEARTH_ASSIGN_OR_RETURN(
          ArrayBytes bytes,
          (*attached_)->At(message.attached_at(), layout.bytes()));
      return Value(ValueArray{std::move(layout), std::move(bytes)});
    }
    if (layout.bytes() != std::ssize(message.data())) {
      return Error(
          Reason::kBadUsage,
          absl::StrCat("read a value: an array of shape ",
                       ToString(layout.shape), " needs ", layout.bytes(),
                       " bytes, and came with ", message.data().size()));
    }
    return Value(
        ValueArray{std::move(layout), std::move(*message.mutable_data())});
  }

  const Attached& attached_;
  std::int64_t count_ = 0;
};

}  // namespace

void ToProto(Value value, proto::Value& out,
             std::shared_ptr<Attachment>* beside) {
  std::visit(Writes{out, beside}, const_cast<Value::Variant&>(value.variant()));
}

absl::StatusOr<Value> FromProto(proto::Value& message,
                                const Attached& attached) {
  return Reader(attached).Read(message, 0);
}

absl::StatusOr<std::vector<Value>> FromProto(
    google::protobuf::RepeatedPtrField<proto::Value>& messages,
    const Attached& attached) {
  return Reader(attached).ReadAll(messages, 0);
}

absl::Status CheckFitsMessage(const google::protobuf::MessageLite& message,
                              absl::string_view what) {
  const auto bytes = static_cast<std::int64_t>(message.ByteSizeLong());
  if (bytes <= limits::kCallBytesMax - kFrameRoom) return absl::OkStatus();
  return Error(Reason::kTooLarge,
               absl::StrCat(what, " are ", bytes, " bytes, and the most is ",
                            limits::kCallBytesMax - kFrameRoom,
                            "; put large arrays as matrices"));
}

proto::ObjectRef ToProto(const ObjectHandle& handle) {
  proto::ObjectRef message;
  message.set_name(ValidUtf8(handle.name));
  message.set_key(ValidUtf8(handle.key));
  if (!handle.server.zero()) *message.mutable_host() = ToProto(handle.server);
  message.set_class_name(ValidUtf8(handle.class_name));
  for (const std::string& address : handle.addresses) {
    message.add_addresses(ValidUtf8(address));
  }
  return message;
}

ObjectHandle FromProto(const proto::ObjectRef& message) {
  return {
      .name = message.name(),
      .key = message.key(),
      .server = FromProto(message.host()),
      .class_name = message.class_name(),
      .addresses = {message.addresses().begin(), message.addresses().end()}};
}

proto::CallError ToCallError(const absl::Status& status) {
  proto::CallError error;
  *error.mutable_failure() = ToProto(status);
  error.mutable_failure()->set_message(
      ValidUtf8(std::string(status.message())));
  if (HasType(status)) error.set_type(ValidUtf8(TypeOf(status)));
  for (std::string& hop : StackOf(status)) error.add_stack(ValidUtf8(hop));
  error.set_correlation(ValidUtf8(CorrelationOf(status)));
  return error;
}

absl::Status FromProto(const proto::CallError& error) {
  absl::Status status = FromProto(error.failure());
  if (status.ok()) {
    status = Error(Reason::kInternal, "read an error: it is none");
  }
  if (!error.type().empty()) status = WithType(status, error.type());
  for (const std::string& hop : error.stack()) status = WithHop(status, hop);
  if (!error.correlation().empty()) {
    status = WithCorrelation(status, error.correlation());
  }
  return status;
}

}  // namespace hearth
