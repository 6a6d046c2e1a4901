#include "tests/fuzz/target.h"

namespace hearth::fuzz {

constinit const Target* Target::first = nullptr;

}  // namespace hearth::fuzz
