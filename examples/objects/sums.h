// A class whose method takes a matrix of any size: what its host has of it is
// mapped, and the rows that it asks for of the rest are streamed.
#pragma once

#include <cstdint>

#include "hearth/base/status.h"
#include "hearth/object/declare.h"
#include "hearth/object/matrix_view.h"

struct RowSum {
  double sum = 0;
  std::int64_t bytes_mapped = 0;
  std::int64_t bytes_streamed = 0;
  std::int64_t bytes_copied = 0;
};
inline auto Describe(hearth::As<RowSum>) {
  return hearth::Struct(
      "RowSum", hearth::Field("sum", &RowSum::sum),
      hearth::Field("bytes_mapped", &RowSum::bytes_mapped),
      hearth::Field("bytes_streamed", &RowSum::bytes_streamed),
      hearth::Field("bytes_copied", &RowSum::bytes_copied));
}

class Sums {
 public:
  // Of all elements of some rows, which are float64: at once.
  absl::StatusOr<RowSum> OfRows(const hearth::MatrixView& matrix,
                                std::int64_t begin, std::int64_t end) {
    HEARTH_ASSIGN_OR_RETURN(const hearth::RowView rows,
                            matrix.Rows(begin, end));
    RowSum sum;
    for (const double element : rows.As<double>()) sum.sum += element;
    return WithTraffic(sum, matrix);
  }

  // The same with no more than a row block in memory, however many rows.
  absl::StatusOr<RowSum> OfMany(const hearth::MatrixView& matrix,
                                std::int64_t begin, std::int64_t end) {
    RowSum sum;
    HEARTH_RETURN_IF_ERROR(matrix.ForEachRows(
        begin, end, [&](std::int64_t, std::span<const std::byte> rows) {
          for (const double element : hearth::RowView{rows}.As<double>()) {
            sum.sum += element;
          }
          return absl::OkStatus();
        }));
    return WithTraffic(sum, matrix);
  }

 private:
  static RowSum WithTraffic(RowSum sum, const hearth::MatrixView& matrix) {
    const hearth::MatrixTraffic traffic = matrix.traffic();
    sum.bytes_mapped = traffic.mapped;
    sum.bytes_streamed = traffic.streamed;
    sum.bytes_copied = traffic.copied;
    return sum;
  }
};

inline hearth::Class Describe(hearth::As<Sums>) {
  return hearth::Declare<Sums>("Sums", {.concurrent = true})
      .Constructor<>()
      .Method("of_rows", &Sums::OfRows,
              {.parameters = {"matrix", "begin", "end"}, .idempotent = true})
      .Method("of_many", &Sums::OfMany,
              {.parameters = {"matrix", "begin", "end"}, .idempotent = true});
}
