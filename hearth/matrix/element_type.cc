#include "hearth/matrix/element_type.h"

#include <array>
#include <bit>
#include <cstddef>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"

namespace hearth {
namespace {

// "<" is the native byte order on every machine Hearth runs on; whoever ports
// it to another starts here.
static_assert(std::endian::native == std::endian::little);

struct TypeInfo {
  ElementType type;
  absl::string_view name;
  absl::string_view npy_code;
  std::int64_t bytes;
};

constexpr std::array<TypeInfo, 15> kTypes = {{
    {ElementType::kBool, "bool", "|b1", 1},
    {ElementType::kInt8, "int8", "|i1", 1},
    {ElementType::kInt16, "int16", "<i2", 2},
    {ElementType::kInt32, "int32", "<i4", 4},
    {ElementType::kInt64, "int64", "<i8", 8},
    {ElementType::kUint8, "uint8", "|u1", 1},
    {ElementType::kUint16, "uint16", "<u2", 2},
    {ElementType::kUint32, "uint32", "<u4", 4},
    {ElementType::kUint64, "uint64", "<u8", 8},
    {ElementType::kFloat16, "float16", "<f2", 2},
    {ElementType::kBfloat16, "bfloat16", "", 2},
    {ElementType::kFloat32, "float32", "<f4", 4},
    {ElementType::kFloat64, "float64", "<f8", 8},
    {ElementType::kComplex64, "complex64", "<c8", 8},
    {ElementType::kComplex128, "complex128", "<c16", 16},
}};

constexpr bool NumbersAreIndexes() {
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    if (static_cast<std::size_t>(kTypes[i].type) != i + 1) return false;
  }
  return true;
}
static_assert(NumbersAreIndexes());

const TypeInfo& InfoOf(ElementType type) {
  return kTypes[static_cast<std::size_t>(type) - 1];
}

struct Alias {
  absl::string_view text;
  ElementType type;
};

// NumPy's other names for the same types, as they are on 64-bit Linux.
constexpr Alias kNames[] = {
    {"bool_", ElementType::kBool},
    {"byte", ElementType::kInt8},
    {"short", ElementType::kInt16},
    {"intc", ElementType::kInt32},
    {"int", ElementType::kInt64},
    {"int_", ElementType::kInt64},
    {"intp", ElementType::kInt64},
    {"long", ElementType::kInt64},
    {"longlong", ElementType::kInt64},
    {"ubyte", ElementType::kUint8},
    {"ushort", ElementType::kUint16},
    {"uintc", ElementType::kUint32},
    {"uint", ElementType::kUint64},
    {"uintp", ElementType::kUint64},
    {"ulong", ElementType::kUint64},
    {"ulonglong", ElementType::kUint64},
    {"half", ElementType::kFloat16},
    {"single", ElementType::kFloat32},
    {"double", ElementType::kFloat64},
    {"float", ElementType::kFloat64},
    {"float_", ElementType::kFloat64},
    {"csingle", ElementType::kComplex64},
    {"cdouble", ElementType::kComplex128},
    {"complex", ElementType::kComplex128},
    {"complex_", ElementType::kComplex128},
};

// What may follow a byte order: NumPy's one-letter codes. Those with a size
// ("f8") are in kTypes already.
constexpr Alias kLetters[] = {
    {"?", ElementType::kBool},      {"b", ElementType::kInt8},
    {"h", ElementType::kInt16},     {"i", ElementType::kInt32},
    {"l", ElementType::kInt64},     {"q", ElementType::kInt64},
    {"p", ElementType::kInt64},     {"B", ElementType::kUint8},
    {"H", ElementType::kUint16},    {"I", ElementType::kUint32},
    {"L", ElementType::kUint64},    {"Q", ElementType::kUint64},
    {"P", ElementType::kUint64},    {"e", ElementType::kFloat16},
    {"f", ElementType::kFloat32},   {"d", ElementType::kFloat64},
    {"F", ElementType::kComplex64}, {"D", ElementType::kComplex128},
};

constexpr std::optional<ElementType> FindName(absl::string_view text) {
  for (const TypeInfo& info : kTypes) {
    if (info.name == text) return info.type;
  }
  for (const Alias& alias : kNames) {
    if (alias.text == text) return alias.type;
  }
  return std::nullopt;
}

constexpr std::optional<ElementType> FindCode(absl::string_view text) {
  for (const TypeInfo& info : kTypes) {
    if (!info.npy_code.empty() && info.npy_code.substr(1) == text) {
      return info.type;
    }
  }
  for (const Alias& alias : kLetters) {
    if (alias.text == text) return alias.type;
  }
  return std::nullopt;
}

bool IsByteOrder(char c) {
  return c == '<' || c == '>' || c == '=' || c == '|';
}

std::optional<NamedElementType> Find(absl::string_view text) {
  if (const auto type = FindName(text); type.has_value()) {
    return NamedElementType{*type, ByteOrder::kNative};
  }
  const bool foreign = absl::StartsWith(text, ">");
  if (!text.empty() && IsByteOrder(text[0])) text.remove_prefix(1);
  const auto type = FindCode(text);
  if (!type.has_value()) return std::nullopt;
  // A single byte has no order: ">u1" is "|u1".
  return NamedElementType{*type, foreign && BytesOf(*type) > 1
                                     ? ByteOrder::kForeign
                                     : ByteOrder::kNative};
}

// "S", "S12": a letter of one of NumPy's sized kinds and nothing but digits.
bool IsSized(absl::string_view text, absl::string_view letters) {
  if (text.empty() || !absl::StrContains(letters, text[0])) return false;
  for (const char c : text.substr(1)) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

}  // namespace

std::int64_t BytesOf(ElementType type) { return InfoOf(type).bytes; }

absl::string_view NameOf(ElementType type) { return InfoOf(type).name; }

absl::string_view NpyCodeOf(ElementType type) { return InfoOf(type).npy_code; }

bool IsKnown(std::uint32_t number) {
  return number >= 1 && number <= kTypes.size();
}

bool IsComplex(ElementType type) {
  return type == ElementType::kComplex64 || type == ElementType::kComplex128;
}

bool IsFloat(ElementType type) {
  return type >= ElementType::kFloat16 && type <= ElementType::kFloat64;
}

bool IsInteger(ElementType type) {
  return type >= ElementType::kInt8 && type <= ElementType::kUint64;
}

bool IsSigned(ElementType type) {
  return type >= ElementType::kInt8 && type <= ElementType::kInt64;
}

absl::string_view RefusedKindOf(absl::string_view text) {
  if (absl::StartsWith(text, "[") || absl::StartsWith(text, "{") ||
      absl::StrContains(text, ',')) {
    return "a structured type";
  }
  if (!text.empty() && IsByteOrder(text[0])) text.remove_prefix(1);
  if (absl::StartsWith(text, "datetime64") ||
      absl::StartsWith(text, "timedelta64") || absl::StartsWith(text, "M8") ||
      absl::StartsWith(text, "m8") || text == "M" || text == "m") {
    return "a date or time type";
  }
  if (text == "object" || text == "object_" || IsSized(text, "O")) {
    return "the Python object type";
  }
  if (text == "str" || text == "str_" || text == "bytes" || text == "bytes_" ||
      text == "c" || IsSized(text, "SUaT") ||
      absl::StartsWith(text, "StringDType")) {
    return "a string type";
  }
  if (text == "longdouble" || text == "float128" || text == "clongdouble" ||
      text == "complex256" || text == "g" || text == "G" || text == "f16" ||
      text == "c32") {
    return "an extended-precision type, which differs between processors";
  }
  if (text == "void" || IsSized(text, "V")) return "a type of raw bytes";
  return "";
}

absl::StatusOr<NamedElementType> ParseElementType(absl::string_view text) {
  if (const auto found = Find(text); found.has_value()) return *found;
  const absl::string_view kind = RefusedKindOf(text);
  return Error(
      Reason::kBadUsage,
      absl::StrCat("read the element type ", Quoted(text), ": it is ",
                   kind.empty() ? "none that Hearth knows"
                                : absl::StrCat(kind, ", and Hearth has none"),
                   "; use ", kElementTypesAccepted));
}

}  // namespace hearth
