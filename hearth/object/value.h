#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/id.h"
#include "hearth/matrix/layout.h"
#include "hearth/object/array_bytes.h"

namespace hearth {

class Value;

struct ValueBytes {
  std::string data;
  friend bool operator==(const ValueBytes&, const ValueBytes&) = default;
};
struct ValueTuple {
  std::vector<Value> items;
};
// A user's struct: the name of its type, and its fields by name, in order.
struct ValueStruct {
  std::string type;
  std::vector<std::pair<std::string, Value>> fields;
};
// Dtype, shape, order and the elements, in native byte order.
struct ValueArray {
  MatrixLayout layout;
  ArrayBytes bytes;
  friend bool operator==(const ValueArray&, const ValueArray&) = default;
};
// Stands for a matrix: a name in the cluster, or a handle that a process gave
// out. Never its bytes.
struct MatrixHandle {
  std::string text;
  friend bool operator==(const MatrixHandle&, const MatrixHandle&) = default;
};
// Stands for an object.
struct ObjectHandle {
  std::string name;  // in the directory; empty: it has none
  std::string key;   // at its server
  Id server{};       // the process that has it
  std::string class_name;
  // Where that process listens; none: it is reached through the connection
  // that the handle came by.
  std::vector<std::string> addresses;
  friend bool operator==(const ObjectHandle&, const ObjectHandle&) = default;
};
// Items that are made one by one: the next one, or none at the end.
using ItemSource = std::function<absl::StatusOr<std::optional<Value>>()>;
struct ValueStream {
  std::uint64_t id = 0;  // at the host that makes the items
  // Of a stream that starts here; it never travels.
  std::shared_ptr<ItemSource> source;
};

namespace object_internal {
// By its name alone: whether it is constructible, clang 14 can't say of a
// variant that holds the type that asks.
template <class T, class Variant>
struct IsAlternative : std::false_type {};
template <class T, class... Alternatives>
struct IsAlternative<T, std::variant<Alternatives...>>
    : std::bool_constant<(std::is_same_v<T, Alternatives> || ...)> {};
}  // namespace object_internal

// What may be an argument or a result: a scalar, text, bytes, an array, a
// handle, or any nesting of these.
//
// Kind:  value.
class Value {
 public:
  using List = std::vector<Value>;
  using Map = std::vector<std::pair<Value, Value>>;  // in the order given
  using Variant =
      std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double,
                   std::string, ValueBytes, List, Map, ValueTuple, ValueStruct,
                   ValueArray, MatrixHandle, ObjectHandle, ValueStream>;

  Value() = default;  // null
  template <class T>
  requires object_internal::IsAlternative<T, Variant>::value Value(T of)
      : of_(std::in_place_type<T>, std::move(of)) {}
  Value(const char* text) : of_(std::string(text)) {}
  Value(int number) : of_(static_cast<std::int64_t>(number)) {}

  bool is_null() const { return of_.index() == 0; }
  template <class T>
  const T* get() const {
    return std::get_if<T>(&of_);
  }
  template <class T>
  T* get() {
    return std::get_if<T>(&of_);
  }
  const Variant& variant() const { return of_; }

  // "int64", "string", "list", "struct Account", "float64 array (3, 4)".
  std::string TypeName() const;
  // About what it takes in memory and on a wire.
  std::int64_t Bytes() const;

  friend bool operator==(const Value& a, const Value& b);

 private:
  Variant of_;
};

// Not beside ValueStream: clang 14 asks there what an optional<Value> is.
bool operator==(const ValueStream& a, const ValueStream& b);
bool operator==(const ValueTuple& a, const ValueTuple& b);
bool operator==(const ValueStruct& a, const ValueStruct& b);

}  // namespace hearth
