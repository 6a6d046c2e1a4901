#include "hearth/matrix/npy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/little_endian.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/matrix/npy_fields.h"

namespace hearth {
namespace {

// "\x93NUMPY", two bytes of version, the header's length in two bytes (1.0) or
// four, the header, the payload.
constexpr absl::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kVersionEnd = 8;
constexpr std::int64_t kAlignment = 64;

static_assert(kNpyHeaderReadBytes == limits::kNpyHeaderBytesMax + 12);

struct HeaderText {
  absl::string_view text;
  std::int64_t payload_offset = 0;
};

absl::Status CheckMagic(absl::string_view head, absl::string_view file) {
  if (absl::StartsWith(head, kMagic)) return absl::OkStatus();
  if (absl::StartsWith(head, "PK\x03\x04")) {
    return Error(Reason::kBadFile,
                 absl::StrCat("read ", Quoted(file),
                              ": it is a .npz archive, not a .npy file; name "
                              "one of its members, as in FILE.npz:MEMBER"));
  }
  return Error(
      Reason::kBadFile,
      absl::StrCat("read ", Quoted(file), ": ",
                   head.empty() ? "it is empty, without the magic field that"
                                : "its magic field is not the one that",
                   " begins every .npy file; give --dtype and --shape if it "
                   "is a raw file"));
}

// From the bytes to the dictionary's text: magic, version, header length.
absl::StatusOr<HeaderText> FindHeader(absl::string_view head,
                                      absl::string_view file) {
  HEARTH_RETURN_IF_ERROR(CheckMagic(head, file));
  if (head.size() < kVersionEnd) {
    return NpyDamage(file, "it ends within its version field");
  }
  const int major = static_cast<unsigned char>(head[6]);
  const int minor = static_cast<unsigned char>(head[7]);
  if (major < 1 || major > 3 || minor != 0) {
    return Error(Reason::kBadFile,
                 absl::StrCat("read ", Quoted(file), ": its version field is ",
                              major, ".", minor,
                              ", and Hearth reads 1.0, 2.0 and 3.0; save it "
                              "with numpy.save"));
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  if (head.size() < kVersionEnd + length_bytes) {
    return NpyDamage(file, "it ends within its header length field");
  }
  const absl::string_view after_version = head.substr(kVersionEnd);
  const std::uint32_t length =
      major == 1 ? LoadLittleEndian<std::uint16_t>(after_version)
                 : LoadLittleEndian<std::uint32_t>(after_version);
  if (length > limits::kNpyHeaderBytesMax) {
    return Error(
        Reason::kTooLarge,
        absl::StrCat("read ", Quoted(file), ": its header length field says ",
                     length, " bytes, more than ", limits::kNpyHeaderBytesMax,
                     "; save it with numpy.save"));
  }
  const absl::string_view text = after_version.substr(length_bytes);
  if (text.size() < length) {
    return NpyDamage(
        file, absl::StrCat("its header length field says ", length,
                           " bytes, and the file ends after ", text.size()));
  }
  return HeaderText{
      text.substr(0, length),
      static_cast<std::int64_t>(kVersionEnd + length_bytes + length)};
}

absl::StatusOr<NamedElementType> ReadDescr(const NpyFields& fields,
                                           std::int64_t payload_offset,
                                           absl::string_view file) {
  const absl::StatusOr<NamedElementType> type = ParseElementType(fields.descr);
  // A name that NumPy does not know is no descr, even where Hearth knows it.
  if (type.ok() && type->type != ElementType::kBfloat16) return *type;

  const std::string refusal =
      absl::StrCat("read ", Quoted(file), ": its descr field ",
                   Quoted(fields.descr), " is ");
  // How NumPy saves the bfloat16 of ml_dtypes, JAX and TensorFlow.
  if (absl::EndsWith(fields.descr, "V2") && fields.descr.size() <= 3 &&
      !fields.shape.empty()) {
    return Error(
        Reason::kBadFile,
        absl::StrCat(refusal,
                     "two raw bytes; if they are bfloat16, read it as "
                     "a raw file: --dtype bfloat16 --shape ",
                     absl::StrJoin(fields.shape, ","), " --offset ",
                     payload_offset, fields.fortran_order ? " --order F" : ""));
  }
  const absl::string_view kind = RefusedKindOf(fields.descr);
  if (kind.empty()) {
    return Error(Reason::kBadFile,
                 absl::StrCat(refusal,
                              "no element type of NumPy's; the file is damaged "
                              "or was not written by NumPy"));
  }
  return Error(Reason::kBadFile,
               absl::StrCat(refusal, kind,
                            ", and Hearth has matrices of plain numbers only; "
                            "save array.astype(float), say, in its place"));
}

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(std::span<const std::byte> head,
                                         std::int64_t file_bytes,
                                         absl::string_view file) {
  const absl::string_view bytes(
      reinterpret_cast<const char*>(head.data()),
      std::min(head.size(), static_cast<std::size_t>(
                                std::max<std::int64_t>(file_bytes, 0))));
  HEARTH_ASSIGN_OR_RETURN(const HeaderText header, FindHeader(bytes, file));
  HEARTH_ASSIGN_OR_RETURN(NpyFields fields, ReadNpyFields(header.text, file));
  HEARTH_ASSIGN_OR_RETURN(const NamedElementType type,
                          ReadDescr(fields, header.payload_offset, file));
  if (const std::string fault = FaultOf(fields.shape, type.type);
      !fault.empty()) {
    return NpyDamage(file, absl::StrCat("its shape field ", fault));
  }
  HEARTH_ASSIGN_OR_RETURN(
      MatrixLayout layout,
      MatrixLayout::Make(type.type, type.byte_order,
                         fields.fortran_order ? Order::kFortran : Order::kC,
                         std::move(fields.shape)));

  const std::int64_t payload_bytes = file_bytes - header.payload_offset;
  if (payload_bytes < layout.bytes()) {
    return Error(
        Reason::kBadFile,
        absl::StrCat("read ", Quoted(file), ": its size leaves ", payload_bytes,
                     " bytes after the header, and its shape ",
                     ToString(layout.shape), " of ", NameOf(layout.type),
                     " needs ", layout.bytes(),
                     "; the file was cut short: write it again"));
  }
  return NpyHeader{std::move(layout), header.payload_offset};
}

absl::StatusOr<std::string> FormatNpyHeader(const MatrixLayout& layout) {
  if (layout.type == ElementType::kBfloat16) {
    return Error(Reason::kBadParameter,
                 "write a .npy header for bfloat16: NumPy has no such type, "
                 "and results of operations on it are float32; its elements "
                 "stay in the raw file that it was put from");
  }
  if (const std::string fault = FaultOf(layout.shape, layout.type);
      !fault.empty()) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("write a .npy header: the shape ", fault,
                              "; no reader could use it"));
  }
  // One axis has one order: NumPy calls it C, and some readers know no other.
  const bool fortran =
      layout.order == Order::kFortran && layout.axis_count() > 1;
  std::string descr(NpyCodeOf(layout.type));
  if (layout.byte_order == ByteOrder::kForeign && descr[0] == '<') {
    descr[0] = '>';
  }
  std::string text = absl::StrCat(
      "{'descr': '", descr, "', 'fortran_order': ", fortran ? "True" : "False",
      ", 'shape': ", ToString(layout.shape), ", }");
  // As NumPy from 1.23 on, room for the slowest axis to grow in place.
  if (!layout.shape.empty()) {
    constexpr std::size_t kDigits = 21;
    const std::int64_t slowest =
        fortran ? layout.shape.back() : layout.shape.front();
    text.append(kDigits - absl::StrCat(slowest).size(), ' ');
  }

  constexpr std::int64_t kPrefixBytes = 10;
  const auto unpadded =
      kPrefixBytes + static_cast<std::int64_t>(text.size()) + 1;
  text.append(static_cast<std::size_t>(kAlignment - unpadded % kAlignment),
              ' ');
  text.push_back('\n');
  // 64 axes of 19 digits are 1.4 KiB, so that version 1.0 holds every header.
  std::string header = absl::StrCat(kMagic, absl::string_view("\x01\x00", 2));
  AppendLittleEndian(header, static_cast<std::uint16_t>(text.size()));
  return header + text;
}

}  // namespace hearth
