#include "hearth/object/value.h"

#include "absl/strings/str_cat.h"

namespace hearth {
namespace {

constexpr std::int64_t kValueBytes = 16;  // of anything, before its content

struct NameOfType {
  std::string operator()(std::monostate) const { return "null"; }
  std::string operator()(bool) const { return "bool"; }
  std::string operator()(std::int64_t) const { return "int64"; }
  std::string operator()(std::uint64_t) const { return "uint64"; }
  std::string operator()(double) const { return "float64"; }
  std::string operator()(const std::string&) const { return "string"; }
  std::string operator()(const ValueBytes&) const { return "bytes"; }
  std::string operator()(const Value::List&) const { return "list"; }
  std::string operator()(const Value::Map&) const { return "map"; }
  std::string operator()(const ValueTuple& tuple) const {
    return absl::StrCat("tuple of ", tuple.items.size());
  }
  std::string operator()(const ValueStruct& of) const {
    return absl::StrCat("struct ", of.type);
  }
  std::string operator()(const ValueArray& array) const {
    return absl::StrCat(NameOf(array.layout.type), " array ",
                        ToString(array.layout.shape));
  }
  std::string operator()(const MatrixHandle&) const { return "matrix"; }
  std::string operator()(const ObjectHandle& object) const {
    return object.class_name.empty()
               ? "object"
               : absl::StrCat("object of class ", object.class_name);
  }
  std::string operator()(const ValueStream&) const { return "stream"; }
};

std::int64_t Size(const std::string& text) { return std::ssize(text); }

struct SizeOf {
  std::int64_t operator()(const std::string& text) const { return Size(text); }
  std::int64_t operator()(const ValueBytes& bytes) const {
    return Size(bytes.data);
  }
  std::int64_t operator()(const Value::List& list) const {
    std::int64_t bytes = 0;
    for (const Value& item : list) bytes += item.Bytes();
    return bytes;
  }
  std::int64_t operator()(const Value::Map& map) const {
    std::int64_t bytes = 0;
    for (const auto& [key, value] : map) bytes += key.Bytes() + value.Bytes();
    return bytes;
  }
  std::int64_t operator()(const ValueTuple& tuple) const {
    return (*this)(tuple.items);
  }
  std::int64_t operator()(const ValueStruct& of) const {
    std::int64_t bytes = Size(of.type);
    for (const auto& [name, value] : of.fields) {
      bytes += Size(name) + value.Bytes();
    }
    return bytes;
  }
  std::int64_t operator()(const ValueArray& array) const {
    return std::ssize(array.bytes.view());
  }
  std::int64_t operator()(const MatrixHandle& matrix) const {
    return Size(matrix.text);
  }
  std::int64_t operator()(const ObjectHandle& object) const {
    std::int64_t bytes =
        Size(object.name) + Size(object.key) + Size(object.class_name);
    for (const std::string& address : object.addresses) bytes += Size(address);
    return bytes;
  }
  template <class Scalar>
  std::int64_t operator()(const Scalar&) const {
    return 0;
  }
};

}  // namespace

std::string Value::TypeName() const { return std::visit(NameOfType{}, of_); }

std::int64_t Value::Bytes() const {
  return kValueBytes + std::visit(SizeOf{}, of_);
}

bool operator==(const Value& a, const Value& b) { return a.of_ == b.of_; }
bool operator==(const ValueStream& a, const ValueStream& b) {
  return a.id == b.id && a.source == b.source;
}

bool operator==(const ValueTuple& a, const ValueTuple& b) {
  return a.items == b.items;
}
bool operator==(const ValueStruct& a, const ValueStruct& b) {
  return a.type == b.type && a.fields == b.fields;
}

}  // namespace hearth
