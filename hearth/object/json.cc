#include "hearth/object/json.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

template <class T>
Json Elements(const ValueArray& array) {
  Json list = Json::array();
  for (std::size_t at = 0; at + sizeof(T) <= array.bytes.size();
       at += sizeof(T)) {
    T element;
    std::memcpy(&element, array.bytes.data() + at, sizeof(T));
    if constexpr (std::is_floating_point_v<T>) {
      list.push_back(Number(static_cast<double>(element)));
    } else {
      list.push_back(element);
    }
  }
  return list;
}

Json ArrayJson(const ValueArray& array) {
  Json out = {{"$array", std::string(NameOf(array.layout.type))},
              {"shape", array.layout.shape}};
  if (array.layout.order == Order::kFortran) out["order"] = "F";
  switch (array.layout.type) {
    case ElementType::kFloat64:
      out["values"] = Elements<double>(array);
      break;
    case ElementType::kFloat32:
      out["values"] = Elements<float>(array);
      break;
    case ElementType::kInt64:
      out["values"] = Elements<std::int64_t>(array);
      break;
    case ElementType::kInt32:
      out["values"] = Elements<std::int32_t>(array);
      break;
    case ElementType::kUint8:
      out["values"] = Elements<std::uint8_t>(array);
      break;
    default:  // the others as they lie in memory
      out["bytes"] = absl::Base64Escape(array.bytes.view());
  }
  return out;
}

struct Writes {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(double value) const { return Number(value); }
  Json operator()(const ValueBytes& bytes) const {
    return {{"$bytes", absl::Base64Escape(bytes.data)}};
  }
  Json operator()(const Value::List& list) const {
    Json out = Json::array();
    for (const Value& item : list) out.push_back(Write(item));
    return out;
  }
  Json operator()(const Value::Map& map) const {
    bool all_text = true;
    for (const auto& [key, value] : map) {
      all_text = all_text && key.get<std::string>() != nullptr;
    }
    Json out = all_text ? Json::object() : Json::array();
    for (const auto& [key, value] : map) {
      if (all_text) {
        out[*key.get<std::string>()] = Write(value);
      } else {
        out.push_back(Json::array({Write(key), Write(value)}));
      }
    }
    return out;
  }
  Json operator()(const ValueTuple& tuple) const {
    return (*this)(tuple.items);
  }
  Json operator()(const ValueStruct& of) const {
    Json out = Json::object();
    for (const auto& [name, value] : of.fields) out[name] = Write(value);
    return out;
  }
  Json operator()(const ValueArray& array) const { return ArrayJson(array); }
  Json operator()(const MatrixHandle& matrix) const {
    return {{"$matrix", matrix.text}};
  }
  Json operator()(const ObjectHandle& object) const {
    return {{"$object", object.name.empty() ? object.key : object.name},
            {"class", object.class_name}};
  }
  Json operator()(const ValueStream& stream) const {
    return {{"$stream", stream.id}};
  }
  template <class Plain>
  Json operator()(const Plain& plain) const {
    return plain;
  }
  static Json Write(const Value& value) {
    return std::visit(Writes{}, value.variant());
  }
};

// One number of type T, if it is one.
template <class T>
std::optional<T> ElementOf(const Json& json) {
  if constexpr (std::is_floating_point_v<T>) {
    if (json.is_number()) return static_cast<T>(json.get<double>());
    if (json == "nan") return std::numeric_limits<T>::quiet_NaN();
    if (json == "inf") return std::numeric_limits<T>::infinity();
    if (json == "-inf") return -std::numeric_limits<T>::infinity();
    return std::nullopt;
  } else {
    if (!json.is_number_integer()) return std::nullopt;
    if (json.is_number_unsigned() &&
        json.get<std::uint64_t>() >
            static_cast<std::uint64_t>(std::numeric_limits<T>::max())) {
      return std::nullopt;
    }
    const auto whole = json.get<std::int64_t>();
    if (whole < static_cast<std::int64_t>(std::numeric_limits<T>::min())) {
      return std::nullopt;
    }
    return static_cast<T>(whole);
  }
}

