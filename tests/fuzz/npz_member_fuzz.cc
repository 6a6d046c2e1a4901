#include <cstring>

#include "hearth/matrix/npz.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(npz_member) {
  const auto size = static_cast<std::int64_t>(input.size());
  const auto read = [&](std::int64_t offset, std::span<std::byte> into) {
    // Asked only for what there is: that is the promise of ReadRange.
    Require(offset >= 0 && offset <= size && std::ssize(into) <= size - offset);
    if (!into.empty()) {  // an empty input has no address
      std::memcpy(into.data(), input.data() + offset, into.size());
    }
    return absl::OkStatus();
  };
  const auto range = hearth::FindNpzMember("x.npz", size, "a", read);
  if (range.ok()) {
    Require(range->offset >= 0 && range->bytes >= 0 &&
            range->offset <= size - range->bytes);
  }
  const auto array = hearth::FindNpzArray("x.npz", size, "a", read);
  if (array.ok()) {
    Require(range.ok());
    Require(array->payload_offset >= range->offset);
    Require(array->layout.bytes() <= size - array->payload_offset);
  }
}
