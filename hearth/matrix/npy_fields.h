// The dictionary within a .npy header, as text: npy.cc gives it meaning.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/matrix/layout.h"

namespace hearth {

struct NpyFields {
  std::string descr;
  bool fortran_order = false;
  Shape shape;  // as written: lengths may be negative, or too many bytes
};

// Reads the Python literal that is a header's text,
// `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }` and blanks.
//
// Strict, in one pass, without recursion: three keys in any order, each once; a
// descr that is not a plain string is a structured type, and refused by that
// name. Trailing commas and Python 2's long integers (`3L`) are read. `file` is
// for messages only. BAD_FILE names the field.
absl::StatusOr<NpyFields> ReadNpyFields(absl::string_view text,
                                        absl::string_view file);

// `read "x.npy": FINDING; the file is damaged or was not written by NumPy`.
absl::Status NpyDamage(absl::string_view file, absl::string_view finding);

}  // namespace hearth
