#include "hearth/compute/kernels/selection.h"

#include "hearth/compute/kernels/variants/simd.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// selection.cc beside this folder declares it once a variant.
const SelectionKernels& Selection();

namespace {

template <class Element>
void IntegerKeys(const std::byte* from, std::int64_t count,
                 std::int64_t* keys) {
  using Stored = typename Element::Stored;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto value = Element::template Load<1>(
        from + i * static_cast<std::int64_t>(sizeof(Stored)));
    keys[i] = static_cast<std::int64_t>(value);
    if constexpr (sizeof(Stored) == 8 && static_cast<Stored>(-1) > 0) {
      keys[i] ^= INT64_MIN;
    }
  }
}

[[gnu::always_inline]] inline std::int64_t KeyOf(double value) {
  std::int64_t bits;
  __builtin_memcpy(&bits, &value, 8);
  const std::int64_t key = bits ^ ((bits >> 63) & INT64_MAX);
  return value != value ? kNanKey : key;
}

template <class Element>
void FloatKeys(const std::byte* from, std::int64_t count, std::int64_t* keys) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  constexpr int kN = kRegisterLanes<double>;
  std::int64_t i = 0;
  if constexpr (kBytes == 2) {
    // Converting halves one by one would take longer than all the rest.
    for (; i + kN <= count; i += kN) {
      const Vector<float, kN> wide = Element::template Load<kN>(from + i * 2);
      for (int k = 0; k < kN; ++k) keys[i + k] = KeyOf(wide[k]);
    }
  }
  for (; i < count; ++i) {
    keys[i] = KeyOf(Element::template Load<1>(from + i * kBytes));
  }
}

void MakeKeys(Scalar scalar, const std::byte* from, std::int64_t count,
              std::int64_t* keys) {
  switch (scalar) {
    case Scalar::kBool:
      return IntegerKeys<Bool>(from, count, keys);
    case Scalar::kInt8:
      return IntegerKeys<Plain<std::int8_t>>(from, count, keys);
    case Scalar::kInt16:
      return IntegerKeys<Plain<std::int16_t>>(from, count, keys);
    case Scalar::kInt32:
      return IntegerKeys<Plain<std::int32_t>>(from, count, keys);
    case Scalar::kInt64:
      return IntegerKeys<Plain<std::int64_t>>(from, count, keys);
    case Scalar::kUint8:
      return IntegerKeys<Plain<std::uint8_t>>(from, count, keys);
    case Scalar::kUint16:
      return IntegerKeys<Plain<std::uint16_t>>(from, count, keys);
    case Scalar::kUint32:
      return IntegerKeys<Plain<std::uint32_t>>(from, count, keys);
    case Scalar::kUint64:
      return IntegerKeys<Plain<std::uint64_t>>(from, count, keys);
    case Scalar::kFloat16:
      return FloatKeys<Float16>(from, count, keys);
    case Scalar::kBfloat16:
      return FloatKeys<Bfloat16>(from, count, keys);
    case Scalar::kFloat32:
      return FloatKeys<Plain<float>>(from, count, keys);
    case Scalar::kFloat64:
      return FloatKeys<Plain<double>>(from, count, keys);
    case Scalar::kComplex64:
    case Scalar::kComplex128:
      return;  // have no order
  }
}

// Whether key - lo, as a number without sign, is at most width: then it is
// neither below lo nor above lo + width.
[[gnu::always_inline]] inline bool In(std::int64_t key, std::int64_t lo,
                                      std::uint64_t width) {
  return static_cast<std::uint64_t>(key) - static_cast<std::uint64_t>(lo) <=
         width;
}

// Eight keys a step; `lo` and `width` either have a value each or one for all.
#if defined(__AVX512F__)
struct Eight {
  static constexpr int kKeys = 8;
  // GCC 12 may spill the eight bits of a mask and read 32 back. The empty
  // instruction has them widened in a register first.
  [[gnu::always_inline]] static unsigned Widened(__mmask8 mask) {
    unsigned wide = mask;
    asm("" : "+r"(wide));
    return wide;
  }
  [[gnu::always_inline]] static unsigned InMask(__m512i keys, __m512i lo,
                                                __m512i width) {
    return Widened(_mm512_cmple_epu64_mask(_mm512_sub_epi64(keys, lo), width));
  }
  [[gnu::always_inline]] static unsigned BelowMask(__m512i keys, __m512i lo) {
    return Widened(_mm512_cmplt_epi64_mask(keys, lo));
  }
};

