#include "hearth/compute/reduction/span_partial.h"

#include <algorithm>
#include <cstring>

#include "hearth/base/error.h"

namespace hearth {
namespace {

constexpr std::int64_t kHeaderBytes = 16;

std::int64_t RoundedUp(std::int64_t bytes) { return (bytes + 7) / 8 * 8; }

}  // namespace

std::int64_t AccumulatorBytes(const Reducer& reducer, std::int64_t count) {
  std::int64_t bytes = 0;
  for (int c = 0; c < reducer.components(); ++c)
    bytes += RoundedUp(count * reducer.component_bytes(c));
  return bytes;
}

Accumulators AccumulatorsAt(const Reducer& reducer, std::byte* memory,
                            std::int64_t count) {
  Accumulators at{};
  for (int c = 0; c < reducer.components(); ++c) {
    at[static_cast<std::size_t>(c)] = memory;
    memory += RoundedUp(count * reducer.component_bytes(c));
  }
  return at;
}

Accumulators Advance(const Reducer& reducer, Accumulators from,
                     std::int64_t index) {
  for (int c = 0; c < reducer.components(); ++c)
    from[static_cast<std::size_t>(c)] += index * reducer.component_bytes(c);
  return from;
}

std::int64_t SpanPartial::BytesFor(const Reducer& reducer,
                                   std::int64_t outputs) {
  return kHeaderBytes + AccumulatorBytes(reducer, outputs);
}

absl::StatusOr<SpanPartial> SpanPartial::Read(const Reducer& reducer,
                                              std::span<const std::byte> bytes,
                                              std::int64_t output_count) {
  SpanPartial partial;
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (size >= kHeaderBytes) {
    std::memcpy(&partial.begin_, bytes.data(), 8);
    std::memcpy(&partial.count_, bytes.data() + 8, 8);
  }
  if (size < kHeaderBytes || partial.begin_ < 0 || partial.count_ < 0 ||
      partial.count_ > output_count ||
      partial.begin_ > output_count - partial.count_ ||
      size != BytesFor(reducer, partial.count_)) {
    return Error(Reason::kInternal,
                 "join partials: one is no span of this result's outputs");
  }
  // Accumulators are read and written through one type of view; what was given
  // as const is only read.
  partial.components_ = const_cast<std::byte*>(bytes.data()) + kHeaderBytes;
  return partial;
}

void SpanPartial::Extend(const Reducer& reducer, std::int64_t begin,
                         std::int64_t count, Bytes& partial) {
  std::int64_t old_begin = begin;
  std::int64_t old_count = 0;
  if (!partial.empty()) {
    std::memcpy(&old_begin, partial.data(), 8);
    std::memcpy(&old_count, partial.data() + 8, 8);
  }
  std::int64_t end = begin + count;
  if (old_count > 0) {
    if (old_begin <= begin && end <= old_begin + old_count) return;
    begin = std::min(begin, old_begin);
    end = std::max(end, old_begin + old_count);
  }
  Bytes larger(static_cast<std::size_t>(BytesFor(reducer, end - begin)));
  count = end - begin;
  std::memcpy(larger.data(), &begin, 8);
  std::memcpy(larger.data() + 8, &count, 8);
  const Accumulators to =
      AccumulatorsAt(reducer, larger.data() + kHeaderBytes, count);
  reducer.Clear(to, count);
  if (old_count > 0) {
    const Accumulators from =
        AccumulatorsAt(reducer, partial.data() + kHeaderBytes, old_count);
    for (int c = 0; c < reducer.components(); ++c) {
      const auto i = static_cast<std::size_t>(c);
      const std::int64_t bytes = reducer.component_bytes(c);
      std::memcpy(to[i] + (old_begin - begin) * bytes, from[i],
                  static_cast<std::size_t>(old_count * bytes));
    }
  }
  partial = std::move(larger);
}

Accumulators SpanPartial::accumulators(const Reducer& reducer) const {
  return AccumulatorsAt(reducer, components_, count_);
}

Accumulators SpanPartial::At(const Reducer& reducer,
                             std::int64_t output) const {
  return Advance(reducer, accumulators(reducer), output - begin_);
}

}  // namespace hearth
