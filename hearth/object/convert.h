// C++ types as Values and back: Type<T> says how T is called in error messages,
// makes a Value of one, and reads one.
//
// Scalars, strings, optional, vector, tuple, pair, map, ValueBytes, ValueArray,
// handles and Value itself are known. A struct becomes known by one declaration
// beside it, found by its namespace:
//
//   inline auto Describe(hearth::As<Account>) {
//     return hearth::Struct("Account", hearth::Field("owner", &Account::owner),
//                           hearth::Field("cents", &Account::cents));
//   }
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/object/value.h"

namespace hearth {

// Names a type in an overload of Describe.
template <class T>
struct As {};

template <class Owner, class Member>
struct StructField {
  const char* name;
  Member Owner::*member;
};
template <class Owner, class Member>
constexpr StructField<Owner, Member> Field(const char* name,
                                           Member Owner::*member) {
  return {name, member};
}
template <class... Fields>
struct StructDeclaration {
  const char* type;
  std::tuple<Fields...> fields;
};
template <class... Fields>
constexpr StructDeclaration<Fields...> Struct(const char* type,
                                              Fields... fields) {
  return {type, {fields...}};
}

// How T travels. `Read` says in `fault` what is wrong with a Value that is no
// T: "expects int64, got string", with where inside it in front.
template <class T>
struct Type;

namespace object_internal {

std::string Mismatch(absl::string_view expected, const Value& got);
std::string Within(absl::string_view where, absl::string_view fault);

template <class T>
concept Described = requires {
  Describe(As<T>{}).fields;
};

// The values of a list or a tuple: JSON knows only lists.
const std::vector<Value>* ItemsOf(const Value& value);
std::vector<Value>* ItemsOf(Value& value);
// A field of a struct, or of a map with text keys.
Value* FieldOf(Value& value, absl::string_view name);
bool IsStructLike(const Value& value);

// Whole numbers come as either kind, and as a double that is whole.
bool ReadInteger(const Value& value, std::int64_t min, std::uint64_t max,
                 bool& is_negative, std::uint64_t& bits);

}  // namespace object_internal

template <>
struct Type<Value> {
  static std::string Name() { return "any"; }
  static Value Make(Value value) { return value; }
  static bool Read(Value& value, Value& out, std::string&) {
    out = std::move(value);
    return true;
  }
};

template <>
struct Type<bool> {
  static std::string Name() { return "bool"; }
  static Value Make(bool value) { return Value(value); }
  static bool Read(Value& value, bool& out, std::string& fault) {
    if (const bool* found = value.get<bool>()) {
      out = *found;
      return true;
    }
    fault = object_internal::Mismatch("bool", value);
    return false;
  }
};

template <class T>
requires(std::integral<T> && !std::same_as<T, bool>) struct Type<T> {
  static std::string Name() {
    return absl::StrCat(std::is_signed_v<T> ? "int" : "uint", sizeof(T) * 8);
  }
  static Value Make(T value) {
    if constexpr (std::is_signed_v<T>) {
      return Value(static_cast<std::int64_t>(value));
    } else {
      return Value(static_cast<std::uint64_t>(value));
    }
  }
  static bool Read(Value& value, T& out, std::string& fault) {
    bool is_negative = false;
    std::uint64_t bits = 0;
    if (!object_internal::ReadInteger(
            value, static_cast<std::int64_t>(std::numeric_limits<T>::min()),
            static_cast<std::uint64_t>(std::numeric_limits<T>::max()),
            is_negative, bits)) {
      fault = object_internal::Mismatch(Name(), value);
      return false;
    }
    out = static_cast<T>(bits);
    return true;
  }
};

template <std::floating_point T>
struct Type<T> {
  static std::string Name() { return absl::StrCat("float", sizeof(T) * 8); }
  static Value Make(T value) { return Value(static_cast<double>(value)); }
  static bool Read(Value& value, T& out, std::string& fault) {
    if (const double* found = value.get<double>()) {
      out = static_cast<T>(*found);
    } else if (const auto* whole = value.get<std::int64_t>()) {
      out = static_cast<T>(*whole);
    } else if (const auto* natural = value.get<std::uint64_t>()) {
      out = static_cast<T>(*natural);
    } else {
      fault = object_internal::Mismatch(Name(), value);
      return false;
    }
    return true;
  }
};

namespace object_internal {
// What a Value holds as it is.
template <class T>
struct HeldType {
  static Value Make(T value) { return Value(std::move(value)); }
  static bool Read(Value& value, T& out, std::string& fault) {
    if (T* found = value.get<T>()) {
      out = std::move(*found);
      return true;
    }
    fault = Mismatch(Type<T>::Name(), value);
    return false;
  }
};
}  // namespace object_internal

template <>
struct Type<std::string> {
  static std::string Name() { return "string"; }
  static Value Make(std::string value) { return Value(std::move(value)); }
  static bool Read(Value& value, std::string& out, std::string& fault) {
    if (auto* text = value.get<std::string>()) {
      out = std::move(*text);
    } else if (auto* bytes = value.get<ValueBytes>()) {
      out = std::move(bytes->data);  // a text that is no UTF-8 came so
    } else {
      fault = object_internal::Mismatch("string", value);
      return false;
    }
    return true;
  }
};
template <>
struct Type<ValueBytes> : object_internal::HeldType<ValueBytes> {
  static std::string Name() { return "bytes"; }
};
template <>
struct Type<ValueArray> : object_internal::HeldType<ValueArray> {
  static std::string Name() { return "array"; }
};
template <>
struct Type<ObjectHandle> : object_internal::HeldType<ObjectHandle> {
  static std::string Name() { return "object"; }
};
template <>
struct Type<MatrixHandle> {
  static std::string Name() { return "matrix"; }
  static Value Make(MatrixHandle value) { return Value(std::move(value)); }
  static bool Read(Value& value, MatrixHandle& out, std::string& fault) {
    if (auto* found = value.get<MatrixHandle>()) {
      out = std::move(*found);
    } else if (auto* name = value.get<std::string>()) {
      out.text = std::move(*name);  // as JSON and people write it
    } else {
      fault = object_internal::Mismatch("matrix", value);
      return false;
    }
    return true;
  }
};

template <class T>
struct Type<std::optional<T>> {
  static std::string Name() {
    return absl::StrCat("optional ", Type<T>::Name());
  }
  static Value Make(std::optional<T> value) {
    return value.has_value() ? Type<T>::Make(*std::move(value)) : Value();
  }
  static bool Read(Value& value, std::optional<T>& out, std::string& fault) {
    out.reset();
    if (value.is_null()) return true;
    return Type<T>::Read(value, out.emplace(), fault);
  }
};

template <class T>
struct Type<std::vector<T>> {
  static std::string Name() {
    return absl::StrCat("list of ", Type<T>::Name());
  }
  static Value Make(std::vector<T> values) {
    Value::List list;
    list.reserve(values.size());
    for (auto&& value : values) list.push_back(Type<T>::Make(std::move(value)));
    return Value(std::move(list));
  }
  static bool Read(Value& value, std::vector<T>& out, std::string& fault) {
    std::vector<Value>* items = object_internal::ItemsOf(value);
    if (items == nullptr) {
      fault = object_internal::Mismatch(Name(), value);
      return false;
    }
    out.clear();
    out.reserve(items->size());
    for (std::size_t i = 0; i < items->size(); ++i) {
      T item{};
      if (!Type<T>::Read((*items)[i], item, fault)) {
        fault = object_internal::Within(absl::StrCat("item ", i), fault);
        return false;
      }
      out.push_back(std::move(item));
    }
    return true;
  }
};

namespace object_internal {
template <class MapType>
struct MapTypeOf {
  using Key = typename MapType::key_type;
  using Mapped = typename MapType::mapped_type;
  static std::string Name() {
    return absl::StrCat("map of ", Type<Key>::Name(), " to ",
                        Type<Mapped>::Name());
  }
  static Value Make(MapType values) {
    Value::Map map;
    map.reserve(values.size());
    for (auto& [key, mapped] : values) {
      map.emplace_back(Type<Key>::Make(key),
                       Type<Mapped>::Make(std::move(mapped)));
    }
    return Value(std::move(map));
  }
  static bool Read(Value& value, MapType& out, std::string& fault) {
    auto* map = value.get<Value::Map>();
    if (map == nullptr) {
      fault = Mismatch(Name(), value);
      return false;
    }
    out.clear();
    for (auto& [key_value, mapped_value] : *map) {
      Key key{};
      Mapped mapped{};
      if (!Type<Key>::Read(key_value, key, fault)) {
        fault = Within("a key", fault);
        return false;
      }
      if (!Type<Mapped>::Read(mapped_value, mapped, fault)) {
        fault = Within("a value", fault);
        return false;
      }
      out.insert_or_assign(std::move(key), std::move(mapped));
    }
    return true;
  }
};
}  // namespace object_internal

template <class K, class V>
struct Type<std::map<K, V>> : object_internal::MapTypeOf<std::map<K, V>> {};
template <class K, class V>
struct Type<std::unordered_map<K, V>>
    : object_internal::MapTypeOf<std::unordered_map<K, V>> {};

template <class... Ts>
struct Type<std::tuple<Ts...>> {
  static std::string Name() {
    std::string name = "tuple of (";
    const char* comma = "";
    ((absl::StrAppend(&name, comma, Type<Ts>::Name()), comma = ", "), ...);
    return name + ")";
  }
  static Value Make(std::tuple<Ts...> values) {
    return std::apply(
        [](auto&&... value) {
          ValueTuple tuple;
          (tuple.items.push_back(
               Type<std::decay_t<decltype(value)>>::Make(std::move(value))),
           ...);
          return Value(std::move(tuple));
        },
        std::move(values));
  }
  static bool Read(Value& value, std::tuple<Ts...>& out, std::string& fault) {
    std::vector<Value>* items = object_internal::ItemsOf(value);
    if (items == nullptr || items->size() != sizeof...(Ts)) {
      fault = object_internal::Mismatch(Name(), value);
      return false;
    }
    std::size_t i = 0;
    const auto read = [&]<class T>(T& item) {
      if (Type<T>::Read((*items)[i], item, fault)) return ++i, true;
      fault = object_internal::Within(absl::StrCat("item ", i), fault);
      return false;
    };
    return std::apply([&](auto&... item) { return (read(item) && ...); }, out);
  }
};

template <class A, class B>
struct Type<std::pair<A, B>> {
  static std::string Name() { return Type<std::tuple<A, B>>::Name(); }
  static Value Make(std::pair<A, B> value) {
    return Type<std::tuple<A, B>>::Make(
        {std::move(value.first), std::move(value.second)});
  }
  static bool Read(Value& value, std::pair<A, B>& out, std::string& fault) {
    std::tuple<A, B> tuple;
    if (!Type<std::tuple<A, B>>::Read(value, tuple, fault)) return false;
    out = {std::move(std::get<0>(tuple)), std::move(std::get<1>(tuple))};
    return true;
  }
};

template <object_internal::Described T>
struct Type<T> {
  static std::string Name() { return Describe(As<T>{}).type; }
  static Value Make(T value) {
    const auto declaration = Describe(As<T>{});
    ValueStruct out{.type = declaration.type, .fields = {}};
    const auto add = [&]<class Member>(const StructField<T, Member>& field) {
      out.fields.emplace_back(
          field.name, Type<Member>::Make(std::move(value.*field.member)));
    };
    std::apply([&](const auto&... field) { (add(field), ...); },
               declaration.fields);
    return Value(std::move(out));
  }
  static bool Read(Value& value, T& out, std::string& fault) {
    const auto declaration = Describe(As<T>{});
    const auto* named = value.get<ValueStruct>();
    if (!object_internal::IsStructLike(value) ||
        (named != nullptr && named->type != declaration.type)) {
      fault = object_internal::Mismatch(
          absl::StrCat("struct ", declaration.type), value);
      return false;
    }
    const auto read = [&]<class Member>(const StructField<T, Member>& field) {
      Value* found = object_internal::FieldOf(value, field.name);
      if (found == nullptr) {
        fault = absl::StrCat("has no field \"", field.name, "\" of struct ",
                             declaration.type);
        return false;
      }
      if (Type<Member>::Read(*found, out.*field.member, fault)) return true;
      fault = object_internal::Within(
          absl::StrCat("field \"", field.name, "\""), fault);
      return false;
    };
    return std::apply(
        [&](const auto&... field) { return (read(field) && ...); },
        declaration.fields);
  }
};

// Any number of Values, for a call.
template <class... Ts>
std::vector<Value> ListOf(Ts&&... values) {
  std::vector<Value> out;
  out.reserve(sizeof...(Ts));
  [[maybe_unused]] const auto add = [&]<class T>(T&& value) {
    if constexpr (std::is_convertible_v<T, std::string> &&
                  !std::is_same_v<std::decay_t<T>, Value>) {
      out.push_back(Value(std::string(std::forward<T>(value))));
    } else {
      out.push_back(Type<std::decay_t<T>>::Make(std::forward<T>(value)));
    }
  };
  (add(std::forward<Ts>(values)), ...);
  return out;
}

}  // namespace hearth
