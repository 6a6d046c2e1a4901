// Vectors of GCC's extension, and the loads and conversions that kernels share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hearth/compute/kernels/variant.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// N lanes of T; T itself for one lane, so that tails are plain scalar code.
template <class T, int N>
struct VectorOf {
  typedef T Type __attribute__((vector_size(sizeof(T) * N)));
};
template <class T>
struct VectorOf<T, 1> {
  using Type = T;
};
template <class T, int N>
using Vector = typename VectorOf<T, N>::Type;

// Lane numbers, for shuffles of lanes of kBytes.
template <int kBytes, int N>
struct IndexOf;
template <int N>
struct IndexOf<1, N> {
  using Lane = std::int8_t;
  using Type = Vector<Lane, N>;
};
template <int N>
struct IndexOf<2, N> {
  using Lane = std::int16_t;
  using Type = Vector<Lane, N>;
};
template <int N>
struct IndexOf<4, N> {
  using Lane = std::int32_t;
  using Type = Vector<Lane, N>;
};
template <int N>
struct IndexOf<8, N> {
  using Lane = std::int64_t;
  using Type = Vector<Lane, N>;
};

// Lanes of a T in one register.
template <class T>
inline constexpr int kRegisterLanes = HEARTH_VECTOR_BYTES /
                                      static_cast<int>(sizeof(T));

template <class T, int N>
[[gnu::always_inline]] inline Vector<T, N> LoadRaw(const std::byte* from) {
  Vector<T, N> value;
  __builtin_memcpy(&value, from, sizeof(T) * N);
  return value;
}

template <class T, int N>
[[gnu::always_inline]] inline void StoreRaw(std::byte* to, Vector<T, N> value) {
  __builtin_memcpy(to, &value, sizeof(T) * N);
}

template <class T, int N>
[[gnu::always_inline]] inline Vector<T, N> Broadcast(T value) {
  if constexpr (N == 1) {
    return value;
  } else {
    return value - Vector<T, N>{};  // x - 0 is x, for -0.0 and NaN too
  }
}

// One instruction, where g++ 12 makes a lane at a time of
// __builtin_convertvector: integers of 1 or 2 bytes to wider ones.
#if defined(__AVX2__)
template <class To, class From, int N>
inline constexpr bool kWidens = sizeof(From) <= 2 &&
                                static_cast<To>(0.5) == 0 &&
                                ((sizeof(To) == 4 && (N == 8 || N == 4)) ||
                                 (sizeof(To) == 8 &&
                                  N == HEARTH_VECTOR_BYTES / 8));

template <class To, class From, int N>
[[gnu::always_inline]] inline Vector<To, N> Widen(Vector<From, N> from) {
  constexpr bool kSigned = static_cast<From>(-1) < 0;
  constexpr bool kByte = sizeof(From) == 1;
  __m128i x = _mm_setzero_si128();
  __builtin_memcpy(&x, &from, sizeof(from));
  if constexpr (sizeof(To) == 4 && N == 4) {
    const __m128i y =
        kByte ? (kSigned ? _mm_cvtepi8_epi32(x) : _mm_cvtepu8_epi32(x))
              : (kSigned ? _mm_cvtepi16_epi32(x) : _mm_cvtepu16_epi32(x));
    return Vector<To, N>(y);
  } else if constexpr (sizeof(To) == 4) {
    const __m256i y =
        kByte ? (kSigned ? _mm256_cvtepi8_epi32(x) : _mm256_cvtepu8_epi32(x))
              : (kSigned ? _mm256_cvtepi16_epi32(x) : _mm256_cvtepu16_epi32(x));
    return Vector<To, N>(y);
#if defined(__AVX512F__)
  } else {
    // maskz: as in Float16 below.
    const __m512i y = kByte ? (kSigned ? _mm512_maskz_cvtepi8_epi64(0xff, x)
                                       : _mm512_maskz_cvtepu8_epi64(0xff, x))
                            : (kSigned ? _mm512_maskz_cvtepi16_epi64(0xff, x)
                                       : _mm512_maskz_cvtepu16_epi64(0xff, x));
    return Vector<To, N>(y);
  }
#else
  } else {
    const __m256i y =
        kByte ? (kSigned ? _mm256_cvtepi8_epi64(x) : _mm256_cvtepu8_epi64(x))
              : (kSigned ? _mm256_cvtepi16_epi64(x) : _mm256_cvtepu16_epi64(x));
    return Vector<To, N>(y);
  }
