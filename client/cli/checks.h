#pragma once

#include <CLI/CLI.hpp>
#include <limits>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hearth::client {

// A whole number that a T holds: the parser itself takes the nearest one.
template <class T>
CLI::Validator IsNumber() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        T number = 0;
        if (absl::SimpleAtoi(text, &number)) return "";
        return absl::StrCat("\"", text, "\" is no whole number from ",
                            std::numeric_limits<T>::min(), " to ",
                            std::numeric_limits<T>::max());
      },
      "");
}

// Not what an unset variable of a shell leaves of a value.
inline CLI::Validator IsNotEmpty() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        return text.empty() ? "it is empty; give a value, or leave it out" : "";
      },
      "");
}

}  // namespace hearth::client
