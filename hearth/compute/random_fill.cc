#include "hearth/compute/random_fill.h"

#include <cstring>
#include <utility>
#include <vector>

namespace hearth {
namespace {

std::uint64_t Mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The `index`-th number of the stream.
std::uint64_t At(std::uint64_t seed, std::uint64_t index) {
  return Mix(seed + (index + 1) * 0x9e3779b97f4a7c15u);
}

template <class Value, class Make>
void Fill(std::uint64_t seed, std::int64_t begin, std::int64_t count,
          std::byte* out, Make make) {
  for (std::int64_t i = 0; i < count; ++i) {
    const Value value = make(At(seed, static_cast<std::uint64_t>(begin + i)));
    std::memcpy(out + i * std::int64_t{sizeof(Value)}, &value, sizeof(Value));
  }
}

double UnitDouble(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}
float UnitFloat(std::uint64_t bits) {
  return static_cast<float>(bits >> 40) * 0x1p-24f;
}

// k / 2^significant of a 16-bit float with `mantissa` stored bits and this
// exponent bias: exact, since k has no more than mantissa + 1 bits.
std::uint16_t UnitHalf(std::uint64_t bits, int mantissa, int bias) {
  const int significant = mantissa + 1;
  const auto k = static_cast<std::uint32_t>(bits >> (64 - significant));
  if (k == 0) return 0;
  const int top = 31 - __builtin_clz(k);
  const int exponent = top - significant + bias;
  const std::uint32_t fraction =
      (k << (mantissa - top)) & ((1u << mantissa) - 1);
  return static_cast<std::uint16_t>(
      static_cast<std::uint32_t>(exponent) << mantissa | fraction);
}

class RandomFill final : public Plan {
 public:
  RandomFill(MatrixLayout layout, std::uint64_t seed)
      : layout_(std::move(layout)), seed_(seed) {}

  bool concatenates() const override { return true; }
  std::int64_t partial_bytes_max() const override { return 0; }
  std::int64_t scratch_bytes_max() const override { return 0; }
  std::vector<ResultArray> DeclareResults() const override {
    return {{.name = "",
             .type = layout_.type,
             .shape = layout_.shape,
             .order = layout_.order,
             .bytes = {}}};
  }
  ResultSlice SliceOf(const RowBlock& block) const override {
    const std::int64_t bytes = BytesOf(layout_.type);
    return {block.element_begin * bytes, block.element_count * bytes};
  }
  absl::Status MapBlock(const BlockView& view, Scratch&,
                        std::byte* out) const override {
    FillRandom(layout_.type, seed_, view.block.element_begin,
               view.block.element_count, out);
    return absl::OkStatus();
  }

 private:
  const MatrixLayout layout_;
  const std::uint64_t seed_;
};

struct Complex64 {
  float real, imaginary;
};
struct Complex128 {
  double real, imaginary;
};

}  // namespace

void FillRandom(ElementType type, std::uint64_t seed,
                std::int64_t element_begin, std::int64_t element_count,
                std::byte* out) {
  const auto fill = [&]<class Value>(Value, auto make) {
    Fill<Value>(seed, element_begin, element_count, out, make);
  };
  // Imaginary parts come from a stream of their own.
  switch (type) {
    case ElementType::kBool:
      return fill(std::uint8_t{}, [](std::uint64_t bits) {
        return static_cast<std::uint8_t>(bits >> 63);
      });
    case ElementType::kInt8:
    case ElementType::kUint8:
      return fill(std::uint8_t{}, [](std::uint64_t bits) {
        return static_cast<std::uint8_t>(bits >> 56);
      });
    case ElementType::kInt16:
    case ElementType::kUint16:
      return fill(std::uint16_t{}, [](std::uint64_t bits) {
        return static_cast<std::uint16_t>(bits >> 48);
      });
    case ElementType::kInt32:
    case ElementType::kUint32:
      return fill(std::uint32_t{}, [](std::uint64_t bits) {
        return static_cast<std::uint32_t>(bits >> 32);
      });
    case ElementType::kInt64:
    case ElementType::kUint64:
      return fill(std::uint64_t{}, [](std::uint64_t bits) { return bits; });
    case ElementType::kFloat16:
      return fill(std::uint16_t{},
                  [](std::uint64_t bits) { return UnitHalf(bits, 10, 15); });
    case ElementType::kBfloat16:
      return fill(std::uint16_t{},
                  [](std::uint64_t bits) { return UnitHalf(bits, 7, 127); });
    case ElementType::kFloat32:
      return fill(float{}, UnitFloat);
    case ElementType::kFloat64:
      return fill(double{}, UnitDouble);
    case ElementType::kComplex64:
      return fill(Complex64{}, [](std::uint64_t bits) {
        return Complex64{UnitFloat(bits), UnitFloat(Mix(~bits))};
      });
    case ElementType::kComplex128:
      return fill(Complex128{}, [](std::uint64_t bits) {
        return Complex128{UnitDouble(bits), UnitDouble(Mix(~bits))};
      });
  }
}

std::unique_ptr<Plan> PlanRandomFill(const MatrixLayout& layout,
                                     std::uint64_t seed) {
  return std::make_unique<RandomFill>(layout, seed);
}

}  // namespace hearth