#endif
}
#else
template <class To, class From, int N>
inline constexpr bool kWidens = false;
template <class To, class From, int N>
Vector<To, N> Widen(Vector<From, N> from);
#endif

// The same for numbers of 4 bytes to numbers of 8: of a whole vector g++ 12
// makes its two halves, and joins them.
#if defined(__AVX2__)
template <class To, class From, int N>
inline constexpr bool kDoubles = sizeof(From) == 4 && sizeof(To) == 8 &&
                                 (N == 4 || N == HEARTH_VECTOR_BYTES / 8) &&
                                 // uint32 to double is not one instruction
                                 (static_cast<To>(0.5) == 0 ||
                                  static_cast<From>(-1) < 0);

template <class To, class From, int N>
[[gnu::always_inline]] inline Vector<To, N> Double(Vector<From, N> from) {
  constexpr bool kFromFloat = static_cast<From>(0.5) != 0;
  constexpr bool kToFloat = static_cast<To>(0.5) != 0;
  constexpr bool kSigned = static_cast<From>(-1) < 0;
  static_assert(kToFloat || !kFromFloat);
  if constexpr (N == 4) {
    if constexpr (kFromFloat) {
      return Vector<To, N>(_mm256_cvtps_pd(__m128(from)));
    } else if constexpr (kToFloat) {
      return Vector<To, N>(_mm256_cvtepi32_pd(__m128i(from)));
    } else {
      return Vector<To, N>(kSigned ? _mm256_cvtepi32_epi64(__m128i(from))
                                   : _mm256_cvtepu32_epi64(__m128i(from)));
    }
#if defined(__AVX512F__)
  } else if constexpr (kFromFloat) {  // maskz: as in Float16 below
    return Vector<To, N>(_mm512_maskz_cvtps_pd(0xff, __m256(from)));
  } else if constexpr (kToFloat) {
    return Vector<To, N>(_mm512_maskz_cvtepi32_pd(0xff, __m256i(from)));
  } else {
    return Vector<To, N>(
        kSigned ? _mm512_maskz_cvtepi32_epi64(0xff, __m256i(from))
                : _mm512_maskz_cvtepu32_epi64(0xff, __m256i(from)));
#endif
  }
}
#else
template <class To, class From, int N>
inline constexpr bool kDoubles = false;
template <class To, class From, int N>
Vector<To, N> Double(Vector<From, N> from);
#endif

template <class To, class From, int N>
[[gnu::always_inline]] inline Vector<To, N> Convert(Vector<From, N> from) {
  if constexpr (N == 1) {
    return static_cast<To>(from);
  } else if constexpr (kWidens<To, From, N>) {
    return Widen<To, From, N>(from);
  } else if constexpr (kDoubles<To, From, N>) {
    return Double<To, From, N>(from);
  } else if constexpr (sizeof(From) <= 2 && kWidens<std::int32_t, From, N>) {
    return __builtin_convertvector((Widen<std::int32_t, From, N>(from)),
                                   Vector<To, N>);  // to a float
  } else {
    return __builtin_convertvector(from, Vector<To, N>);
  }
}

