#pragma once

#include <cstdint>
#include <string>

namespace hearth::client {

enum class CheckState : std::uint8_t {
  kOk,
  kWarn,  // Hearth works, but slower or with less than it could
  kFail,  // something of Hearth can't work here
};

// One thing that was looked at. Kind: value.
struct Check {
  std::string name;  // one word
  CheckState state = CheckState::kOk;
  std::string found;
  std::string advice = {};  // empty where there is none to give
};

}  // namespace hearth::client
