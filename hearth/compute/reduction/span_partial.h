#pragma once

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/reduction/reducer.h"

namespace hearth {

// A partial: accumulators of a contiguous span of outputs, all other outputs
// having seen no element. As bytes: begin and count (int64 each), then one
// array a component, each beginning at a multiple of 8.
//
// Kind: functions on bytes that may have come over a wire.
class SpanPartial {
 public:
  static std::int64_t BytesFor(const Reducer& reducer, std::int64_t outputs);

  // INTERNAL when the bytes are not a span within [0, output_count).
  static absl::StatusOr<SpanPartial> Read(const Reducer& reducer,
                                          std::span<const std::byte> bytes,
                                          std::int64_t output_count);

  // Makes `partial` hold at least [begin, begin + count): the outputs new to it
  // have seen no element.
  static void Extend(const Reducer& reducer, std::int64_t begin,
                     std::int64_t count, Bytes& partial);

  // Of output `begin()`.
  Accumulators accumulators(const Reducer& reducer) const;
  // Of any output within.
  Accumulators At(const Reducer& reducer, std::int64_t output) const;
  std::int64_t begin() const { return begin_; }
  std::int64_t count() const { return count_; }
  std::int64_t end() const { return begin_ + count_; }

 private:
  std::int64_t begin_ = 0;
  std::int64_t count_ = 0;
  std::byte* components_ = nullptr;  // read only where the bytes were
};

// Where the component arrays of `count` accumulators at `memory` begin.
Accumulators AccumulatorsAt(const Reducer& reducer, std::byte* memory,
                            std::int64_t count);
std::int64_t AccumulatorBytes(const Reducer& reducer, std::int64_t count);

// Of the output `index` further on.
Accumulators Advance(const Reducer& reducer, Accumulators from,
                     std::int64_t index);

}  // namespace hearth
