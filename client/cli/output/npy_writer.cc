#include "client/cli/output/npy_writer.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/output/output_file.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/matrix/npy.h"
#include "hearth/matrix/npz.h"

namespace hearth::client {
namespace {

// A header and an archive's own records take less, an array.
constexpr std::int64_t kBesideBytesMax = 4096;

absl::StatusOr<MatrixLayout> LayoutOf(const ArrayView& array) {
  HEARTH_ASSIGN_OR_RETURN(MatrixLayout layout,
                          MatrixLayout::Make(array.type, ByteOrder::kNative,
                                             array.order, array.shape));
  if (array.bytes.size() != static_cast<std::uint64_t>(layout.bytes())) {
    return Error(Reason::kInternal,
                 absl::StrCat("write an array of shape ", ToString(array.shape),
                              ": it has ", array.bytes.size(), " bytes, not ",
                              layout.bytes()));
  }
  return layout;
}

absl::Status AppendNpy(const ArrayView& array, OutputFile& file) {
  HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout, LayoutOf(array));
  HEARTH_ASSIGN_OR_RETURN(const std::string header, FormatNpyHeader(layout));
  HEARTH_RETURN_IF_ERROR(file.Append(header));
  return file.Append(array.bytes);
}

absl::Status AppendNpz(std::span<const ArrayView> arrays, OutputFile& file) {
  NpzWriter npz;
  for (const ArrayView& array : arrays) {
    HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout, LayoutOf(array));
    HEARTH_ASSIGN_OR_RETURN(
        const std::string head,
        npz.BeginArray(array.name.empty() ? "arr_0" : array.name, layout,
                       Crc32(array.bytes)));
    HEARTH_RETURN_IF_ERROR(file.Append(head));
    HEARTH_RETURN_IF_ERROR(file.Append(array.bytes));
  }
  return file.Append(npz.Finish());
}

}  // namespace

absl::Status CheckOutputPath(absl::string_view path, std::size_t array_count) {
  if (absl::EndsWith(path, ".npz")) return absl::OkStatus();
  if (!absl::EndsWith(path, ".npy")) {
    return Error(
        Reason::kBadUsage,
        absl::StrCat("write ", Quoted(path),
                     ": the name ends in neither .npy nor .npz; give it one "
                     "of them"));
  }
  if (array_count == 1) return absl::OkStatus();
  return Error(Reason::kBadUsage,
               absl::StrCat("write ", Quoted(path), ": there are ", array_count,
                            " arrays, and .npy holds one; name it .npz"));
}

absl::Status WriteArrays(const std::string& path,
                         std::span<const ArrayView> arrays) {
  HEARTH_RETURN_IF_ERROR(CheckOutputPath(path, arrays.size()));
  std::int64_t bytes = 0;
  for (const ArrayView& array : arrays) {
    bytes += static_cast<std::int64_t>(array.bytes.size()) + kBesideBytesMax;
  }
  HEARTH_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path, bytes));
  HEARTH_RETURN_IF_ERROR(absl::EndsWith(path, ".npz")
                             ? AppendNpz(arrays, file)
                             : AppendNpy(arrays[0], file));
  return file.Commit();
}

}  // namespace hearth::client
