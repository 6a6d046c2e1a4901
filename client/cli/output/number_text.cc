#include "client/cli/output/number_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <system_error>

#include "absl/strings/string_view.h"

namespace hearth::client {
namespace {

template <class T>
T Load(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof(value));
  return value;
}

using Buffer = std::array<char, 64>;

template <class T, class... Format>
absl::string_view Digits(Buffer& buffer, T value, Format... format) {
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                                 value, format...)
                       .ptr;
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

// The decimal of fewest digits that is nearer to `bits` than to any other
// float16. With n digits that is the one nearest to the value, or where
// neighbours lie unevenly (at a power of two) the one beside it.
double ShortestFloat16(std::uint16_t bits) {
  const double exact = FromFloat16(bits);
  if (exact == 0 || !std::isfinite(exact)) return exact;
  for (int digits = 1; digits <= 5; ++digits) {
    Buffer buffer;
    const absl::string_view text =
        Digits(buffer, exact, std::chars_format::scientific, digits - 1);
    double nearest = 0;
    std::from_chars(text.data(), text.data() + text.size(), nearest);
    if (ToFloat16(nearest) == bits) return nearest;
    const double unit =
        std::pow(10.0, std::floor(std::log10(std::fabs(exact))) + 1.0 - digits);
    const double beside = nearest + (nearest < exact ? unit : -unit);
    if (ToFloat16(beside) == bits) {
      const absl::string_view again =
          Digits(buffer, beside, std::chars_format::scientific, digits - 1);
      std::from_chars(again.data(), again.data() + again.size(), nearest);
      return nearest;
    }
  }
  return exact;
}

struct Style {
  bool json = true;            // quotes around what is no JSON number
  int significant_digits = 0;  // 0: as many as it takes
};

// `whole` is appended to what has neither point nor exponent.
template <class T>
void AppendFloat(T value, absl::string_view whole, int significant_digits,
                 std::string& out) {
  if (std::isnan(value)) {
    out += "nan";
    return;
  }
  if (std::isinf(value)) {
    out += value < 0 ? "-inf" : "inf";
    return;
  }
  Buffer buffer;
  absl::string_view text = Digits(buffer, value);
  Buffer rounded;
  if (significant_digits > 0) {
    const absl::string_view fewer =
        Digits(rounded, value, std::chars_format::general, significant_digits);
    if (fewer.size() < text.size()) text = fewer;
  }
  out.append(text.data(), text.size());
  if (text.find_first_of(".e") == absl::string_view::npos) {
    out.append(whole.data(), whole.size());
  }
}

template <class T>
void AppendReal(T value, const Style& style, std::string& out) {
  const bool quoted = style.json && !std::isfinite(value);
  if (quoted) out += '"';
  AppendFloat(value, ".0", style.significant_digits, out);
  if (quoted) out += '"';
}

template <class T>
void AppendComplex(const std::byte* element, const Style& style,
                   std::string& out) {
  const T real = Load<T>(element);
  const T imaginary = Load<T>(element + sizeof(T));
  if (style.json) out += '"';
  AppendFloat(real, "", style.significant_digits, out);
  if (std::isnan(imaginary) || !std::signbit(imaginary)) out += '+';
  AppendFloat(imaginary, "", style.significant_digits, out);
  out += 'j';
  if (style.json) out += '"';
}

template <class T>
void AppendInteger(const std::byte* element, std::string& out) {
  Buffer buffer;
  const absl::string_view text = Digits(buffer, Load<T>(element));
  out.append(text.data(), text.size());
}

void AppendElement(ElementType type, const std::byte* element,
                   const Style& style, std::string& out) {
  switch (type) {
    case ElementType::kBool: {
      const bool value = Load<std::uint8_t>(element) != 0;
      if (style.json) {
        out += value ? "true" : "false";
      } else {
        out += value ? "True" : "False";
      }
      return;
    }
    case ElementType::kInt8:
      return AppendInteger<std::int8_t>(element, out);
    case ElementType::kInt16:
      return AppendInteger<std::int16_t>(element, out);
    case ElementType::kInt32:
      return AppendInteger<std::int32_t>(element, out);
    case ElementType::kInt64:
      return AppendInteger<std::int64_t>(element, out);
    case ElementType::kUint8:
      return AppendInteger<std::uint8_t>(element, out);
    case ElementType::kUint16:
      return AppendInteger<std::uint16_t>(element, out);
    case ElementType::kUint32:
      return AppendInteger<std::uint32_t>(element, out);
    case ElementType::kUint64:
      return AppendInteger<std::uint64_t>(element, out);
    case ElementType::kFloat16:
      return AppendReal(ShortestFloat16(Load<std::uint16_t>(element)), style,
                        out);
    case ElementType::kBfloat16:
      return AppendReal(
          std::bit_cast<float>(
              static_cast<std::uint32_t>(Load<std::uint16_t>(element)) << 16),
          style, out);
    case ElementType::kFloat32:
      return AppendReal(Load<float>(element), style, out);
    case ElementType::kFloat64:
      return AppendReal(Load<double>(element), style, out);
    case ElementType::kComplex64:
      return AppendComplex<float>(element, style, out);
    case ElementType::kComplex128:
      return AppendComplex<double>(element, style, out);
  }
}

}  // namespace

double FromFloat16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1F;
  const int fraction = bits & 0x3FF;
  double magnitude = 0;
  if (exponent == 0x1F) {
    magnitude = fraction == 0 ? HUGE_VAL : std::nan("");
  } else if (exponent == 0) {
    magnitude = std::ldexp(fraction, -24);
  } else {
    magnitude = std::ldexp(fraction + 0x400, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

std::uint16_t ToFloat16(double value) {
  const unsigned sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) return 0x7E00;
  if (magnitude >= 65520) return static_cast<std::uint16_t>(sign | 0x7C00);
  if (magnitude == 0) return static_cast<std::uint16_t>(sign);
  // Units of the last place: 2^-24 below 2^-14, else 2^(exponent - 10). A carry
  // into the exponent gives the next float16 by itself.
  const int exponent = std::max(std::ilogb(magnitude), -14);
  const auto units =
      static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  return static_cast<std::uint16_t>(
      sign | static_cast<unsigned>(((exponent + 14) << 10) + units));
}

void AppendJsonElement(ElementType type, const std::byte* element,
                       std::string& out) {
  AppendElement(type, element, {.json = true, .significant_digits = 0}, out);
}

void AppendTextElement(ElementType type, const std::byte* element,
                       int significant_digits, std::string& out) {
  AppendElement(type, element,
                {.json = false, .significant_digits = significant_digits}, out);
}

}  // namespace hearth::client
