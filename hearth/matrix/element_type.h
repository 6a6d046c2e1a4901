#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

// What one element of a matrix is. The numbers travel on the wire and in
// segment messages: append, never renumber.
enum class ElementType : std::uint8_t {
  kBool = 1,
  kInt8 = 2,
  kInt16 = 3,
  kInt32 = 4,
  kInt64 = 5,
  kUint8 = 6,
  kUint16 = 7,
  kUint32 = 8,
  kUint64 = 9,
  kFloat16 = 10,
  kBfloat16 = 11,  // raw input only: NumPy has no such type
  kFloat32 = 12,
  kFloat64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
};

enum class ByteOrder : std::uint8_t { kNative = 0, kForeign = 1 };

struct NamedElementType {
  ElementType type;
  ByteOrder byte_order;

  friend bool operator==(const NamedElementType&,
                         const NamedElementType&) = default;
};

// For numbers that came from outside; every function below needs a known one.
bool IsKnown(std::uint32_t number);

std::int64_t BytesOf(ElementType type);      // of one element: 1 to 16
absl::string_view NameOf(ElementType type);  // NumPy's name: "float64"
// Little-endian descr: "<f8", "|b1"; empty for bfloat16, which has none.
absl::string_view NpyCodeOf(ElementType type);

bool IsComplex(ElementType type);
bool IsFloat(ElementType type);    // float16, bfloat16, float32, float64
bool IsInteger(ElementType type);  // int8-64, uint8-64; not bool
bool IsSigned(ElementType type);   // int8-64

// NumPy's names and codes: "float64", "f8", "<f8", ">i4", "=u2", "|b1", "?",
// "double", "bfloat16". BAD_USAGE names the text and lists what is accepted;
// structured, object, string and time types are refused by name.
absl::StatusOr<NamedElementType> ParseElementType(absl::string_view text);

// What NumPy means by a name or code that Hearth refuses: "a string type",
// "the Python object type", ...; empty where NumPy knows none either.
absl::string_view RefusedKindOf(absl::string_view text);

// The end of a refusal: what to use instead.
inline constexpr absl::string_view kElementTypesAccepted =
    "bool, int8 to int64, uint8 to uint64, float16 to float64, complex64, "
    "complex128 or, for raw files, bfloat16";

}  // namespace hearth