// All eight indexes are written, those in the mask first: a loop over the mask
// would go wrong at most of its ends. There is room, since no more were found
// before than looked at.
[[gnu::always_inline]] inline std::int64_t PushHits(unsigned mask,
                                                    std::int64_t first,
                                                    std::int64_t found,
                                                    std::uint32_t* hits) {
  const __m256i indexes =
      _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                       _mm256_set1_epi32(static_cast<int>(first)));
  _mm256_storeu_si256(
      reinterpret_cast<__m256i*>(hits + found),
      _mm256_maskz_compress_epi32(static_cast<__mmask8>(mask), indexes));
  return found + __builtin_popcount(mask);
}
#elif defined(__AVX2__)
struct Four {
  [[gnu::always_inline]] static unsigned Mask(__m256i lanes) {
    return static_cast<unsigned>(
        _mm256_movemask_pd(_mm256_castsi256_pd(lanes)));
  }
  // Without a sign: by flipping it on both sides.
  [[gnu::always_inline]] static unsigned InMask(__m256i keys, __m256i lo,
                                                __m256i width) {
    const __m256i sign = _mm256_set1_epi64x(INT64_MIN);
    const __m256i away = _mm256_sub_epi64(keys, lo);
    return ~Mask(_mm256_cmpgt_epi64(_mm256_xor_si256(away, sign),
                                    _mm256_xor_si256(width, sign))) &
           15u;
  }
};

[[gnu::always_inline]] inline std::int64_t PushHits(unsigned mask,
                                                    std::int64_t first,
                                                    std::int64_t found,
                                                    std::uint32_t* hits) {
  while (mask != 0) {
    hits[found++] = static_cast<std::uint32_t>(first + __builtin_ctz(mask));
    mask &= mask - 1;
  }
  return found;
}
#endif

template <bool kCount>
std::int64_t FindAcrossAs(const std::int64_t* keys, const std::int64_t* lo,
                          const std::uint64_t* width, std::int64_t count,
                          std::uint32_t* below, std::uint32_t* hits) {
  std::int64_t found = 0;
  std::int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 8 <= count; i += 8) {
    const __m512i key = _mm512_loadu_si512(keys + i);
    const __m512i from = _mm512_loadu_si512(lo + i);
    if constexpr (kCount) {
      auto* at = reinterpret_cast<__m256i*>(below + i);
      const __m256i counted = _mm256_loadu_si256(at);
      _mm256_storeu_si256(
          at, _mm256_mask_add_epi32(
                  counted, static_cast<__mmask8>(Eight::BelowMask(key, from)),
                  counted, _mm256_set1_epi32(1)));
    }
    found = PushHits(Eight::InMask(key, from, _mm512_loadu_si512(width + i)), i,
                     found, hits);
  }
#elif defined(__AVX2__)
  const auto load = [](const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  };
  for (; i + 4 <= count; i += 4) {
    const __m256i key = load(keys + i);
    const __m256i from = load(lo + i);
    if constexpr (kCount) {
      // -1 where it is below, in the low halves.
      const __m256i is_below = _mm256_cmpgt_epi64(from, key);
      const __m256i packed = _mm256_permutevar8x32_epi32(
          is_below, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
      auto* at = reinterpret_cast<__m128i*>(below + i);
      _mm_storeu_si128(at, _mm_sub_epi32(_mm_loadu_si128(at),
                                         _mm256_castsi256_si128(packed)));
    }
    found = PushHits(Four::InMask(key, from, load(width + i)), i, found, hits);
  }
#endif
  for (; i < count; ++i) {
    if constexpr (kCount) below[i] += keys[i] < lo[i] ? 1 : 0;
    hits[found] = static_cast<std::uint32_t>(i);
    found += In(keys[i], lo[i], width[i]) ? 1 : 0;
  }
  return found;
}

std::int64_t FindAcross(const std::int64_t* keys, const std::int64_t* lo,
                        const std::uint64_t* width, std::int64_t count,
                        std::uint32_t* below, std::uint32_t* hits) {
  return below != nullptr
             ? FindAcrossAs<true>(keys, lo, width, count, below, hits)
             : FindAcrossAs<false>(keys, lo, width, count, below, hits);
}

