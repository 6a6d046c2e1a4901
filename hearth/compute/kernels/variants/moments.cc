// Count, mean and sum of squared deviations from it.
//
// Elements are taken in pieces that stay in cache. A first look at a quarter of
// a piece gives a centre, a second look at all of it the sums of d and d * d,
// d = x - centre. The mean of a quarter is at most sqrt(3) standard deviations
// from the mean of the whole, whatever the elements: so no more than two bits
// cancel, however far the mean is from 0. Pieces are joined after Chan, with
// means that carry what rounding left of them.
//
// Elements of up to 4 bytes are looked at once, about the first of them. Where
// that one turns out to lie more than six standard deviations from their mean,
// they are looked at again about it: six bits of 53 cancel at worst. Floating
// point elements of which a piece has no more than 512 for each mean are spared
// that: the squared deviations from their mean are a part in 512 of those from
// any of them, or more, so nine bits cancel at worst.
#include <type_traits>

#include "hearth/compute/kernels/variants/engine.h"
#include "hearth/compute/kernels/variants/families.h"
#include "hearth/compute/kernels/variants/moment_sums.h"
#include "hearth/compute/kernels/variants/two_sum.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {
namespace {

template <class Element, bool kSkipsNan>
struct MomentsOf {
  using First = Centre<Element, kSkipsNan>;
  using Second = Spread<Element, kSkipsNan>;
  static constexpr int kBytes = kElementBytes<First>;
  static constexpr int kN = kRegisterLanes<double>;

  // Three numbers each, in a first cache: whole rows of so many elements are
  // read in memory's own order.
  static constexpr int kPanelLanes = 1024;
  // What stays in a second cache between the two looks, and pays for joining.
  static constexpr std::int64_t kPieceElements = 65536;
  // A NaN is no centre for what is not.
  static constexpr bool kMayLookOnce = !kSkipsNan && kBytes <= 4;
  static constexpr std::int64_t kOneLookRows = 128;
  // How far a first element may lie off: six standard deviations.
  static constexpr bool kAlwaysLooksAgain =
      kMayLookOnce && !std::is_floating_point_v<typename Element::Wide>;
  static constexpr double kFarSquared = 36;

  // Longer rows would make long chains of their few lanes.
  static constexpr std::int64_t kShortMomentRowMax = 512;

  struct Tiles {
    Tile<First> first;
    Tile<Second> second;
    Tile<Second> total;
    Tile<Moments> moments;
  };

  // Long chains of additions drift: a few rows at a time are added up, then
  // their sums.
  static constexpr std::int64_t kChainRows = kBytes <= 4 ? 32 : 16;
  static void AddSpread(Tiles& tiles, const std::byte* data, std::int64_t rows,
                        std::int64_t lanes, std::int64_t stride) {
    if (rows <= kChainRows)
      return AddRows<Second>(data, rows, lanes, stride, tiles.total.parts,
                             data);
    if (lanes == kSpreadLanes<First>)
      return AddNarrowSpread(tiles, data, rows, stride);
    for (std::int64_t i = 0; i < rows; i += kChainRows) {
      for (int c = 0; c < 2; ++c)
        __builtin_memset(tiles.second.values[c], 0,
                         static_cast<std::size_t>(lanes) * 8);
      AddRows<Second>(data + i * stride,
                      i + kChainRows < rows ? kChainRows : rows - i, lanes,
                      stride, tiles.second.parts, data);
      MergeLanes<Second>(tiles.total.parts, 0, tiles.second.parts, 0, lanes);
    }
  }

