#include <cstddef>
#include <span>

#include "hearth/matrix/npy.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(npy_header) {
  constexpr std::int64_t kPayloadBytes = 4096;
  const auto parsed = hearth::ParseNpyHeader(
      std::as_bytes(std::span(input.data(), input.size())),
      static_cast<std::int64_t>(input.size()) + kPayloadBytes, "x.npy");
  if (!parsed.ok()) {
    Require(parsed.status().message().size() < 1000);
    return;
  }
  Require(parsed->payload_offset >= 10);
  Require(parsed->layout.bytes() >= 0);
  const auto again = hearth::FormatNpyHeader(parsed->layout);
  Require(again.ok());
  const auto twice = hearth::ParseNpyHeader(
      std::as_bytes(std::span(again->data(), again->size())),
      static_cast<std::int64_t>(again->size()) + parsed->layout.bytes(),
      "x.npy");
  hearth::MatrixLayout expected = parsed->layout;
  // One axis has one order, which is written as C.
  if (expected.axis_count() <= 1) expected.order = hearth::Order::kC;
  Require(twice.ok() && twice->layout == expected);
}
