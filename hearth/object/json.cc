#include "hearth/object/json.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/algorithm/container.h"
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

// Writes values to the end of a text, which it keeps from growing beyond
// `bytes_max`; false, here and below, once there is no room. There is no tree
// of them all: it takes 40 bytes for an element that takes two as text.
class JsonWriter {
 public:
  JsonWriter(std::string& out, std::size_t bytes_max)
      : out_(out), bytes_max_(bytes_max) {}

  bool Write(const Value& value) { return std::visit(*this, value.variant()); }

  bool operator()(std::monostate) { return Put("null"); }
  bool operator()(double value) { return PutJson(Number(value)); }
  bool operator()(const std::string& text) { return PutText(text); }
  bool operator()(const ValueBytes& bytes) {
    return Put("{\"$bytes\":") && PutBase64(bytes.data) && Put("}");
  }
  bool operator()(const Value::List& list) {
    return PutAll("[", list, "]", [&](const Value& one) { return Write(one); });
  }
  bool operator()(const Value::Map& map) {
    if (IsObject(map)) {
      return PutAll("{", map, "}", [&](const auto& field) {
        return Write(field.first) && Put(":") && Write(field.second);
      });
    }
    return PutAll("[", map, "]", [&](const auto& pair) {
      return Put("[") && Write(pair.first) && Put(",") && Write(pair.second) &&
             Put("]");
    });
  }
  bool operator()(const ValueTuple& tuple) { return (*this)(tuple.items); }
  bool operator()(const ValueStruct& of) {
    return PutAll("{", of.fields, "}", [&](const auto& field) {
      return PutText(field.first) && Put(":") && Write(field.second);
    });
  }
  bool operator()(const ValueArray& array) {
    const MatrixLayout& layout = array.layout;
    return Put("{\"$array\":") && PutText(NameOf(layout.type)) &&
           Put(",\"shape\":") && PutJson(layout.shape) &&
           Put(layout.order == Order::kFortran ? ",\"order\":\"F\"" : "") &&
           PutElements(array) && Put("}");
  }
  bool operator()(const MatrixHandle& matrix) {
    return PutJson(Json{{"$matrix", matrix.text}});
  }
  bool operator()(const ObjectHandle& object) {
    return PutJson(
        Json{{"$object", object.name.empty() ? object.key : object.name},
             {"class", object.class_name}});
  }
  bool operator()(const ValueStream& stream) {
    return PutJson(Json{{"$stream", stream.id}});
  }
  template <class Plain>
  bool operator()(const Plain& plain) {
    return PutJson(plain);
  }

 private:
  static constexpr std::size_t kElementsAtOnce = 4096;
  static constexpr std::size_t kTextAtOnce = 65536;

  // A key that comes twice would be lost in an object.
  static bool IsObject(const Value::Map& map) {
    std::unordered_set<std::string_view> keys;
    return absl::c_all_of(map, [&](const auto& field) {
      const auto* key = field.first.template get<std::string>();
      return key != nullptr && keys.insert(*key).second;
    });
  }

