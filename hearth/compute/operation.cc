#include "hearth/compute/operation.h"

#include <cstdlib>
#include <new>

#include "hearth/base/error.h"

namespace hearth {
namespace {

absl::Status NotThisKind(absl::string_view method) {
  return Error(Reason::kInternal, std::string("a plan was asked for ") +
                                      std::string(method) +
                                      ", which its kind of operation has not");
}

}  // namespace

std::byte* Scratch::Get(std::int64_t bytes) {
  if (bytes > capacity_) {
    const auto rounded = static_cast<std::size_t>((bytes + 63) / 64 * 64);
    memory_.reset();
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(64, rounded)));
    if (memory_ == nullptr) throw std::bad_alloc();
    capacity_ = static_cast<std::int64_t>(rounded);
  }
  return memory_.get();
}

void Scratch::Free::operator()(std::byte* memory) const { std::free(memory); }

Bytes Plan::Begin(std::span<const std::byte>) const { return {}; }

absl::Status Plan::Accumulate(const BlockView&, std::span<const std::byte>,
                              Scratch&, Bytes&) const {
  return NotThisKind("Accumulate");
}

absl::Status Plan::Combine(Bytes&, std::span<const std::byte>) const {
  return NotThisKind("Combine");
}

absl::StatusOr<FinishOutcome> Plan::Finish(Bytes, std::span<const std::byte>,
                                           int) const {
  return NotThisKind("Finish");
}

Plan::ResultSlice Plan::SliceOf(const RowBlock&) const { return {}; }

absl::Status Plan::MapBlock(const BlockView&, Scratch&, std::byte*) const {
  return NotThisKind("MapBlock");
}

}  // namespace hearth
