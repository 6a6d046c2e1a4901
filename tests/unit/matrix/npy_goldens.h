// Headers as NumPy 1.24 wrote them, for the tests of both .npy and .npz.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace hearth::testing {

// `version_and_length` and `text` are the file's own bytes; `blanks` of its
// padding stand for themselves.
template <std::size_t n>
std::string GoldenNpy(const char (&version_and_length)[n],
                      absl::string_view text, std::size_t blanks) {
  return absl::StrCat("\x93NUMPY", absl::string_view(version_and_length, n - 1),
                      text, std::string(blanks, ' '), "\n");
}

// numpy.lib.format.write_array(f, np.zeros(3), version=(1, 0))
inline std::string ThreeFloats() {
  return GoldenNpy("\001\000v\000",
                   "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }",
                   60);
}
// write_array(f, np.zeros((), '>i2'), version=(1, 0))
inline std::string ForeignScalar() {
  return GoldenNpy("\001\000v\000",
                   "{'descr': '>i2', 'fortran_order': False, 'shape': (), }",
                   62);
}
// write_array(f, np.zeros((2, 3), 'c16', order='F'), version=(2, 0))
inline std::string FortranComplexV2() {
  return GoldenNpy(
      "\002\000t\000\000\000",
      "{'descr': '<c16', 'fortran_order': True, 'shape': (2, 3), }", 56);
}
// write_array(f, np.zeros((0, 5), '?'), version=(3, 0))
inline std::string EmptyBoolsV3() {
  return GoldenNpy(
      "\003\000t\000\000\000",
      "{'descr': '|b1', 'fortran_order': False, 'shape': (0, 5), }", 56);
}
// write_array(f, np.zeros((2, 1, 3, 1, 2), 'u1'), version=(1, 0))
inline std::string FiveAxes() {
  return GoldenNpy(
      "\001\000v\000",
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 3, 1, 2), }",
      49);
}

inline std::vector<std::string> AllGoldenNpys() {
  return {ThreeFloats(), ForeignScalar(), FortranComplexV2(), EmptyBoolsV3(),
          FiveAxes()};
}

}  // namespace hearth::testing
