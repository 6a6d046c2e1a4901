// Elements as text: the fewest digits that read back as the same value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "hearth/matrix/element_type.h"

namespace hearth::client {

// What a float16 stands for, exactly.
double FromFloat16(std::uint16_t bits);
// The nearest float16, ties to even; infinity from 65520 on.
std::uint16_t ToFloat16(double value);

// Appends one element as JSON writes it: true, an exact integer, the shortest
// digits that read back in its own type (always with a point or an exponent, so
// that a reader gets a float, and -0.0), "nan", "inf", "-inf", or a string that
// Python's complex() reads. `element` may lie at any alignment.
void AppendJsonElement(ElementType type, const std::byte* element,
                       std::string& out);

// The same for people: no quotes, True and False, and where
// `significant_digits` is above 0, at most so many of them.
void AppendTextElement(ElementType type, const std::byte* element,
                       int significant_digits, std::string& out);

}  // namespace hearth::client