  std::size_t room() const { return bytes_max_ - out_.size(); }
  bool Put(absl::string_view text) {
    if (text.size() > room()) return false;
    out_.append(text.data(), text.size());
    return true;
  }
  bool PutJson(const Json& small) {
    return Put(small.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  template <class Items, class One>
  bool PutAll(absl::string_view open, const Items& items,
              absl::string_view close, const One& put) {
    if (!Put(open)) return false;
    bool is_first = true;
    for (const auto& item : items) {
      if ((!is_first && !Put(",")) || !put(item)) return false;
      is_first = false;
    }
    return Put(close);
  }
  // Part by part, for a byte may take six.
  bool PutText(absl::string_view text) {
    if (text.size() > room() || !Put("\"")) return false;
    while (!text.empty()) {
      std::size_t end = std::min(text.size(), kTextAtOnce);
      // Not within a character; what is no UTF-8 may be cut anywhere.
      for (int back = 0; back < 3 && end < text.size(); ++back) {
        if ((static_cast<unsigned char>(text[end]) & 0xC0) != 0x80) break;
        --end;
      }
      const std::string part =
          Json(std::string(text.substr(0, end)))
              .dump(-1, ' ', false, Json::error_handler_t::replace);
      if (!Put(absl::string_view(part).substr(1, part.size() - 2))) {
        return false;
      }
      text.remove_prefix(end);
    }
    return Put("\"");
  }
  bool PutBase64(absl::string_view bytes) {
    if (bytes.size() / 3 > room() / 4) return false;
    return Put("\"") && Put(absl::Base64Escape(bytes)) && Put("\"");
  }
  bool PutElements(const ValueArray& array) {
    switch (array.layout.type) {
      case ElementType::kFloat64:
        return PutElementsAs<double>(array.bytes.view());
      case ElementType::kFloat32:
        return PutElementsAs<float>(array.bytes.view());
      case ElementType::kInt64:
        return PutElementsAs<std::int64_t>(array.bytes.view());
      case ElementType::kInt32:
        return PutElementsAs<std::int32_t>(array.bytes.view());
      case ElementType::kUint8:
        return PutElementsAs<std::uint8_t>(array.bytes.view());
      default:  // the others as they lie in memory
        return Put(",\"bytes\":") && PutBase64(array.bytes.view());
    }
  }
  template <class T>
  bool PutElementsAs(absl::string_view bytes) {
    const std::size_t count = bytes.size() / sizeof(T);
    // Each takes a digit and a comma at least.
    if (count > room() / 2 || !Put(",\"values\":[")) return false;
    Json some = Json::array();
    for (std::size_t at = 0; at < count; ++at) {
      T element;
      std::memcpy(&element, bytes.data() + at * sizeof(T), sizeof(T));
      if constexpr (std::is_floating_point_v<T>) {
        some.push_back(Number(static_cast<double>(element)));
      } else {
        some.push_back(element);
      }
      const bool is_last = at + 1 == count;
      if (some.size() < kElementsAtOnce && !is_last) continue;
      const std::string text = some.dump();
      if (!Put(absl::string_view(text).substr(1, text.size() - 2)) ||
          (!is_last && !Put(","))) {
        return false;
      }
      some.clear();
    }
    return Put("]");
  }

  std::string& out_;
  const std::size_t bytes_max_;
};

// One number of type T, if it is one.
template <class T>
std::optional<T> ElementOf(const Json& json) {
  if constexpr (std::is_floating_point_v<T>) {
    if (json.is_number()) {
      const auto element = static_cast<T>(json.get<double>());
      // A float64 that is none, as a float32.
      if (std::isinf(element)) return std::nullopt;
      return element;
    }
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

// What does not fit, for the middle of a sentence; empty where all do.
template <class T>
std::string ReadElements(const Json& values, absl::string_view type,
                         std::string& bytes) {
  for (std::size_t at = 0; at < values.size(); ++at) {
    const std::optional<T> element = ElementOf<T>(values[at]);
    if (!element.has_value()) {
      const Json& one = values[at];
      const std::string said =
          one.is_string()       ? Quoted(one.get<std::string>(), 40)
          : one.is_structured() ? absl::StrCat("an ", one.type_name())
                                : one.dump();
      return absl::StrCat("number ", at + 1, " of ", values.size(), " is ",
                          said, ", which is no ", type,
                          "; give one, or another dtype");
    }
    bytes.append(reinterpret_cast<const char*>(&*element), sizeof(T));
  }
  return "";
}

absl::StatusOr<Order> OrderOf(const Json& json) {
  if (json == "C") return Order::kC;
  if (json == "F") return Order::kFortran;
  return Error(Reason::kBadUsage,
               "read an array from JSON: its order is neither \"C\" nor \"F\"; "
               "leave it out for \"C\"");
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
        "[...]}, in C order unless \"order\": \"F\" stands with them");
  }
  Order order = Order::kC;
  for (const auto& [key, value] : json.items()) {
    if (key == "order") {
      HEARTH_ASSIGN_OR_RETURN(order, OrderOf(value));
    } else if (key != "$array" && key != "shape" && key != "values") {
      return bad(absl::StrCat(Quoted(key),
                              " is none of $array, shape, order and values; "
                              "leave it out"));
    }
  }
  const std::string name = json["$array"].get<std::string>();
  HEARTH_ASSIGN_OR_RETURN(const NamedElementType type, ParseElementType(name));
  Shape shape;
  for (const Json& length : json["shape"]) {
    if (!length.is_number_integer()) return bad("a length is no whole number");
    shape.push_back(length.get<std::int64_t>());
  }
  // What Make says of a file is here the caller's to mend.
  absl::StatusOr<MatrixLayout> made =
      MatrixLayout::Make(type.type, ByteOrder::kNative, order, shape);
  if (!made.ok()) return bad(made.status().message());
  MatrixLayout& layout = *made;
  const Json& values = json["values"];
  if (std::ssize(values) != layout.element_count()) {
    return bad(absl::StrCat("shape ", ToString(layout.shape), " needs ",
                            layout.element_count(), " numbers, there are ",
                            values.size()));
  }
  std::string bytes;
  std::string fault;
  switch (type.type) {
    case ElementType::kFloat64:
      fault = ReadElements<double>(values, name, bytes);
      break;
    case ElementType::kFloat32:
      fault = ReadElements<float>(values, name, bytes);
      break;
    case ElementType::kInt64:
      fault = ReadElements<std::int64_t>(values, name, bytes);
      break;
    case ElementType::kInt32:
      fault = ReadElements<std::int32_t>(values, name, bytes);
      break;
    case ElementType::kUint8:
      fault = ReadElements<std::uint8_t>(values, name, bytes);
      break;
    default:
      return bad("float64, float32, int64, int32 and uint8 can be written so");
  }
  if (!fault.empty()) return bad(fault);
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
  std::string out;
  JsonWriter(out, out.max_size()).Write(value);
  return out;
}

std::optional<std::string> ToJson(const Value& value, std::size_t bytes_max) {
  std::string out;
  if (!JsonWriter(out, bytes_max).Write(value)) return std::nullopt;
  return out;
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