  // The same of as many lanes as registers hold: chains begin and end there.
  static void AddNarrowSpread(Tiles& tiles, const std::byte* data,
                              std::int64_t rows, std::int64_t stride) {
    constexpr int kVectors = 4;
    static_assert(kSpreadLanes<First> % (kVectors * kN) == 0);
    for (std::int64_t i = 0; i < rows; i += kChainRows) {
      const std::byte* from = data + i * stride;
      const std::int64_t now = i + kChainRows < rows ? kChainRows : rows - i;
      for (int k = 0; k < kSpreadLanes<First>; k += kVectors * kN) {
        Lanes<Second, kN> lanes[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          lanes[v] = {
              Broadcast<double, kN>(0), Broadcast<double, kN>(0),
              LoadRaw<double, kN>(tiles.total.parts[2] + (k + v * kN) * 8)};
        }
        const std::byte* at = from + k * kBytes;
        for (std::int64_t row = 0; row < now; ++row, at += stride) {
#pragma GCC unroll 4
          for (int ahead = 0; ahead < kVectors * kN * kBytes; ahead += 64)
            __builtin_prefetch(at + kAheadBytes + ahead, 0, 2);
#pragma GCC unroll 4
          for (int v = 0; v < kVectors; ++v)
            Second::template Add<kN>(lanes[v], at + v * kN * kBytes);
        }
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          auto total = LoadLanes<Second, kN>(tiles.total.parts, k + v * kN);
          Second::template Merge<kN>(total, lanes[v]);
          StoreChanged<Second, kN>(total, tiles.total.parts, k + v * kN);
        }
      }
    }
  }

  // The first look's sums, in `sums`, become centres and counts. Where NaN is
  // not skipped, those are of `looked` and `rows` elements each.
  static void SetCentres(Tiles& tiles, const Tile<First>& sums,
                         std::int64_t width, std::int64_t looked,
                         std::int64_t rows) {
    std::int64_t k = 0;
    for (; k + kN <= width; k += kN)
      SetSomeCentres<kN>(tiles, sums, k, looked, rows);
    for (; k < width; ++k) SetSomeCentres<1>(tiles, sums, k, looked, rows);
  }
  template <int N>
  static void SetSomeCentres(Tiles& tiles, const Tile<First>& sums,
                             std::int64_t k, std::int64_t looked,
                             std::int64_t rows) {
    using V = Vector<double, N>;
    const V none = Broadcast<double, N>(0);
    const auto sum = LoadLanes<First, N>(sums.parts, k);
    V divisor = Broadcast<double, N>(static_cast<double>(looked));
    V count = Broadcast<double, N>(static_cast<double>(rows));
    if constexpr (kSkipsNan) divisor = count = sum.part[1];
    StoreRaw<double, N>(tiles.moments.parts[0] + k * 8, count);
    const V centre = divisor == none ? none : sum.part[0] / divisor;
    StoreRaw<double, N>(tiles.moments.parts[1] + k * 8, centre);
  }

  // The second look's sums about those centres, in `sums`, become moments, and
  // join.
  static void Join(const Tiles& tiles, const Tile<Second>& sums,
                   std::int64_t width, std::byte* const* accumulators,
                   std::int64_t index) {
    std::int64_t k = 0;
    for (; k + kN <= width; k += kN)
      JoinSome<kN>(tiles, sums, k, accumulators, index);
    for (; k < width; ++k) JoinSome<1>(tiles, sums, k, accumulators, index);
  }
  template <int N>
  static void JoinSome(const Tiles& tiles, const Tile<Second>& sums,
                       std::int64_t k, std::byte* const* accumulators,
                       std::int64_t index) {
    using V = Vector<double, N>;
    const V none = Broadcast<double, N>(0);
    const auto sum = LoadLanes<Second, N>(sums.parts, k);
    Lanes<Moments, N> piece;
    const V count = LoadRaw<double, N>(tiles.moments.parts[0] + k * 8);
    const V share = count == none ? none : sum.part[0] / count;
    piece.part[0] = count;
    piece.part[1] = LoadRaw<double, N>(tiles.moments.parts[1] + k * 8);
    piece.part[2] = none;
    TwoSum<V>(piece.part[1], piece.part[2], share);
    piece.part[3] = SquaresAboutMean<V>(sum.part[0], sum.part[1], share);
    piece.part[4] = none;
    auto kept = LoadLanes<Moments, N>(accumulators, index + k);
    Moments::Merge<N>(kept, piece);
    StoreLanes<Moments, N>(kept, accumulators, index + k);
  }

