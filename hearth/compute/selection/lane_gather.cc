#include "hearth/compute/selection/lane_gather.h"

#include <algorithm>
#include <array>

#include "hearth/base/limits.h"
#include "hearth/compute/kernels/selection.h"

namespace hearth {
namespace {

constexpr std::int64_t kLanesAtOnceMax = 64;

// Partitioning a lane costs 20 ns an element, passes 8 ns, besides 8 us a lane
// and 0.1 s for the sample, which one thread does. Measured, up to here:
constexpr std::int64_t kShortLane = 2048;
constexpr std::int64_t kLaneOfSmallMatrix = 16384;
constexpr std::int64_t kSmallMatrix = 1 << 22;
// Passes would collect as few all at once, and one thread look for the ranks.
constexpr std::int64_t kFewElements = 1 << 20;
// A matrix in pieces is brought to each host that takes part: a second's worth.
constexpr std::int64_t kGatheredBytesMax = limits::kShardBytesMax;

}  // namespace

LaneGather::LaneGather(const MatrixLayout& layout, const std::vector<int>& axes)
    : type_(layout.type) {
  std::vector<bool> reduced(layout.shape.size(), false);
  for (const int axis : axes) reduced[static_cast<std::size_t>(axis)] = true;
  if (layout.order == Order::kFortran) {
    std::reverse(reduced.begin(), reduced.end());
  }
  const Shape storage = layout.StorageShape();
  std::int64_t stride = layout.element_count();
  for (std::size_t i = 0; i < storage.size(); ++i) {
    const std::int64_t length = storage[i];
    stride = length == 0 ? 0 : stride / length;
    auto& to = reduced[i] ? reduced_ : kept_;
    (reduced[i] ? elements_ : lane_count_) *= length;
    if (!to.empty() && to.back().stride == length * stride) {
      to.back() = {to.back().length * length, stride};
    } else {
      to.push_back({length, stride});
    }
  }
  if (kept_.empty()) kept_.push_back({1, 1});
  if (reduced_.empty()) reduced_.push_back({1, 1});
}

std::int64_t LaneGather::LanesWithin(std::int64_t bytes) const {
  return std::clamp<std::int64_t>(
      bytes / (8 * std::max<std::int64_t>(elements_, 1)), 1, kLanesAtOnceMax);
}

std::int64_t LaneGather::ScratchBytes(std::int64_t lanes) const {
  return 8 * (lanes * elements_ + kRun);
}

std::int64_t LaneGather::OffsetOf(const std::vector<Axis>& axes,
                                  std::int64_t index) const {
  std::int64_t offset = 0;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    offset += index % axis->length * axis->stride;
    index /= axis->length;
  }
  return offset;
}

void LaneGather::Gather(const std::byte* data, std::int64_t first_element,
                        ByteOrder byte_order, std::int64_t begin,
                        std::int64_t count, std::int64_t* keys,
                        std::int64_t* buffer) const {
  const NamedElementType type{type_, byte_order};
  const std::int64_t bytes = BytesOf(type_);
  const auto at = [&](std::int64_t element) {
    return data + (element - first_element) * bytes;
  };
  // Lanes that lie side by side are read so, an element of each at a time.
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t lane = begin + done;
    const std::int64_t left = kept_.back().length - lane % kept_.back().length;
    const std::int64_t lanes =
        kept_.back().stride == 1 ? std::min({left, count - done, kRun}) : 1;
    const std::int64_t base = OffsetOf(kept_, lane);
    std::int64_t* to = keys + done * elements_;
    const Axis inner = reduced_.back();
    for (std::int64_t i = 0; i < elements_; i += inner.length) {
      const std::int64_t from = base + OffsetOf(reduced_, i);
      if (lanes == 1 && inner.stride == 1) {
        MakeKeys(type, at(from), inner.length, to + i);
        continue;
      }
      for (std::int64_t j = 0; j < inner.length; ++j) {
        MakeKeys(type, at(from + j * inner.stride), lanes, buffer);
        for (std::int64_t k = 0; k < lanes; ++k) {
          to[k * elements_ + i + j] = buffer[k];
        }
      }
    }
    done += lanes;
  }
}

bool GatherPays(const MatrixLayout& layout, std::int64_t elements,
                std::int64_t times) {
  if (layout.element_count() == 0 || layout.bytes() > kGatheredBytesMax) {
    return false;
  }
  const std::int64_t all = layout.element_count() * times;
  return elements <= kShortLane / times || all <= kFewElements ||
         (elements <= kLaneOfSmallMatrix && all <= kSmallMatrix);
}

std::int64_t LanesForPasses(const MatrixLayout& layout) {
  // Of so many, six passes take as long as a gather of what is at hand.
  return layout.bytes() <= kGatheredBytesMax ? 32768 : 65536;
}

void MakeKeys(NamedElementType type, const std::byte* from, std::int64_t count,
              std::int64_t* keys) {
  const auto& kernels = kernels::FindSelectionKernels();
  const auto scalar = static_cast<kernels::Scalar>(type.type);
  const std::int64_t bytes = BytesOf(type.type);
  if (type.byte_order == ByteOrder::kNative || bytes == 1) {
    return kernels.make_keys(scalar, from, count, keys);
  }
  std::array<std::byte, 1024> native;
  const std::int64_t step = static_cast<std::int64_t>(native.size()) / bytes;
  for (std::int64_t i = 0; i < count; i += step) {
    const std::int64_t now = std::min(step, count - i);
    for (std::int64_t k = 0; k < now; ++k) {
      std::reverse_copy(from + (i + k) * bytes, from + (i + k + 1) * bytes,
                        native.begin() + k * bytes);
    }
    kernels.make_keys(scalar, native.data(), now, keys + i);
  }
}

}  // namespace hearth