template <class T>
bool PutElements(const Json& values, std::string& bytes) {
  for (const Json& one : values) {
    const std::optional<T> element = ElementOf<T>(one);
    if (!element.has_value()) return false;
    bytes.append(reinterpret_cast<const char*>(&*element), sizeof(T));
  }
  return true;
}

absl::StatusOr<Value> ReadArray(const Json& json) {
  const auto bad = [](absl::string_view finding) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read an array from JSON: ", finding));
  };
  if (!json["$array"].is_string() || !json.contains("shape") ||
      !json["shape"].is_array() || !json.contains("values") ||
      !json["values"].is_array()) {
    return bad(
        "it needs {\"$array\": dtype, \"shape\": [...], \"values\": "
        "[...]}, in C order");
  }
  HEARTH_ASSIGN_OR_RETURN(const NamedElementType type,
                          ParseElementType(json["$array"].get<std::string>()));
  Shape shape;
  for (const Json& length : json["shape"]) {
    if (!length.is_number_integer()) return bad("a length is no whole number");
    shape.push_back(length.get<std::int64_t>());
  }
  // What Make says of a file is here the caller's to mend.
  absl::StatusOr<MatrixLayout> made =
      MatrixLayout::Make(type.type, ByteOrder::kNative, Order::kC, shape);
  if (!made.ok()) return bad(made.status().message());
  MatrixLayout& layout = *made;
  std::string bytes;
  bool is_read = false;
  const Json& values = json["values"];
  switch (type.type) {
    case ElementType::kFloat64:
      is_read = PutElements<double>(values, bytes);
      break;
    case ElementType::kFloat32:
      is_read = PutElements<float>(values, bytes);
      break;
    case ElementType::kInt64:
      is_read = PutElements<std::int64_t>(values, bytes);
      break;
    case ElementType::kInt32:
      is_read = PutElements<std::int32_t>(values, bytes);
      break;
    case ElementType::kUint8:
      is_read = PutElements<std::uint8_t>(values, bytes);
      break;
    default:
      return bad("float64, float32, int64, int32 and uint8 can be written so");
  }
  if (!is_read || std::ssize(bytes) != layout.bytes()) {
    return bad(absl::StrCat("shape ", ToString(layout.shape), " needs ",
                            layout.element_count(), " numbers, there are ",
                            values.size()));
  }
  return Value(ValueArray{std::move(layout), std::move(bytes)});
}

absl::StatusOr<Value> Read(const Json& json, int depth);

absl::StatusOr<Value> ReadObject(const Json& json, int depth) {
  const std::string& first = json.empty() ? "" : json.begin().key();
  if (first == "$array") return ReadArray(json);
  if (!first.empty() && first[0] == '$') {
    const bool is_text = json.begin()->is_string();
    const std::string text = is_text ? json.begin()->get<std::string>() : "";
    ValueBytes bytes;
    if (is_text && first == "$matrix") return Value(MatrixHandle{text});
    if (is_text && first == "$object") {
      return Value(ObjectHandle{.name = text});
    }
    if (is_text && first == "$bytes" &&
        absl::Base64Unescape(text, &bytes.data)) {
      return Value(std::move(bytes));
    }
    return Error(Reason::kBadUsage,
                 absl::StrCat("read JSON: ", Quoted(first),
                              " is none of $bytes (base64), $array, $matrix "
                              "and $object (names)"));
  }
  Value::Map map;
  for (const auto& [key, value] : json.items()) {
    HEARTH_ASSIGN_OR_RETURN(Value read, Read(value, depth - 1));
    map.emplace_back(Value(key), std::move(read));
  }
  return Value(std::move(map));
}