  // `groups` rows of `width` lie side by side as one (1: they do not); `rows`
  // counts single rows.
  static void Piece(Tiles& tiles, const std::byte* data, std::int64_t rows,
                    std::int64_t width, std::int64_t stride,
                    std::int64_t groups, std::byte* const* accumulators,
                    std::int64_t index) {
    const std::int64_t lanes = groups * width;
    const std::int64_t whole = rows / groups;
    const std::int64_t rest = rows % groups * width;
    const std::int64_t step = groups * stride;
    const auto look = [&] {
      ClearLanes<Second>(tiles.total.parts, lanes);
      SpreadCentres(tiles, groups, width);
      AddSpread(tiles, data, whole, lanes, step);
      if (rest > 0)
        AddRows<Second>(data + whole * step, 1, rest, step, tiles.total.parts,
                        data);
      FoldLanes<Second>(tiles.total.parts, groups, width);
    };
    if constexpr (kMayLookOnce) {
      SetFirstCentres(tiles, data, width, rows);
      look();
      const bool may_be_far = kAlwaysLooksAgain || rows > kShortMomentRowMax;
      if (may_be_far && MoveFarCentres(tiles, tiles.total, width)) look();
    } else {
      LookForCentres(tiles, data, rows, width, step, groups);
      look();
    }
    Join(tiles, tiles.total, width, accumulators, index);
  }

  // Each of the groups gets all centres.
  static void SpreadCentres(Tiles& tiles, std::int64_t groups,
                            std::int64_t width) {
    const auto copy = [&](Tile<Second>& to) {
      if (width == 1) {  // the most frequent case
        const double centre = tiles.moments.values[1][0];
        for (std::int64_t g = 0; g < groups; ++g) to.values[2][g] = centre;
        return;
      }
      const auto bytes = static_cast<std::size_t>(width) * 8;
      for (std::int64_t g = 0; g < groups; ++g)
        __builtin_memcpy(to.parts[2] + g * width * 8, tiles.moments.parts[1],
                         bytes);
    };
    copy(tiles.second);
    copy(tiles.total);
  }

  // Centres are the elements of the first row.
  static void SetFirstCentres(Tiles& tiles, const std::byte* data,
                              std::int64_t width, std::int64_t rows) {
    const auto set = [&]<int N>(std::int64_t k) __attribute__((always_inline)) {
      StoreRaw<double, N>(tiles.moments.parts[0] + k * 8,
                          Broadcast<double, N>(static_cast<double>(rows)));
      StoreRaw<double, N>(tiles.moments.parts[1] + k * 8,
                          LoadDouble<Element, N>(data + k * kBytes));
    };
    std::int64_t k = 0;
    for (; k + kN <= width; k += kN) set.template operator()<kN>(k);
    for (; k < width; ++k) set.template operator()<1>(k);
  }

  // Whether a centre was far from its mean; then all of them are moved there.
  static bool MoveFarCentres(Tiles& tiles, const Tile<Second>& sums,
                             std::int64_t width) {
    auto far = Broadcast<double, kN>(0);
    const auto visit = [&]<int N>(std::int64_t k, bool moves)
        __attribute__((always_inline)) {
      using V = Vector<double, N>;
      const auto sum = LoadLanes<Second, N>(sums.parts, k);
      const V share =
          sum.part[0] / LoadRaw<double, N>(tiles.moments.parts[0] + k * 8);
      if (moves) {
        std::byte* const centre = tiles.moments.parts[1] + k * 8;
        StoreRaw<double, N>(centre, LoadRaw<double, N>(centre) + share);
        return;
      }
      const V apart = sum.part[0] * share;
      const V beyond =
          apart - (sum.part[1] - apart) * Broadcast<double, N>(kFarSquared);
      if constexpr (N == kN) {
        far = beyond > far ? beyond : far;
      } else {
        far[0] = beyond > far[0] ? beyond : far[0];
      }
    };
    const auto visit_all = [&](bool moves) {
      std::int64_t k = 0;
      for (; k + kN <= width; k += kN) visit.template operator()<kN>(k, moves);
      for (; k < width; ++k) visit.template operator()<1>(k, moves);
    };
    visit_all(false);
    double most = 0;
    for (int i = 0; i < kN; ++i) most = far[i] > most ? far[i] : most;
    if (most > 0) visit_all(true);
    return most > 0;
  }

