#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/compute/dense/row_panels.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/operation.h"

namespace hearth {

// A vector that a matrix is multiplied with: read in pieces, so that a long one
// needs no memory of ours.
//
// Kind: value of a view; the bytes outlive it.
class VectorOperand {
 public:
  // BAD_USAGE when the argument is not given; BAD_PARAMETER when it is not a
  // vector of `length` elements, naming both lengths. `meaning` is what
  // `length` counts: "columns".
  static absl::StatusOr<VectorOperand> Find(absl::string_view operation,
                                            absl::string_view name,
                                            const Arguments& arguments,
                                            std::int64_t length,
                                            absl::string_view meaning);

  ElementType type() const { return type_.type; }

  // Elements from `begin` on as they are, where they are native `type`; or
  // null.
  const std::byte* InPlace(ElementType type, std::int64_t begin) const {
    if (type_.type != type || type_.byte_order != ByteOrder::kNative) {
      return nullptr;
    }
    return bytes_ + begin * BytesOf(type);
  }

  // Elements [begin, begin + count), converted: in place where they are native
  // float64 already (then at any alignment), else in `buffer`.
  template <class A>
  const std::byte* Read(std::int64_t begin, std::int64_t count,
                        A* buffer) const {
    const std::byte* from = bytes_ + begin * BytesOf(type_.type);
    if (std::is_same_v<A, double> && type_.type == ElementType::kFloat64 &&
        type_.byte_order == ByteOrder::kNative) {
      return from;
    }
    ReadElements(type_, from, count, buffer);
    return reinterpret_cast<const std::byte*>(buffer);
  }

 private:
  NamedElementType type_{};
  const std::byte* bytes_ = nullptr;
};

// A matrix that a matrix is multiplied with.
//
// Kind: value of a view; the bytes outlive it.
class MatrixOperand {
 public:
  // BAD_USAGE when the argument is not given; BAD_PARAMETER when it is no
  // matrix of `rows` rows, naming both numbers. `meaning` is what `rows`
  // counts: "columns".
  static absl::StatusOr<MatrixOperand> Find(absl::string_view operation,
                                            absl::string_view name,
                                            const Arguments& arguments,
                                            std::int64_t rows,
                                            absl::string_view meaning);

  ElementType type() const { return panel_.type.type; }
  std::int64_t rows() const { return panel_.rows; }
  std::int64_t columns() const { return panel_.columns; }

  // A rectangle of it; within it.
  RowPanel Part(std::int64_t row, std::int64_t rows, std::int64_t column,
                std::int64_t columns) const;

 private:
  RowPanel panel_{};
};

}  // namespace hearth