absl::StatusOr<Value> Read(const Json& json, int depth) {
  if (depth <= 0) {
    return Error(Reason::kTooLarge,
                 absl::StrCat("read JSON: it is nested deeper than ",
                              limits::kValueDepthMax));
  }
  switch (json.type()) {
    case Json::value_t::null:
      return Value();
    case Json::value_t::boolean:
      return Value(json.get<bool>());
    case Json::value_t::number_integer:
      return Value(json.get<std::int64_t>());
    case Json::value_t::number_unsigned: {
      const auto number = json.get<std::uint64_t>();
      if (number > static_cast<std::uint64_t>(INT64_MAX)) return Value(number);
      return Value(static_cast<std::int64_t>(number));
    }
    case Json::value_t::number_float:
      return Value(json.get<double>());
    case Json::value_t::string:
      return Value(json.get<std::string>());
    case Json::value_t::array: {
      Value::List list;
      for (const Json& item : json) {
        HEARTH_ASSIGN_OR_RETURN(Value read, Read(item, depth - 1));
        list.push_back(std::move(read));
      }
      return Value(std::move(list));
    }
    case Json::value_t::object:
      return ReadObject(json, depth);
    default:
      return Error(Reason::kBadUsage, "read JSON: it is none");
  }
}

// What a parser lets pass though it is read in two ways: keys that come twice,
// and whole numbers that would lose digits.
class Ambiguities : public nlohmann::json_sax<Json> {
 public:
  const std::string& finding() const { return finding_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(std::int64_t) override { return true; }
  bool number_unsigned(std::uint64_t) override { return true; }
  bool number_float(double, const std::string& text) override {
    if (text.find_first_of(".eE") != std::string::npos) return true;
    return Refuse(absl::StrCat(
        "whole number ", Quoted(text, 40),
        " does not fit 64 bits; send it as a text, or with a \".0\" as a "
        "float64"));
  }
  bool string(std::string&) override { return true; }
  bool binary(Json::binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return true;
  }
  bool key(std::string& key) override {
    if (keys_.back().insert(key).second) return true;
    return Refuse(
        absl::StrCat("key ", Quoted(key), " is given twice; give it once"));
  }
  bool end_object() override {
    keys_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool Refuse(std::string finding) {
    finding_ = std::move(finding);
    return false;
  }

  std::vector<std::set<std::string>> keys_;  // of the objects that are open
  std::string finding_;
};

}  // namespace

std::string ToJson(const Value& value) {
  return Writes::Write(value).dump(-1, ' ', false,
                                   Json::error_handler_t::replace);
}

absl::StatusOr<Value> FromJson(absl::string_view text) {
  // The parser's own recursion and memory are bounded before it begins.
  int depth = 0;
  std::int64_t values = 1;
  bool in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && in_text) {
      ++i;
    } else if (c == '"') {
      in_text = !in_text;
    } else if (in_text) {
      continue;
    } else if (c == '[' || c == '{') {
      if (++depth > limits::kValueDepthMax) {
        return Error(Reason::kTooLarge,
                     absl::StrCat("read JSON: it is nested deeper than ",
                                  limits::kValueDepthMax));
      }
      ++values;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',' && ++values > limits::kJsonValuesMax) {
      return Error(
          Reason::kTooLarge,
          absl::StrCat("read JSON: it has more than ", limits::kJsonValuesMax,
                       " values; put large arrays as matrices"));
    }
  }
  Ambiguities ambiguities;
  if (!Json::sax_parse(text.begin(), text.end(), &ambiguities) &&
      !ambiguities.finding().empty()) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read JSON: ", ambiguities.finding()));
  }
  const Json json = Json::parse(text.begin(), text.end(), nullptr,
                                /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read ", Quoted(text),
                              " as JSON: it is none; texts stand in quotes"));
  }
  return Read(json, limits::kValueDepthMax + 1);
}

}  // namespace hearth
