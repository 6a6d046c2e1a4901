#include "hearth/transport/handover/whereabouts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hearth/base/limits.h"
#include "hearth/base/memfd.h"

namespace hearth {
namespace {

bool IsLowerHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

// Looked at before it is opened: to open a pipe or a device does something to
// it.
bool IsWhatWasMeant(const struct stat& found, const Whereabouts& where,
                    std::uint64_t bytes) {
  return S_ISREG(found.st_mode) && found.st_uid == geteuid() &&
         found.st_ino == where.inode &&
         static_cast<std::uint64_t>(found.st_size) == bytes;
}

}  // namespace

std::optional<Whereabouts> Whereabouts::Of(int fd, const SegmentCard& card) {
  struct stat found {};
  // A file of a tmpfs has seals, too, and is mapped as what it is: a file.
  if (card.kind == SegmentKind::kFile) return std::nullopt;
  if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &found) != 0) return std::nullopt;
  return Whereabouts{getpid(), fd, found.st_ino, card.note};
}

std::string Whereabouts::ToString() const {
  return absl::StrCat(process, ".", descriptor, ".", inode, ".",
                      absl::BytesToHexString(note));
}

std::optional<Whereabouts> Whereabouts::Parse(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  Whereabouts where;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &where.process) ||
      !absl::SimpleAtoi(parts[1], &where.descriptor) ||
      !absl::SimpleAtoi(parts[2], &where.inode) || where.process <= 0 ||
      where.descriptor < 0 || parts[3].size() % 2 != 0 ||
      parts[3].size() > 2 * limits::kSegmentNoteBytesMax ||
      !std::all_of(parts[3].begin(), parts[3].end(), IsLowerHex)) {
    return std::nullopt;
  }
  where.note = absl::HexStringToBytes(parts[3]);
  // One text for one place: no signs, no leading zeros.
  if (where.ToString() != text) return std::nullopt;
  return where;
}

std::optional<FetchedSegment> OpenWhere(const Whereabouts& where,
                                        std::uint64_t bytes) {
  const std::string path =
      absl::StrCat("/proc/", where.process, "/fd/", where.descriptor);
  struct stat found {};
  if (stat(path.c_str(), &found) != 0 || !IsWhatWasMeant(found, where, bytes)) {
    return std::nullopt;
  }
  // A keeper that asks the kernel who holds it would make us wait otherwise.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid() || fstat(fd.get(), &found) != 0 ||
      !IsWhatWasMeant(found, where, bytes) ||
      fcntl(fd.get(), F_GET_SEALS) < 0) {
    return std::nullopt;
  }
  SegmentCard card{
      .kind = SegmentKind::kSealed, .bytes = bytes, .note = where.note};
  if (!SealedForEver(fd.get())) {
    card.kind = SegmentKind::kOpen;
    fd = OpenAgain(fd.get(), O_RDWR);
    // Sealed in this very moment: the keeper knows what it is now.
    if (!fd.valid() || SealedForEver(fd.get())) return std::nullopt;
  }
  return FetchedSegment{std::move(fd), std::move(card)};
}

}  // namespace hearth
