// A matrix as an argument: a method that takes one reads rows of it, wherever
// they lie.
//
//   absl::StatusOr<double> First(const hearth::MatrixView& matrix) {
//     HEARTH_ASSIGN_OR_RETURN(const hearth::RowView row, matrix.Rows(0, 1));
//     return row.As<double>()[0];
//   }
//
// The caller passes a MatrixHandle: under 200 bytes, whatever it stands for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "hearth/matrix/layout.h"
#include "hearth/object/convert.h"
#include "hearth/object/value.h"

namespace hearth {

// Rows of a matrix, in storage order: where they are mapped, or in memory that
// came with them.
//
// Kind: value; the bytes live as long as a copy of it.
struct RowView {
  std::span<const std::byte> bytes = {};
  std::shared_ptr<const void> holder = nullptr;

  // Its elements, of what type they are; those of a raw file may lie at any
  // address, and a layout says whether they are in this machine's order.
  template <class T>
  std::span<const T> As() const {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

// What reading took, in bytes.
struct MatrixTraffic {
  std::int64_t mapped = 0;    // read where they lie
  std::int64_t streamed = 0;  // came from other hosts
  std::int64_t copied = 0;    // of this host, to lie beside streamed ones
};

// Where a MatrixView reads: what a process knows of matrices implements it.
//
// Threads: any.
class MatrixSource {
 public:
  using OnRows = std::function<absl::Status(std::int64_t first_row,
                                            std::span<const std::byte> rows)>;

  virtual ~MatrixSource() = default;
  virtual const MatrixLayout& layout() const = 0;
  virtual absl::StatusOr<RowView> Rows(std::int64_t begin,
                                       std::int64_t end) = 0;
  virtual absl::Status ForEachRows(std::int64_t begin, std::int64_t end,
                                   const OnRows& on_rows) = 0;
  virtual MatrixTraffic traffic() const = 0;
};

// Kind:    value-like handle; copies share what they read from.
// Threads: any.
// Fails:   BAD_PARAMETER outside of the matrix, and for one in Fortran order
//          that is not wanted whole; SEGMENT_GONE, OUT_OF_MEMORY.
class MatrixView {
 public:
  MatrixView() = default;
  explicit MatrixView(std::shared_ptr<MatrixSource> source)
      : source_(std::move(source)) {}

  // Requires a matrix, as every argument has one.
  const MatrixLayout& layout() const { return source_->layout(); }
  // Rows [begin, end): a view of the mapping, with nothing copied, if this host
  // has them; else these rows alone are streamed here.
  absl::StatusOr<RowView> Rows(std::int64_t begin, std::int64_t end) const {
    return source_->Rows(begin, end);
  }
  // The same about a row block at a time, in order: no more than that is in
  // memory, however many rows there are. An error of `on_rows` ends it.
  absl::Status ForEachRows(std::int64_t begin, std::int64_t end,
                           const MatrixSource::OnRows& on_rows) const {
    return source_->ForEachRows(begin, end, on_rows);
  }
  MatrixTraffic traffic() const { return source_->traffic(); }
  explicit operator bool() const { return source_ != nullptr; }

 private:
  std::shared_ptr<MatrixSource> source_;
};

// It comes as a handle, and is opened before the method is called.
template <>
struct Type<MatrixView> {
  static std::string Name() { return "matrix"; }
  static bool Read(Value& value, MatrixView& out, std::string& fault);
};

}  // namespace hearth
