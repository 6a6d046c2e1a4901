#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
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

// A whole number from `least` to `most`.
inline CLI::Validator IsWithin(std::int64_t least, std::int64_t most) {
  return CLI::Validator(
      [least, most](const std::string& text) -> std::string {
        std::int64_t number = 0;
        if (absl::SimpleAtoi(text, &number) && number >= least &&
            number <= most) {
          return "";
        }
        return absl::StrCat("\"", text, "\" is no whole number from ", least,
                            " to ", most);
      },
      "");
}

// A time to wait: one that is none, or below, would be no limit.
inline CLI::Validator IsPositive() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        double number = 0;
        if (absl::SimpleAtod(text, &number) && number > 0) return "";
        return absl::StrCat("\"", text, "\" is no number above 0");
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
