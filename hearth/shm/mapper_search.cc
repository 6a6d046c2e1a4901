#include "hearth/shm/mapper_search.h"

#include <dirent.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hearth/base/read_file.h"

namespace hearth {
namespace {

struct MapsLine {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool shared = false;
  dev_t device = 0;
  std::uint64_t inode = 0;
};

std::optional<std::uint64_t> Hex(absl::string_view text) {
  std::uint64_t value = 0;
  if (!absl::SimpleHexAtoi(text, &value)) return std::nullopt;
  return value;
}

// "7f00-7f01 rw-s 00000000 00:01 1035  /memfd:hearth (deleted)"
std::optional<MapsLine> ParseMapsLine(absl::string_view line) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line, absl::MaxSplits(' ', 5));
  if (fields.size() < 5 || fields[1].size() != 4) return std::nullopt;
  const std::pair<absl::string_view, absl::string_view> device =
      absl::StrSplit(fields[3], absl::MaxSplits(':', 1));
  const auto high = Hex(device.first);
  const auto low = Hex(device.second);
  const std::pair<absl::string_view, absl::string_view> range =
      absl::StrSplit(fields[0], absl::MaxSplits('-', 1));
  const auto begin = Hex(range.first);
  const auto end = Hex(range.second);
  MapsLine parsed;
  if (!high || !low || !begin || !end ||
      !absl::SimpleAtoi(fields[4], &parsed.inode)) {
    return std::nullopt;
  }
  parsed.begin = *begin;
  parsed.end = *end;
  parsed.shared = fields[1][3] == 's';
  parsed.device =
      makedev(static_cast<unsigned>(*high), static_cast<unsigned>(*low));
  return parsed;
}

bool IsMeant(const MapsLine& line, dev_t device, ino_t inode,
             KnownPages known) {
  const auto begin = reinterpret_cast<std::uintptr_t>(known.data());
  return line.shared && line.device == device && line.inode == inode &&
         !(line.begin >= begin && line.end <= begin + known.size());
}

}  // namespace

bool MapsShared(absl::string_view maps, dev_t device, ino_t inode,
                KnownPages known) {
  for (const absl::string_view line : absl::StrSplit(maps, '\n')) {
    const auto parsed = ParseMapsLine(line);
    if (parsed && IsMeant(*parsed, device, inode, known)) return true;
  }
  return false;
}

bool MayWrite(absl::string_view smaps, dev_t device, ino_t inode,
              KnownPages known) {
  bool meant = false;
  for (const absl::string_view line : absl::StrSplit(smaps, '\n')) {
    if (absl::StartsWith(line, "VmFlags:")) {
      if (meant && absl::StrContains(line, " sh") &&
          absl::StrContains(line, " mw")) {
        return true;
      }
    } else if (const auto parsed = ParseMapsLine(line)) {
      meant = IsMeant(*parsed, device, inode, known);
    }
  }
  return false;
}

std::vector<pid_t> WritersOf(dev_t device, ino_t inode, KnownPages own_view,
                             const std::string& proc) {
  std::vector<pid_t> writers;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(proc.c_str()),
                                                    closedir);
  if (listing == nullptr) return writers;
  while (const dirent* entry = readdir(listing.get())) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid)) continue;
    const std::string folder = absl::StrCat(proc, "/", pid, "/");
    const auto maps = ReadSmallFile(folder + "maps");
    const KnownPages known = pid == getpid() ? own_view : KnownPages();
    if (!maps.ok() || !MapsShared(*maps, device, inode, known)) continue;
    // smaps walks every page table of the process: only where it matters.
    const auto smaps = ReadSmallFile(folder + "smaps");
    if (smaps.ok() && MayWrite(*smaps, device, inode, known))
      writers.push_back(pid);
  }
  std::sort(writers.begin(), writers.end());
  return writers;
}

}  // namespace hearth
