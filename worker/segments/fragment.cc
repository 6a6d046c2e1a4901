#include "worker/segments/fragment.h"

#include <fcntl.h>

#include <atomic>
#include <optional>

#include "hearth/shm/memory_limits.h"

namespace hearth::worker {
namespace {

constexpr std::int64_t kPage = 4096;
constexpr std::int64_t kWordBits = 64;

// A cache leaves so much of the memory to others.
constexpr std::int64_t kFreePart = 8;

std::int64_t BitsOffset(std::int64_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

std::int64_t SizeOf(std::int64_t bytes, std::int64_t block_count) {
  const std::int64_t words = (block_count + kWordBits - 1) / kWordBits;
  return BitsOffset(bytes) + words * std::int64_t{sizeof(std::uint64_t)};
}

std::optional<OpenSegment> Fetch(const Id& token, std::int64_t size,
                                 SegmentReach& reach) {
  auto held = reach.own().Fetch(token);
  if (!held.ok() || held->card.kind != SegmentKind::kFragment) {
    return std::nullopt;
  }
  auto memory = OpenSegment::Adopt(std::move(held->fd), size);
  if (!memory.ok()) return std::nullopt;
  return *std::move(memory);
}

}  // namespace

Id Fragment::TokenOf(const Id& segment) {
  // Any fixed bits, as for a whole copy.
  return {segment.high ^ 0x667261676d656e74, segment.low ^ 0x5f6f665f726f7773};
}

std::shared_ptr<Fragment> Fragment::Open(const Id& segment, std::int64_t bytes,
                                         std::int64_t block_count,
                                         SegmentReach& reach) {
  const Id token = TokenOf(segment);
  const std::int64_t size = SizeOf(bytes, block_count);
  auto memory = Fetch(token, size, reach);
  if (!memory.has_value()) {
    auto created = OpenSegment::Create(
        size, MemoryLimits(),
        {.label = "hearth-fragment", .touched_bytes_max = kPage});
    if (!created.ok()) return nullptr;
    // A keeper takes the first deposit of a token and answers all alike.
    if (!reach.own()
             .Deposit(token, created->fd(),
                      {.kind = SegmentKind::kFragment,
                       .bytes = static_cast<std::uint64_t>(size)})
             .ok()) {
      return nullptr;
    }
    memory = Fetch(token, size, reach);
    if (!memory.has_value()) return nullptr;
  }
  const auto view = memory->Map();
  if (!view.ok()) return nullptr;
  return std::shared_ptr<Fragment>(
      new Fragment(*std::move(memory), *view, BitsOffset(bytes)));
}

std::uint64_t& Fragment::WordOf(std::int64_t block) const {
  return reinterpret_cast<std::uint64_t*>(view_.data() +
                                          bits_offset_)[block / kWordBits];
}

bool Fragment::Has(std::int64_t block) const {
  const std::uint64_t word =
      std::atomic_ref(WordOf(block)).load(std::memory_order_acquire);
  return (word >> (block % kWordBits) & 1) != 0;
}

std::int64_t Fragment::FirstOf(std::int64_t begin, std::int64_t end) const {
  std::int64_t block = begin;
  while (block < end && !Has(block)) ++block;
  return block;
}

std::span<const std::byte> Fragment::At(std::int64_t offset,
                                        std::int64_t bytes) const {
  return view_.subspan(static_cast<std::size_t>(offset),
                       static_cast<std::size_t>(bytes));
}

std::span<std::byte> Fragment::Take(std::int64_t offset, std::int64_t bytes) {
  const TightestLimit memory = MemoryLimits().Tightest();
  if (memory.free_bytes - bytes < memory.limit_bytes / kFreePart) return {};
  // Pages that the kernel can't give are an error here, and a SIGBUS later.
  if (fallocate(memory_.fd(), FALLOC_FL_KEEP_SIZE, offset, bytes) != 0) {
    return {};
  }
  return view_.subspan(static_cast<std::size_t>(offset),
                       static_cast<std::size_t>(bytes));
}

void Fragment::Publish(std::int64_t block) {
  std::atomic_ref(WordOf(block))
      .fetch_or(std::uint64_t{1} << (block % kWordBits),
                std::memory_order_release);
}

}  // namespace hearth::worker