template <class To, class From, int N>
[[gnu::always_inline]] inline Vector<To, N> BitCast(Vector<From, N> from) {
  Vector<To, N> to;
  static_assert(sizeof(to) == sizeof(from));
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

// Whether every lane compares equal to 0; NaN does not.
template <int N>
[[gnu::always_inline]] inline bool AllZero(Vector<double, N> x) {
  static_assert(sizeof(x) == HEARTH_VECTOR_BYTES);
#if defined(__AVX512F__)
  return _mm512_cmp_pd_mask(__m512d(x), _mm512_setzero_pd(), _CMP_NEQ_UQ) == 0;
#elif defined(__AVX2__)
  return _mm256_movemask_pd(
             _mm256_cmp_pd(__m256d(x), _mm256_setzero_pd(), _CMP_NEQ_UQ)) == 0;
#else
  return x[0] == 0 && x[1] == 0;
#endif
}

// Elements as they lie in memory. Each says what it holds and the arithmetic
// type that holds every value of it.
template <class T>
struct Plain {
  using Stored = T;
  using Wide = T;
  template <int N>
  [[gnu::always_inline]] static Vector<T, N> Load(const std::byte* from) {
    return LoadRaw<T, N>(from);
  }
};

// Any byte but 0 is true: a raw file may hold others than 0 and 1.
struct Bool {
  using Stored = std::uint8_t;
  using Wide = std::uint8_t;
  template <int N>
  [[gnu::always_inline]] static Vector<std::uint8_t, N> Load(
      const std::byte* from) {
    const Vector<std::uint8_t, N> raw = LoadRaw<std::uint8_t, N>(from);
    return raw != 0 ? Broadcast<std::uint8_t, N>(1)
                    : Broadcast<std::uint8_t, N>(0);
  }
};

struct Bfloat16 {
  using Stored = std::uint16_t;
  using Wide = float;
  template <int N>
  [[gnu::always_inline]] static Vector<float, N> Load(const std::byte* from) {
    const auto raw = Convert<std::uint32_t, std::uint16_t, N>(
        LoadRaw<std::uint16_t, N>(from));
    return BitCast<float, std::uint32_t, N>(raw << 16);
  }
};

struct Float16 {
  using Stored = std::uint16_t;
  using Wide = float;
  template <int N>
  [[gnu::always_inline]] static Vector<float, N> Load(const std::byte* from) {
#if defined(__F16C__)
    if constexpr (N == 1) {
      return _cvtsh_ss(LoadRaw<std::uint16_t, 1>(from));
    } else if constexpr (N == 4) {
      return Vector<float, 4>(_mm_cvtph_ps(
          _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
    } else if constexpr (N == 8) {
      return Vector<float, 8>(_mm256_cvtph_ps(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#if defined(__AVX512F__)
    } else if constexpr (N == 16) {
      // maskz: g++ 12 warns of its own header's _mm512_cvtph_ps.
      return Vector<float, 16>(_mm512_maskz_cvtph_ps(
          0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#endif
    } else {
      return Portable<N>(from);
    }
#else
    return Portable<N>(from);
#endif
  }

  // The half's exponent and fraction, moved to a float's place, are its value
  // times 2^-112: one exact multiplication gives it, subnormals too. What had
  // the greatest exponent is infinite or NaN.
  template <int N>
  [[gnu::always_inline]] static Vector<float, N> Portable(
      const std::byte* from) {
    const auto raw = Convert<std::uint32_t, std::uint16_t, N>(
        LoadRaw<std::uint16_t, N>(from));
    const Vector<std::uint32_t, N> magnitude = (raw & 0x7fffu) << 13;
    const Vector<std::uint32_t, N> sign = (raw & 0x8000u) << 16;
    const auto finite = BitCast<std::uint32_t, float, N>(
        BitCast<float, std::uint32_t, N>(magnitude) * 0x1p112f);
    const Vector<std::uint32_t, N> bits =
        (raw & 0x7c00u) == 0x7c00u ? (magnitude | 0x7f800000u) : finite;
    return BitCast<float, std::uint32_t, N>(bits | sign);
  }
};

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
