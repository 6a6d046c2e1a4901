#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/little_endian.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/matrix/npz.h"
#include "hearth/matrix/zip_format.h"

namespace hearth {
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

// Numbers as the archive gives them, not believed yet.
struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

struct Entry {
  absl::string_view name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;  // of the local header
};

bool LiesWithin(std::uint64_t offset, std::uint64_t bytes, std::int64_t limit) {
  const auto end = static_cast<std::uint64_t>(limit);
  return offset <= end && bytes <= end - offset;
}

class Archive {
 public:
  Archive(absl::string_view file, std::int64_t file_bytes, ReadRange read)
      : file_(file), file_bytes_(file_bytes), read_(read) {}

  absl::StatusOr<NpzRange> Find(absl::string_view member);
  absl::StatusOr<std::string> Read(std::int64_t offset, std::int64_t bytes);

 private:
  absl::StatusOr<Directory> FindDirectory();
  absl::StatusOr<Directory> ReadZip64End(absl::string_view locator);
  absl::StatusOr<Entry> TakeEntry(absl::string_view& directory) const;
  absl::Status ReadZip64Extra(absl::string_view extra, Entry& entry) const;
  absl::StatusOr<NpzRange> Locate(const Entry& entry,
                                  const Directory& directory);

  absl::Status Damage(absl::string_view finding) const {
    return Error(Reason::kBadFile,
                 absl::StrCat("read ", Quoted(file_), ": ", finding,
                              "; the file is damaged or was not written by "
                              "numpy.savez"));
  }
  absl::Status Missing(absl::string_view member,
                       const std::vector<absl::string_view>& names) const;