std::int64_t FindAlong(const std::int64_t* keys, std::int64_t lo,
                       std::uint64_t width, std::int64_t count,
                       std::int64_t* below, std::uint32_t* hits) {
  std::int64_t found = 0;
  std::int64_t under = 0;
  std::int64_t i = 0;
#if defined(__AVX512F__)
  const __m512i from = _mm512_set1_epi64(lo);
  const __m512i wide = _mm512_set1_epi64(static_cast<std::int64_t>(width));
  for (; i + 8 <= count; i += 8) {
    const __m512i key = _mm512_loadu_si512(keys + i);
    under += __builtin_popcount(Eight::BelowMask(key, from));
    found = PushHits(Eight::InMask(key, from, wide), i, found, hits);
  }
#elif defined(__AVX2__)
  const __m256i from = _mm256_set1_epi64x(lo);
  const __m256i wide = _mm256_set1_epi64x(static_cast<std::int64_t>(width));
  for (; i + 4 <= count; i += 4) {
    const __m256i key =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(keys + i));
    under += __builtin_popcount(Four::Mask(_mm256_cmpgt_epi64(from, key)));
    found = PushHits(Four::InMask(key, from, wide), i, found, hits);
  }
#endif
  for (; i < count; ++i) {
    under += keys[i] < lo ? 1 : 0;
    hits[found] = static_cast<std::uint32_t>(i);
    found += In(keys[i], lo, width) ? 1 : 0;
  }
  if (below != nullptr) *below += under;
  return found;
}

// Whether any byte of a comparison is set.
template <class Mask>
[[gnu::always_inline]] inline bool Any(Mask mask) {
#if defined(__AVX512F__)
  __m512i lanes;
  __builtin_memcpy(&lanes, &mask, sizeof(lanes));
  return _mm512_test_epi64_mask(lanes, lanes) != 0;
#elif defined(__AVX2__)
  __m256i lanes;
  __builtin_memcpy(&lanes, &mask, sizeof(lanes));
  return _mm256_testz_si256(lanes, lanes) == 0;
#else
  std::int64_t halves[2];
  __builtin_memcpy(halves, &mask, sizeof(halves));
  return (halves[0] | halves[1]) != 0;
#endif
}

template <class T>
std::int64_t SkipAs(const std::byte* from, std::int64_t count,
                    const std::byte* value) {
  constexpr int kN = kRegisterLanes<T>;
  constexpr int kTogether = 4;
  const auto wanted = Broadcast<T, kN>(LoadRaw<T, 1>(value));
  const auto equal = [&](std::int64_t i) {
    return LoadRaw<T, kN>(from + i * static_cast<int>(sizeof(T))) == wanted;
  };
  std::int64_t i = 0;
  for (; i + kTogether * kN <= count; i += kTogether * kN) {
    if (Any(equal(i) | equal(i + kN) | equal(i + 2 * kN) | equal(i + 3 * kN))) {
      break;
    }
  }
  while (i + kN <= count && !Any(equal(i))) i += kN;
  return i;
}

std::int64_t SkipUnequal(Scalar scalar, const std::byte* from,
                         std::int64_t count, const std::byte* value) {
  switch (scalar) {
    case Scalar::kInt8:
    case Scalar::kUint8:
      return SkipAs<std::int8_t>(from, count, value);
    case Scalar::kInt16:
    case Scalar::kUint16:
      return SkipAs<std::int16_t>(from, count, value);
    case Scalar::kInt32:
    case Scalar::kUint32:
      return SkipAs<std::int32_t>(from, count, value);
    case Scalar::kInt64:
    case Scalar::kUint64:
      return SkipAs<std::int64_t>(from, count, value);
    case Scalar::kFloat32:
      return SkipAs<float>(from, count, value);
    case Scalar::kFloat64:
      return SkipAs<double>(from, count, value);
    default:
      return 0;
  }
}

void ExtremesAcross(const std::int64_t* keys, std::int64_t count,
                    std::int64_t* least, std::int64_t* greatest) {
  for (std::int64_t i = 0; i < count; ++i) {
    least[i] = keys[i] < least[i] ? keys[i] : least[i];
    greatest[i] = keys[i] > greatest[i] ? keys[i] : greatest[i];
  }
}

void ExtremesAlong(const std::int64_t* keys, std::int64_t count,
                   std::int64_t* least, std::int64_t* greatest) {
  std::int64_t low = *least;
  std::int64_t high = *greatest;
  for (std::int64_t i = 0; i < count; ++i) {
    low = keys[i] < low ? keys[i] : low;
    high = keys[i] > high ? keys[i] : high;
  }
  *least = low;
  *greatest = high;
}

constexpr SelectionKernels kKernels = {&MakeKeys,       &FindAcross,
                                       &FindAlong,      &SkipUnequal,
                                       &ExtremesAcross, &ExtremesAlong};

}  // namespace

const SelectionKernels& Selection() { return kKernels; }

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
