#include "hearth/object/convert.h"

#include <cmath>

namespace hearth::object_internal {

std::string Mismatch(absl::string_view expected, const Value& got) {
  std::string shown = got.TypeName();
  if (const auto* whole = got.get<std::int64_t>()) {
    absl::StrAppend(&shown, " ", *whole);
  } else if (const auto* natural = got.get<std::uint64_t>()) {
    absl::StrAppend(&shown, " ", *natural);
  } else if (const auto* real = got.get<double>()) {
    absl::StrAppend(&shown, " ", *real);
  }
  return absl::StrCat("expects ", expected, ", got ", shown);
}

std::string Within(absl::string_view where, absl::string_view fault) {
  return absl::StrCat(where, " ", fault);
}

const std::vector<Value>* ItemsOf(const Value& value) {
  if (const auto* list = value.get<Value::List>()) return list;
  if (const auto* tuple = value.get<ValueTuple>()) return &tuple->items;
  return nullptr;
}

std::vector<Value>* ItemsOf(Value& value) {
  return const_cast<std::vector<Value>*>(
      ItemsOf(static_cast<const Value&>(value)));
}

bool IsStructLike(const Value& value) {
  return value.get<ValueStruct>() != nullptr ||
         value.get<Value::Map>() != nullptr;
}

Value* FieldOf(Value& value, absl::string_view name) {
  if (auto* of = value.get<ValueStruct>()) {
    for (auto& [field, content] : of->fields) {
      if (field == name) return &content;
    }
  } else if (auto* map = value.get<Value::Map>()) {
    for (auto& [key, content] : *map) {
      const auto* text = key.get<std::string>();
      if (text != nullptr && *text == name) return &content;
    }
  }
  return nullptr;
}

bool ReadInteger(const Value& value, std::int64_t min, std::uint64_t max,
                 bool& is_negative, std::uint64_t& bits) {
  constexpr double kWholeMax = 9007199254740992.0;  // 2^53: all are exact
  std::int64_t whole = 0;
  if (const auto* natural = value.get<std::uint64_t>()) {
    bits = *natural;
    is_negative = false;
    return *natural <= max;
  }
  if (const auto* number = value.get<std::int64_t>()) {
    whole = *number;
  } else if (const auto* real = value.get<double>()) {
    if (std::trunc(*real) != *real || std::abs(*real) > kWholeMax) return false;
    whole = static_cast<std::int64_t>(*real);
  } else {
    return false;
  }
  bits = static_cast<std::uint64_t>(whole);
  is_negative = whole < 0;
  return is_negative ? whole >= min : bits <= max;
}

}  // namespace hearth::object_internal
