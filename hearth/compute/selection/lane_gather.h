#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hearth/matrix/layout.h"

namespace hearth {

// The lanes of a matrix: the elements that one output of a reduction is made
// of, wherever they lie. Lanes are numbered as their outputs lie in a result of
// the matrix's own order.
//
// Kind: value, immutable.
class LaneGather {
 public:
  // `axes`: the reduced ones, ascending. Requires elements that have an order.
  LaneGather(const MatrixLayout& layout, const std::vector<int>& axes);

  std::int64_t lane_count() const { return lane_count_; }
  std::int64_t elements() const { return elements_; }  // of a lane

  // Lanes that are read at once with profit, within `bytes` of memory; at least
  // one.
  std::int64_t LanesWithin(std::int64_t bytes) const;
  // Of Gather(): for the keys of `lanes` lanes and what it needs besides.
  std::int64_t ScratchBytes(std::int64_t lanes) const;

  // Writes the keys of lanes [begin, begin + count) to `keys`, lane after lane.
  // `data` is where element `first_element` lies; every element of those lanes
  // has to be there. `buffer` is at least kRun keys.
  static constexpr std::int64_t kRun = 1024;
  void Gather(const std::byte* data, std::int64_t first_element,
              ByteOrder byte_order, std::int64_t begin, std::int64_t count,
              std::int64_t* keys, std::int64_t* buffer) const;

 private:
  struct Axis {
    std::int64_t length;
    std::int64_t stride;  // elements
  };
  std::int64_t OffsetOf(const std::vector<Axis>& axes,
                        std::int64_t index) const;

  ElementType type_;
  std::vector<Axis> kept_;     // slowest first
  std::vector<Axis> reduced_;  // slowest first; equal neighbours merged
  std::int64_t lane_count_ = 1;
  std::int64_t elements_ = 1;
};

// Whether to gather lanes of `elements` elements from a matrix given whole,
// `times` times each, rather than to count in passes over it: where lanes are
// short, or all elements few.
bool GatherPays(const MatrixLayout& layout, std::int64_t elements,
                std::int64_t times);

// More lanes than this, each counted once a quantile, have bins too coarse to
// be worth a pass each.
std::int64_t LanesForPasses(const MatrixLayout& layout);

// The keys of `count` elements that lie one after the other, at any alignment.
void MakeKeys(NamedElementType type, const std::byte* from, std::int64_t count,
              std::int64_t* keys);

}  // namespace hearth
