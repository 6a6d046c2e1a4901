// Rows less their mean, and the joining of means.
//
// T is double or std::complex<double>, whose parts never meet here.
#pragma once

#include <complex>
#include <cstdint>

#include "hearth/compute/dense/row_panels.h"

namespace hearth {

// Means of columns, as high + low.
template <class T>
struct Means {
  T* high;
  T* low;
};

// Writes the rows of `group` less their mean to `to`, one after the other, or
// by columns, `to_stride` from one to the next, where the group is. Requires at
// least one row.
template <class T>
void Centre(const RowPanel& group, std::int64_t to_stride, T* to,
            const Means<T>& means);

// Joins the means of `right_rows` rows, which are not none, to those of
// `left_rows`; writes what Comoments calls w to every `w_stride`th of `w`.
template <class T>
void JoinMeans(const Means<const T>& right, std::int64_t right_rows,
               std::int64_t left_rows, std::int64_t columns,
               const Means<T>& left, T* w, std::int64_t w_stride);

}  // namespace hearth