  const absl::string_view file_;
  const std::int64_t file_bytes_;
  const ReadRange read_;
};

absl::StatusOr<std::string> Archive::Read(std::int64_t offset,
                                          std::int64_t bytes) {
  std::string text(static_cast<std::size_t>(bytes), '\0');
  HEARTH_RETURN_IF_ERROR(
      read_(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

absl::StatusOr<Directory> Archive::FindDirectory() {
  // The end stands at most a comment before the file's end, and the zip64
  // locator right before it.
  const std::int64_t tail_bytes =
      std::min(file_bytes_, zip::kZip64LocatorBytes + zip::kEndBytes +
                                zip::kCommentBytesMax);
  HEARTH_ASSIGN_OR_RETURN(const std::string tail_text,
                          Read(file_bytes_ - tail_bytes, tail_bytes));
  const absl::string_view tail = tail_text;

  for (std::size_t at = tail.rfind(zip::kEnd); at != absl::string_view::npos;
       at = at == 0 ? absl::string_view::npos : tail.rfind(zip::kEnd, at - 1)) {
    const absl::string_view end = tail.substr(at);
    // A comment that would pass the file's end: these four bytes are not the
    // end, but part of a comment or of a payload.
    if (end.size() < zip::kEndBytes ||
        end.size() - zip::kEndBytes < Load16(end, 20)) {
      continue;
    }
    Directory directory{.offset = Load32(end, 16), .bytes = Load32(end, 12)};
    const bool full = directory.offset == zip::kFull32 ||
                      directory.bytes == zip::kFull32 ||
                      Load16(end, 10) == zip::kFull16;
    if (full && at >= zip::kZip64LocatorBytes) {
      const absl::string_view locator =
          tail.substr(at - zip::kZip64LocatorBytes, zip::kZip64LocatorBytes);
      if (absl::StartsWith(locator, zip::kZip64Locator)) {
        HEARTH_ASSIGN_OR_RETURN(directory, ReadZip64End(locator));
      }
    }
    const std::int64_t end_offset =
        file_bytes_ - tail_bytes + static_cast<std::int64_t>(at);
    if (!LiesWithin(directory.offset, directory.bytes, end_offset)) {
      return Damage("its directory lies outside of the file");
    }
    return directory;
  }
  return Damage("it has no zip directory at its end");
}

absl::StatusOr<Directory> Archive::ReadZip64End(absl::string_view locator) {
  const std::uint64_t offset = Load64(locator, 8);
  if (!LiesWithin(offset, zip::kZip64EndBytes, file_bytes_)) {
    return Damage("its zip64 end lies outside of the file");
  }
  HEARTH_ASSIGN_OR_RETURN(
      const std::string end,
      Read(static_cast<std::int64_t>(offset), zip::kZip64EndBytes));
  if (!absl::StartsWith(end, zip::kZip64End)) {
    return Damage("its zip64 end is not where its locator says");
  }
  return Directory{.offset = Load64(end, 48), .bytes = Load64(end, 40)};
}

// Takes the first entry off `directory`.
absl::StatusOr<Entry> Archive::TakeEntry(absl::string_view& directory) const {
  if (directory.size() < zip::kCentralHeaderBytes ||
      !absl::StartsWith(directory, zip::kCentralHeader)) {
    return Damage("its directory holds something that is no entry");
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
  directory.remove_prefix(zip::kCentralHeaderBytes);
  if (directory.size() < name_bytes + extra_bytes + comment_bytes) {
    return Damage("an entry of its directory is cut short");
  }
  entry.name = directory.substr(0, name_bytes);
  HEARTH_RETURN_IF_ERROR(
      ReadZip64Extra(directory.substr(name_bytes, extra_bytes), entry));
  directory.remove_prefix(name_bytes + extra_bytes + comment_bytes);
  return entry;
}

// Replaces the fields of `entry` that are full by those of the zip64 extra,
// which has them in this order, and only them.
absl::Status Archive::ReadZip64Extra(absl::string_view extra,
                                     Entry& entry) const {
  while (extra.size() >= 4) {
    const std::uint16_t id = Load16(extra, 0);
    const std::size_t bytes = Load16(extra, 2);
    extra.remove_prefix(4);
    absl::string_view fields = extra.substr(0, bytes);
    extra.remove_prefix(std::min(bytes, extra.size()));
    if (id != zip::kZip64Extra) continue;
    for (std::uint64_t* field :
         {&entry.bytes, &entry.stored_bytes, &entry.offset}) {
      if (*field != zip::kFull32) continue;
      if (fields.size() < 8) {
        return Damage(absl::StrCat("the zip64 sizes of its member ",
                                   Quoted(entry.name), " are cut short"));
      }
      *field = Load64(fields, 0);
      fields.remove_prefix(8);
    }
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::StatusOr<NpzRange> Archive::Find(absl::string_view member) {
  HEARTH_ASSIGN_OR_RETURN(const Directory directory, FindDirectory());
  if (directory.bytes > std::uint64_t{limits::kNpzDirectoryBytesMax}) {
    return Error(
        Reason::kTooLarge,
        absl::StrCat("read ", Quoted(file_), ": its zip directory has ",
                     directory.bytes, " bytes, more than ",
                     limits::kNpzDirectoryBytesMax,
                     "; save fewer arrays in one file"));
  }
  HEARTH_ASSIGN_OR_RETURN(const std::string text,
                          Read(static_cast<std::int64_t>(directory.offset),
                               static_cast<std::int64_t>(directory.bytes)));

  std::optional<Entry> exact;
  std::optional<Entry> by_key;  // NumPy's key: the name without .npy
  std::vector<absl::string_view> names;
  for (absl::string_view rest = text; !rest.empty();) {
    HEARTH_ASSIGN_OR_RETURN(const Entry entry, TakeEntry(rest));
    if (entry.name == member) exact = entry;
    absl::string_view key = entry.name;
    if (absl::ConsumeSuffix(&key, ".npy") && key == member) by_key = entry;
    names.push_back(key);
  }
  if (exact.has_value()) return Locate(*exact, directory);
  if (by_key.has_value()) return Locate(*by_key, directory);
  return Missing(member, names);
}

absl::StatusOr<NpzRange> Archive::Locate(const Entry& entry,
                                         const Directory& directory) {
  const std::string name = Quoted(entry.name);
  if ((entry.flags & zip::kEncryptedFlag) != 0) {
    return Error(Reason::kBadFile,
                 absl::StrCat("read ", Quoted(file_), ": its member ", name,
                              " is encrypted; save it with numpy.savez"));
  }
  if (entry.method != zip::kStored) {
    return Error(
        Reason::kBadFile,
        absl::StrCat("read ", Quoted(file_), ": its member ", name,
                     " is compressed, so it can't be mapped; save it with "
                     "np.savez, not np.savez_compressed"));
  }
  if (entry.stored_bytes != entry.bytes) {
    return Damage(absl::StrCat("its member ", name, " has two sizes"));
  }

  // Members lie before the directory, and so does every byte we go to.
  const auto limit = static_cast<std::int64_t>(directory.offset);
  const absl::Status outside =
      Damage(absl::StrCat("its member ", name, " lies outside of the file"));
  if (!LiesWithin(entry.offset, zip::kLocalHeaderBytes, limit)) return outside;
  const auto offset = static_cast<std::int64_t>(entry.offset);
  HEARTH_ASSIGN_OR_RETURN(const std::string header,
                          Read(offset, zip::kLocalHeaderBytes));
  if (!absl::StartsWith(header, zip::kLocalHeader) ||
      Load16(header, 8) != zip::kStored) {
    return Damage(
        absl::StrCat("its member ", name, " is not where its directory says"));
  }
  const std::int64_t payload =
      offset + zip::kLocalHeaderBytes + Load16(header, 26) + Load16(header, 28);
  if (!LiesWithin(static_cast<std::uint64_t>(payload), entry.bytes, limit)) {
    return outside;
  }
  return NpzRange{payload, static_cast<std::int64_t>(entry.bytes)};
}

absl::Status Archive::Missing(
    absl::string_view member,
    const std::vector<absl::string_view>& names) const {
  constexpr std::size_t kNamesShown = 8;
  constexpr std::size_t kNameBytesShown = 40;
  std::vector<std::string> shown;
  for (const absl::string_view name : names) {
    if (shown.size() == kNamesShown) {
      shown.push_back(absl::StrCat(names.size() - kNamesShown, " more"));
      break;
    }
    shown.push_back(Quoted(name, kNameBytesShown));
  }
  return Error(
      Reason::kFileMissing,
      absl::StrCat("find the member ", Quoted(member), " of ", Quoted(file_),
                   ": there is none of that name; ",
                   names.empty() ? "the archive is empty"
                                 : absl::StrCat("name one of ",
                                                absl::StrJoin(shown, ", "))));
}

}  // namespace

absl::StatusOr<NpzRange> FindNpzMember(absl::string_view file,
                                       std::int64_t file_bytes,
                                       absl::string_view member,
                                       ReadRange read) {
  return Archive(file, file_bytes, read).Find(member);
}

absl::StatusOr<NpyHeader> FindNpzArray(absl::string_view file,
                                       std::int64_t file_bytes,
                                       absl::string_view member,
                                       ReadRange read) {
  Archive archive(file, file_bytes, read);
  HEARTH_ASSIGN_OR_RETURN(const NpzRange range, archive.Find(member));
  HEARTH_ASSIGN_OR_RETURN(
      const std::string head,
      archive.Read(range.offset, std::min(range.bytes, kNpyHeaderReadBytes)));
  HEARTH_ASSIGN_OR_RETURN(
      NpyHeader header,
      ParseNpyHeader(std::as_bytes(std::span(head)), range.bytes,
                     absl::StrCat(file, ":", member)));
  header.payload_offset += range.offset;
  return header;
}

}  // namespace hearth
