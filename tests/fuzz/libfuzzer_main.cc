// A program has one target, and libFuzzer has the main.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  hearth::fuzz::Target::first->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
