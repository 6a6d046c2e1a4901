// What a user typed where a command expects a matrix.
#pragma once

#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

// A matrix that the cluster knows by name.
struct NamedMatrix {
  std::string name;
  friend bool operator==(const NamedMatrix&, const NamedMatrix&) = default;
};

// A file that says itself what it holds. Whatever its name, its first bytes
// decide whether it can be read.
struct NpyFile {
  std::string path;
  friend bool operator==(const NpyFile&, const NpyFile&) = default;
};

struct NpzMember {
  std::string path;
  std::string member;  // as typed: NumPy's key, "weights", or "weights.npy"
  friend bool operator==(const NpzMember&, const NpzMember&) = default;
};

// Bytes whose meaning --dtype, --shape, --offset and --order give.
struct RawFile {
  std::string path;
  friend bool operator==(const RawFile&, const RawFile&) = default;
};

using MatrixReference = std::variant<NamedMatrix, NpyFile, NpzMember, RawFile>;

// CONTRACT: a file if the text contains '/' or ends in .npy, .npz:MEMBER or
// .raw, or if --dtype is given, which makes it a raw file; otherwise a name,
// [A-Za-z_][A-Za-z0-9_.-]{0,127}. Looks at the text alone, never at the disk.
//
// BAD_USAGE for a text that is neither, for a .raw file without --dtype, and
// for a .npz without a member or with a --dtype, which says it twice.
absl::StatusOr<MatrixReference> ParseMatrixReference(absl::string_view text,
                                                     bool has_dtype);

// Whether a matrix may be given this name: the pattern above, and nothing that
// would be read as a file. BAD_USAGE says what is wrong with it.
absl::Status CheckMatrixName(absl::string_view name);

}  // namespace hearth
