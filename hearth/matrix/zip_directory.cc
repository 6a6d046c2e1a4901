#include "hearth/matrix/zip_directory.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/little_endian.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/matrix/zip_format.h"

namespace hearth::zip {
namespace {

std::uint16_t Load16(absl::string_view bytes, std::size_t at) {
  return LoadLittleEndian<std::uint16_t>(bytes.substr(at));
}
std::uint32_t Load32(absl::string_view bytes, std::size_t at) {
  return LoadLittleEndian<std::uint32_t>(bytes.substr(at));
}
std::uint64_t Load64(absl::string_view bytes, std::size_t at) {
  return LoadLittleEndian<std::uint64_t>(bytes.substr(at));
}

// As the archive gives it.
struct Range {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

absl::StatusOr<Range> ReadZip64End(absl::string_view file,
                                   std::int64_t file_bytes,
                                   absl::string_view locator, ReadRange read) {
  const std::uint64_t offset = Load64(locator, 8);
  if (!LiesWithin(offset, kZip64EndBytes, file_bytes)) {
    return Damage(file, "its zip64 end lies outside of the file");
  }
  HEARTH_ASSIGN_OR_RETURN(
      const std::string end,
      ReadBytes(read, static_cast<std::int64_t>(offset), kZip64EndBytes));
  if (!absl::StartsWith(end, kZip64End)) {
    return Damage(file, "its zip64 end is not where its locator says");
  }
  return Range{.offset = Load64(end, 48), .bytes = Load64(end, 40)};
}

absl::StatusOr<Range> FindDirectory(absl::string_view file,
                                    std::int64_t file_bytes, ReadRange read) {
  // The end stands at most a comment before the file's end, and the zip64
  // locator right before it.
  const std::int64_t tail_bytes =
      std::min(file_bytes, kZip64LocatorBytes + kEndBytes + kCommentBytesMax);
  HEARTH_ASSIGN_OR_RETURN(const std::string tail_text,
                          ReadBytes(read, file_bytes - tail_bytes, tail_bytes));
  const absl::string_view tail = tail_text;

  for (std::size_t at = tail.rfind(kEnd); at != absl::string_view::npos;
       at = at == 0 ? absl::string_view::npos : tail.rfind(kEnd, at - 1)) {
    const absl::string_view end = tail.substr(at);
    // A comment that would pass the file's end: these four bytes are not the
    // end, but part of a comment or of a payload.
    if (end.size() < kEndBytes || end.size() - kEndBytes < Load16(end, 20)) {
      continue;
    }
    Range directory{.offset = Load32(end, 16), .bytes = Load32(end, 12)};
    const bool full = directory.offset == kFull32 ||
                      directory.bytes == kFull32 || Load16(end, 10) == kFull16;
    if (full && at >= kZip64LocatorBytes) {
      const absl::string_view locator =
          tail.substr(at - kZip64LocatorBytes, kZip64LocatorBytes);
      if (absl::StartsWith(locator, kZip64Locator)) {
        HEARTH_ASSIGN_OR_RETURN(directory,
                                ReadZip64End(file, file_bytes, locator, read));
      }
    }
    const std::int64_t end_offset =
        file_bytes - tail_bytes + static_cast<std::int64_t>(at);
    if (!LiesWithin(directory.offset, directory.bytes, end_offset)) {
      return Damage(file, "its directory lies outside of the file");
    }
    return directory;
  }
  return Damage(file, "it has no zip directory at its end");
}

// Replaces the fields of `entry` that are full by those of the zip64 extra,
// which has them in this order, and only them.
absl::Status ReadZip64Extra(absl::string_view file, absl::string_view extra,
                            Entry& entry) {
  while (extra.size() >= 4) {
    const std::uint16_t id = Load16(extra, 0);
    const std::size_t bytes = Load16(extra, 2);
    extra.remove_prefix(4);
    absl::string_view fields = extra.substr(0, bytes);
    extra.remove_prefix(std::min(bytes, extra.size()));
    if (id != kZip64Extra) continue;
    for (std::uint64_t* field :
         {&entry.bytes, &entry.stored_bytes, &entry.offset}) {
      if (*field != kFull32) continue;
      if (fields.size() < 8) {
        return Damage(file, absl::StrCat("the zip64 sizes of its member ",
                                         Quoted(entry.name), " are cut short"));
      }
      *field = Load64(fields, 0);
      fields.remove_prefix(8);
    }
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Directory> ReadDirectory(absl::string_view file,
                                        std::int64_t file_bytes,
                                        ReadRange read) {
  HEARTH_ASSIGN_OR_RETURN(const Range range,
                          FindDirectory(file, file_bytes, read));
  if (range.bytes > std::uint64_t{limits::kNpzDirectoryBytesMax}) {
    return Error(Reason::kTooLarge,
                 absl::StrCat("read ", Quoted(file), ": its zip directory has ",
                              range.bytes, " bytes, more than ",
                              limits::kNpzDirectoryBytesMax,
                              "; save fewer arrays in one file"));
  }
  const auto offset = static_cast<std::int64_t>(range.offset);
  HEARTH_ASSIGN_OR_RETURN(
      std::string text,
      ReadBytes(read, offset, static_cast<std::int64_t>(range.bytes)));
  return Directory{offset, std::move(text)};
}

absl::StatusOr<Entry> TakeEntry(absl::string_view file,
                                absl::string_view& directory) {
  if (directory.size() < kCentralHeaderBytes ||
      !absl::StartsWith(directory, kCentralHeader)) {
    return Damage(file, "its directory holds something that is no entry");
  }
  const std::size_t name_bytes = Load16(directory, 28);
  const std::size_t extra_bytes = Load16(directory, 30);
  const std::size_t comment_bytes = Load16(directory, 32);
  Entry entry{.name = {},
              .flags = Load16(directory, 8),
              .method = Load16(directory, 10),
              .stored_bytes = Load32(directory, 20),
              .bytes = Load32(directory, 24),
              .offset = Load32(directory, 42)};
  directory.remove_prefix(kCentralHeaderBytes);
  if (directory.size() < name_bytes + extra_bytes + comment_bytes) {
    return Damage(file, "an entry of its directory is cut short");
  }
  entry.name = directory.substr(0, name_bytes);
  HEARTH_RETURN_IF_ERROR(
      ReadZip64Extra(file, directory.substr(name_bytes, extra_bytes), entry));
  directory.remove_prefix(name_bytes + extra_bytes + comment_bytes);
  return entry;
}

absl::StatusOr<std::string> ReadBytes(ReadRange read, std::int64_t offset,
                                      std::int64_t bytes) {
  std::string text(static_cast<std::size_t>(bytes), '\0');
  HEARTH_RETURN_IF_ERROR(read(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

bool LiesWithin(std::uint64_t offset, std::uint64_t bytes, std::int64_t limit) {
  const auto end = static_cast<std::uint64_t>(limit);
  return offset <= end && bytes <= end - offset;
}

absl::Status Damage(absl::string_view file, absl::string_view finding) {
  return Error(Reason::kBadFile,
               absl::StrCat("read ", Quoted(file), ": ", finding,
                            "; the file is damaged or was not written by "
                            "numpy.savez"));
}

}  // namespace hearth::zip