  // The first look of a piece; see Piece.
  static void LookForCentres(Tiles& tiles, const std::byte* data,
                             std::int64_t rows, std::int64_t width,
                             std::int64_t step, std::int64_t groups) {
    const std::int64_t lanes = groups * width;
    const std::int64_t whole = rows / groups;
    const std::int64_t rest = rows % groups * width;
    // A count of what is not NaN has to look at all.
    const std::int64_t looked =
        !kSkipsNan && whole >= kChainRows ? whole / 4 : whole;
    ClearLanes<First>(tiles.first.parts, lanes);
    AddRows<First>(data, looked, lanes, step, tiles.first.parts, data);
    if (looked == whole && rest > 0)
      AddRows<First>(data + whole * step, 1, rest, step, tiles.first.parts,
                     data);
    FoldLanes<First>(tiles.first.parts, groups, width);
    SetCentres(tiles, tiles.first, width,
               looked == whole ? rows : looked * groups, rows);
    MendCentres(tiles, data, rows, step / groups, width, kBytes);
  }

  // The sum of numbers near the end of float64 may leave it; their mean does
  // not. Lane k has `count` elements, `step` bytes apart, from
  // data + k * apart on.
  static void MendCentres(Tiles& tiles, const std::byte* data,
                          std::int64_t count, std::int64_t step,
                          std::int64_t width, std::int64_t apart) {
    if constexpr (kBytes == 8 &&
                  std::is_floating_point_v<typename Element::Wide>) {
      for (std::int64_t k = 0; k < width; ++k) {
        double& centre = tiles.moments.values[1][k];
        if (centre != centre || centre - centre == 0) continue;
        // About the first of them: what is all the same has no deviations.
        const double share = 2 / tiles.moments.values[0][k];
        double half = 0;
        double far = 0;
        bool is_first = true;
        for (std::int64_t i = 0; i < count; ++i) {
          const double x = LoadDouble<Element, 1>(data + k * apart + i * step);
          if (kSkipsNan && x != x) continue;
          if (is_first) half = x / 2;
          is_first = false;
          far += (x / 2 - half) * share;
        }
        centre = 2 * half + far;
      }
    }
  }

  static void Panel(Tiles& tiles, const std::byte* data, std::int64_t rows,
                    std::int64_t width, std::int64_t stride,
                    std::byte* const* accumulators, std::int64_t index) {
    std::int64_t groups = 1;
    while (groups * width < kSpreadLanes<First>) groups *= 2;
    if (rows < 4 * groups || stride != width * kBytes) groups = 1;
    for (std::int64_t k = 0; k < width; k += kPanelLanes) {
      const std::int64_t now =
          k + kPanelLanes < width ? kPanelLanes : width - k;
      std::int64_t piece = kPieceElements / (now * groups);
      if (piece < kChainRows) piece = kChainRows;
      if (kMayLookOnce && groups == 1) piece = kOneLookRows;
      piece *= groups;
      for (std::int64_t i = 0; i < rows; i += piece) {
        Piece(tiles, data + i * stride + k * kBytes,
              i + piece < rows ? piece : rows - i, now, stride, groups,
              accumulators, index + k);
      }
    }
  }

