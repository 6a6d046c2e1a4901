#include <zlib.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/checked.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/little_endian.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/matrix/npz.h"
#include "hearth/matrix/zip_format.h"

namespace hearth {
namespace {

constexpr std::int64_t kAlignment = 64;

// The zip version that a reader needs: 2.0, or 4.5 for zip64.
constexpr std::uint16_t kVersion = 20;
constexpr std::uint16_t kVersionZip64 = 45;
constexpr std::uint16_t kMadeOnUnix = 3 << 8;
// 1980-01-01, the format's first day: what NumPy writes, too.
constexpr std::uint32_t kDateAndTime = 0x00210000;
constexpr std::uint32_t kReadableFile = std::uint32_t{0100644} << 16;

void Append16(std::string& bytes, std::size_t value) {
  AppendLittleEndian(bytes, static_cast<std::uint16_t>(value));
}
void Append32(std::string& bytes, std::uint32_t value) {
  AppendLittleEndian(bytes, value);
}
void Append64(std::string& bytes, std::int64_t value) {
  AppendLittleEndian(bytes, static_cast<std::uint64_t>(value));
}

bool Fits32(std::int64_t value) { return value < zip::kFull32; }

std::uint32_t To32(std::int64_t value) {
  return Fits32(value) ? static_cast<std::uint32_t>(value) : zip::kFull32;
}

std::uint16_t FlagsFor(absl::string_view name) {
  for (const char c : name) {
    if (!absl::ascii_isascii(static_cast<unsigned char>(c))) {
      return zip::kUtf8Flag;
    }
  }
  return 0;
}

// What local and central headers share, from the version needed to the length
// of the name.
void AppendCommon(std::string& header, absl::string_view name,
                  std::uint32_t crc32, std::int64_t bytes, bool zip64) {
  Append16(header, zip64 ? kVersionZip64 : kVersion);
  Append16(header, FlagsFor(name));
  Append16(header, zip::kStored);
  Append32(header, kDateAndTime);
  Append32(header, crc32);
  Append32(header, To32(bytes));  // as stored
  Append32(header, To32(bytes));
  Append16(header, name.size());
}

// Pads a local header's extra so that what follows is aligned.
void AppendPadding(std::string& extra, std::int64_t extra_offset) {
  constexpr std::int64_t kLeastBytes = 6;
  const std::int64_t unpadded =
      extra_offset + static_cast<std::int64_t>(extra.size()) + kLeastBytes;
  const std::int64_t zeros = (kAlignment - unpadded % kAlignment) % kAlignment;
  Append16(extra, zip::kAlignmentExtra);
  Append16(extra, static_cast<std::size_t>(2 + zeros));
  Append16(extra, kAlignment);
  extra.append(static_cast<std::size_t>(zeros), '\0');
}

}  // namespace

std::uint32_t Crc32(std::span<const std::byte> bytes,
                    std::uint32_t crc_before) {
  return static_cast<std::uint32_t>(crc32_z(
      crc_before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

absl::StatusOr<std::string> NpzWriter::BeginArray(absl::string_view name,
                                                  const MatrixLayout& layout,
                                                  std::uint32_t payload_crc32) {
  const auto refuse = [name](absl::string_view finding,
                             absl::string_view advice) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("write the array ", Quoted(name),
                              " to a .npz: ", finding, "; ", advice));
  };
  if (name.empty() ||
      name.size() > static_cast<std::size_t>(limits::kNameBytesMax)) {
    return refuse(absl::StrCat("its name has ", name.size(), " bytes"),
                  absl::StrCat("give one of 1 to ", limits::kNameBytesMax));
  }
  Entry entry{.file_name = absl::StrCat(name, ".npy"), .offset = bytes_};
  for (const Entry& before : entries_) {
    if (before.file_name == entry.file_name) {
      return refuse("the archive has one of that name", "give it another");
    }
  }
  HEARTH_ASSIGN_OR_RETURN(const std::string npy, FormatNpyHeader(layout));
  const auto npy_bytes = static_cast<std::int64_t>(npy.size());
  // Room for the headers of this array, and for the directory at the end.
  constexpr std::int64_t kRoom = std::int64_t{1} << 30;
  const std::optional<std::int64_t> end = CheckedAdd(bytes_, layout.bytes());
  if (!end.has_value() ||
      *end > std::numeric_limits<std::int64_t>::max() - kRoom) {
    return refuse("the archive would pass 2^63 bytes", "write two");
  }
  entry.bytes = npy_bytes + layout.bytes();
  entry.crc32 = static_cast<std::uint32_t>(crc32_combine(
      Crc32(std::as_bytes(std::span(npy))), payload_crc32, layout.bytes()));

  std::string extra;
  const bool zip64 = !Fits32(entry.bytes);
  if (zip64) {
    Append16(extra, zip::kZip64Extra);
    Append16(extra, 16);
    Append64(extra, entry.bytes);
    Append64(extra, entry.bytes);
  }
  const auto name_bytes = static_cast<std::int64_t>(entry.file_name.size());
  AppendPadding(extra, bytes_ + zip::kLocalHeaderBytes + name_bytes);

  std::string header(zip::kLocalHeader);
  AppendCommon(header, entry.file_name, entry.crc32, entry.bytes, zip64);
  Append16(header, extra.size());
  header += entry.file_name + extra + npy;

  bytes_ += static_cast<std::int64_t>(header.size()) + layout.bytes();
  entries_.push_back(std::move(entry));
  return header;
}

std::string NpzWriter::Finish() const {
  std::string text;
  for (const Entry& entry : entries_) {
    std::string fields;  // of the zip64 extra: only those that need it
    if (!Fits32(entry.bytes)) {
      Append64(fields, entry.bytes);
      Append64(fields, entry.bytes);
    }
    if (!Fits32(entry.offset)) Append64(fields, entry.offset);
    std::string extra;
    if (!fields.empty()) {
      Append16(extra, zip::kZip64Extra);
      Append16(extra, fields.size());
      extra += fields;
    }

    const bool zip64 = !fields.empty();
    text += std::string(zip::kCentralHeader);
    Append16(text, kMadeOnUnix | (zip64 ? kVersionZip64 : kVersion));
    AppendCommon(text, entry.file_name, entry.crc32, entry.bytes, zip64);
    Append16(text, extra.size());
    Append16(text, 0);  // comment
    Append16(text, 0);  // disk
    Append16(text, 0);  // internal attributes
    Append32(text, kReadableFile);
    Append32(text, To32(entry.offset));
    text += entry.file_name + extra;
  }

  const auto count = static_cast<std::int64_t>(entries_.size());
  const auto directory_bytes = static_cast<std::int64_t>(text.size());
  if (count >= zip::kFull16 || !Fits32(bytes_) || !Fits32(directory_bytes)) {
    text += std::string(zip::kZip64End);
    Append64(text, zip::kZip64EndBytes - 12);  // what follows this field
    Append16(text, kMadeOnUnix | kVersionZip64);
    Append16(text, kVersionZip64);
    Append32(text, 0);  // this disk
    Append32(text, 0);  // the directory's disk
    Append64(text, count);
    Append64(text, count);
    Append64(text, directory_bytes);
    Append64(text, bytes_);
    text += std::string(zip::kZip64Locator);
    Append32(text, 0);  // the zip64 end's disk
    Append64(text, bytes_ + directory_bytes);
    Append32(text, 1);  // disks
  }
  const auto count16 =
      static_cast<std::size_t>(std::min<std::int64_t>(count, zip::kFull16));
  text += std::string(zip::kEnd);
  Append16(text, 0);  // this disk
  Append16(text, 0);  // the directory's disk
  Append16(text, count16);
  Append16(text, count16);
  Append32(text, To32(directory_bytes));
  Append32(text, To32(bytes_));
  Append16(text, 0);  // comment
  return text;
}

}  // namespace hearth
