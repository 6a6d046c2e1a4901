#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "hearth/base/error.h"
#include "hearth/base/little_endian.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/matrix/npz.h"
#include "hearth/matrix/zip_directory.h"
#include "hearth/matrix/zip_format.h"

namespace hearth {
namespace {

std::uint16_t Load16At(absl::string_view bytes, std::size_t at) {
  return LoadLittleEndian<std::uint16_t>(bytes.substr(at));
}

// From a member's entry to its bytes.
absl::StatusOr<NpzRange> Locate(absl::string_view file, const zip::Entry& entry,
                                const zip::Directory& directory,
                                ReadRange read) {
  const std::string name = Quoted(entry.name);
  if ((entry.flags & zip::kEncryptedFlag) != 0) {
    return Error(Reason::kBadFile,
                 absl::StrCat("read ", Quoted(file), ": its member ", name,
                              " is encrypted; save it with numpy.savez"));
  }
  if (entry.method != zip::kStored) {
    return Error(
        Reason::kBadFile,
        absl::StrCat("read ", Quoted(file), ": its member ", name,
                     " is compressed, and only stored ones are read, with "
                     "--copy, too; save it with np.savez, not "
                     "np.savez_compressed"));
  }
  if (entry.stored_bytes != entry.bytes) {
    return zip::Damage(file,
                       absl::StrCat("its member ", name, " has two sizes"));
  }

  // Members lie before the directory, and so does every byte we go to.
  const std::int64_t limit = directory.offset;
  const absl::Status outside = zip::Damage(
      file, absl::StrCat("its member ", name, " lies outside of the file"));
  if (!zip::LiesWithin(entry.offset, zip::kLocalHeaderBytes, limit))
    return outside;
  const auto offset = static_cast<std::int64_t>(entry.offset);
  HEARTH_ASSIGN_OR_RETURN(const std::string header,
                          zip::ReadBytes(read, offset, zip::kLocalHeaderBytes));
  if (!absl::StartsWith(header, zip::kLocalHeader) ||
      Load16At(header, 8) != zip::kStored) {
    return zip::Damage(file, absl::StrCat("its member ", name,
                                          " is not where its directory says"));
  }
  const std::int64_t payload = offset + zip::kLocalHeaderBytes +
                               Load16At(header, 26) + Load16At(header, 28);
  if (!zip::LiesWithin(static_cast<std::uint64_t>(payload), entry.bytes,
                       limit)) {
    return outside;
  }
  return NpzRange{payload, static_cast<std::int64_t>(entry.bytes)};
}

absl::Status Missing(absl::string_view file, absl::string_view member,
                     const std::vector<absl::string_view>& names) {
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
      absl::StrCat("find the member ", Quoted(member), " of ", Quoted(file),
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
  HEARTH_ASSIGN_OR_RETURN(const zip::Directory directory,
                          zip::ReadDirectory(file, file_bytes, read));
  std::optional<zip::Entry> exact;
  std::optional<zip::Entry> by_key;  // NumPy's key: the name without .npy
  std::vector<absl::string_view> names;
  for (absl::string_view rest = directory.text; !rest.empty();) {
    HEARTH_ASSIGN_OR_RETURN(const zip::Entry entry, zip::TakeEntry(file, rest));
    if (entry.name == member) exact = entry;
    absl::string_view key = entry.name;
    if (absl::ConsumeSuffix(&key, ".npy") && key == member) by_key = entry;
    names.push_back(key);
  }
  if (exact.has_value()) return Locate(file, *exact, directory, read);
  if (by_key.has_value()) return Locate(file, *by_key, directory, read);
  return Missing(file, member, names);
}

absl::StatusOr<NpyHeader> FindNpzArray(absl::string_view file,
                                       std::int64_t file_bytes,
                                       absl::string_view member,
                                       ReadRange read) {
  HEARTH_ASSIGN_OR_RETURN(const NpzRange range,
                          FindNpzMember(file, file_bytes, member, read));
  HEARTH_ASSIGN_OR_RETURN(
      const std::string head,
      zip::ReadBytes(read, range.offset,
                     std::min(range.bytes, kNpyHeaderReadBytes)));
  HEARTH_ASSIGN_OR_RETURN(
      NpyHeader header,
      ParseNpyHeader(std::as_bytes(std::span(head)), range.bytes,
                     absl::StrCat(file, ":", member)));
  header.payload_offset += range.offset;
  return header;
}

}  // namespace hearth