  static void ShortRows(Tiles& tiles, const std::byte* data, std::int64_t count,
                        std::int64_t length, std::byte* const* accumulators) {
    constexpr int kLanes = kRowLanes<First>;
    const std::int64_t row_bytes = length * kBytes;
    std::int64_t batch = 2 * kPieceElements / length;
    batch = batch < 8 ? 8 : batch > kRowBatch<First> ? kRowBatch<First> : batch;
    const std::int64_t looked = !kSkipsNan && length >= 4 * kLanes
                                    ? length / 4 / kLanes * kLanes
                                    : length;
    Tile<First> turned_first;
    Tile<Second> turned_second;
    for (std::int64_t p = 0; p < count; p += batch) {
      const std::int64_t now = p + batch < count ? batch : count - p;
      const std::byte* from = data + p * row_bytes;
      if constexpr (kMayLookOnce) {
        for (std::int64_t row = 0; row < now; ++row) {
          tiles.moments.values[0][row] = static_cast<double>(length);
          tiles.moments.values[1][row] =
              LoadDouble<Element, 1>(from + row * row_bytes);
        }
      } else {
        ClearLanes<First>(tiles.first.parts, now * kLanes);
        AddShortRowsOf<First>(from, now, looked, row_bytes, tiles.first.parts,
                              data + count * row_bytes);
        TurnAndFold<First>(tiles.first, now, turned_first);
        SetCentres(tiles, turned_first, now, looked, length);
        MendCentres(tiles, from, length, kBytes, now, row_bytes);
      }

      const auto look = [&] {
        ClearLanes<Second>(tiles.second.parts, now * kLanes);
        for (std::int64_t row = 0; row < now; ++row) {
          const auto centre =
              Broadcast<double, kN>(tiles.moments.values[1][row]);
          for (int lane = 0; lane < kLanes; lane += kN) {
            StoreRaw<double, kN>(
                tiles.second.parts[2] + (row * kLanes + lane) * 8, centre);
          }
        }
        AddShortRowsOf<Second>(from, now, length, row_bytes, tiles.second.parts,
                               data + count * row_bytes);
        TurnAndFold<Second>(tiles.second, now, turned_second);
      };
      look();
      if (kAlwaysLooksAgain && MoveFarCentres(tiles, turned_second, now))
        look();
      Join(tiles, turned_second, now, accumulators, p);
    }
  }

  static void Reduce(const Panels& panels, std::byte* const* accumulators) {
    const auto [data, count, rows, width, row_bytes] = panels;
    if (rows == 0 || width == 0) return;
    Tiles tiles;
    if (row_bytes != 0) {
      Panel(tiles, data, rows, width, row_bytes, accumulators, 0);
      return;
    }
    if (width == 1 && rows <= kShortMomentRowMax && count > 1) {
      ShortRows(tiles, data, count, rows, accumulators);
      return;
    }
    for (std::int64_t p = 0; p < count; ++p) {
      Panel(tiles, data + p * rows * width * kBytes, rows, width,
            width * kBytes, accumulators, p * width);
    }
  }
};

template <class Element, bool kSkipsNan = false>
constexpr Kernel MomentsKernel() {
  Kernel kernel{};
  kernel.components = Moments::kParts;
  for (int c = 0; c < Moments::kParts; ++c) kernel.component_bytes[c] = 8;
  kernel.clear = &ClearLanes<Moments>;
  kernel.reduce = &MomentsOf<Element, kSkipsNan>::Reduce;
  kernel.merge = &MergeKept<Moments>;
  return kernel;
}

template <class Element, bool kSkipsNan = false>
constexpr Kernel kKernel = MomentsKernel<Element, kSkipsNan>();

}  // namespace

const Kernel* FindMoments(Family family, Scalar scalar) {
  const bool skips = family == Family::kMomentsOfNumbers;
  switch (scalar) {
    case Scalar::kBool:
      return &kKernel<Bool>;
    case Scalar::kInt8:
      return &kKernel<Plain<std::int8_t>>;
    case Scalar::kInt16:
      return &kKernel<Plain<std::int16_t>>;
    case Scalar::kInt32:
      return &kKernel<Plain<std::int32_t>>;
    case Scalar::kInt64:
      return &kKernel<Plain<std::int64_t>>;
    case Scalar::kUint8:
      return &kKernel<Plain<std::uint8_t>>;
    case Scalar::kUint16:
      return &kKernel<Plain<std::uint16_t>>;
    case Scalar::kUint32:
      return &kKernel<Plain<std::uint32_t>>;
    case Scalar::kUint64:
      return &kKernel<Plain<std::uint64_t>>;
    case Scalar::kFloat16:
      return skips ? &kKernel<Float16, true> : &kKernel<Float16>;
    case Scalar::kBfloat16:
      return skips ? &kKernel<Bfloat16, true> : &kKernel<Bfloat16>;
    case Scalar::kFloat32:
      return skips ? &kKernel<Plain<float>, true> : &kKernel<Plain<float>>;
    case Scalar::kFloat64:
      return skips ? &kKernel<Plain<double>, true> : &kKernel<Plain<double>>;
    default:
      return nullptr;
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
