#include "hearth/shm/cgroup_memory.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "hearth/base/read_file.h"

namespace hearth {
namespace {

// cgroup v1 writes "no limit" as the largest multiple of a page, whatever the
// page; nothing that large is a limit.
constexpr std::int64_t kNoLimit = std::int64_t{1} << 60;

bool HasWord(absl::string_view list, absl::string_view word) {
  for (const absl::string_view each : absl::StrSplit(list, ',')) {
    if (each == word) return true;
  }
  return false;
}

// The path of this process in the hierarchy of that version, "" if in none.
std::string PathIn(absl::string_view cgroup, int version) {
  for (const absl::string_view line : absl::StrSplit(cgroup, '\n')) {
    // "4:memory:/a/b", or "0::/a/b" for v2. The path may have colons.
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const bool match = version == 2 ? fields[0] == "0" && fields[1].empty()
                                    : HasWord(fields[1], "memory");
    if (match) return std::string(fields[2]);
  }
  return "";
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string Unescaped(absl::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const int code = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                       (text[i + 3] - '0');
      plain.push_back(static_cast<char>(code));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

// A mount shows its hierarchy from `mount_root` down: in a container that is
// often the very cgroup of the container.
std::string FolderOf(const std::string& mount, absl::string_view mount_root,
                     absl::string_view path) {
  if (mount_root != "/") {
    if (path == mount_root) return mount;
    if (!absl::StartsWith(path, absl::StrCat(mount_root, "/"))) {
      // Mounted from elsewhere: its top is as near as we can get.
      return mount;
    }
    path.remove_prefix(mount_root.size());
  }
  // A process outside its cgroup namespace's root is shown as "/../x".
  if (path == "/" || absl::StrContains(path, "/..")) return mount;
  return absl::StrCat(mount, path);
}

std::optional<std::int64_t> ReadNumber(const std::string& file) {
  const auto text = ReadSmallFile(file);
  std::int64_t number = 0;
  if (!text.ok() ||
      !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &number)) {
    return std::nullopt;  // "max" too
  }
  return number;
}

// Page cache that the kernel may drop at once. Dirty pages have to be written
// first, and shared memory counts as cache but can't be dropped at all (it is
// on neither of the file lists).
std::int64_t ReclaimableIn(const std::string& stat_file, int version) {
  const auto text = ReadSmallFile(stat_file);
  if (!text.ok()) return 0;
  // v1 sums over its children in "total_..."; v2 always does.
  const std::string prefix = version == 1 ? "total_" : "";
  const std::string dirty = version == 1 ? "total_dirty" : "file_dirty";
  const std::string writeback =
      version == 1 ? "total_writeback" : "file_writeback";
  std::int64_t clean = 0;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    std::int64_t bytes = 0;
    if (!absl::SimpleAtoi(field.second, &bytes)) continue;
    if (field.first == prefix + "inactive_file" ||
        field.first == prefix + "active_file") {
      clean += bytes;
    } else if (field.first == dirty || field.first == writeback) {
      clean -= bytes;
    }
  }
  return std::max<std::int64_t>(clean, 0);
}

void AppendLevel(const std::string& root, const std::string& folder,
                 int version, std::vector<CgroupMemory>& levels) {
  const bool v1 = version == 1;
  const std::vector<std::string> limit_files =
      v1 ? std::vector<std::string>{"memory.limit_in_bytes"}
         : std::vector<std::string>{"memory.max", "memory.high"};
  for (const std::string& name : limit_files) {
    const std::string file = absl::StrCat(folder, "/", name);
    const auto limit = ReadNumber(root + file);
    if (!limit || *limit >= kNoLimit) continue;
    const auto usage = ReadNumber(absl::StrCat(
        root, folder, v1 ? "/memory.usage_in_bytes" : "/memory.current"));
    if (!usage) continue;
    levels.push_back(
        {.limit_file = file,
         .limit_bytes = *limit,
         .usage_bytes = *usage,
         .reclaimable_bytes = ReclaimableIn(
             absl::StrCat(root, folder, "/memory.stat"), version)});
  }
}

}  // namespace

std::vector<CgroupPlace> FindMemoryCgroups(absl::string_view cgroup,
                                           absl::string_view mountinfo) {
  std::vector<CgroupPlace> places;
  for (const absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    // "35 31 0:32 ROOT MOUNT options [tags...] - TYPE source SUPER_OPTIONS"
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    const std::vector<absl::string_view> left =
        absl::StrSplit(halves.first, ' ');
    const std::vector<absl::string_view> right =
        absl::StrSplit(halves.second, ' ');
    if (left.size() < 6 || right.size() < 3) continue;
    int version = 0;
    if (right[0] == "cgroup2") version = 2;
    if (right[0] == "cgroup" && HasWord(right[2], "memory")) version = 1;
    if (version == 0) continue;
    const bool known = std::any_of(
        places.begin(), places.end(),
        [&](const CgroupPlace& place) { return place.version == version; });
    const std::string path = PathIn(cgroup, version);
    if (known || path.empty()) continue;
    const std::string mount = Unescaped(left[4]);
    places.push_back({.version = version,
                      .mount = mount,
                      .folder = FolderOf(mount, Unescaped(left[3]), path)});
  }
  return places;
}

std::vector<CgroupMemory> ReadCgroupLevels(const std::string& root,
                                           const CgroupPlace& place) {
  std::vector<CgroupMemory> levels;
  std::string folder = place.folder;
  for (;;) {
    AppendLevel(root, folder, place.version, levels);
    if (folder.size() <= place.mount.size()) return levels;
    folder.resize(folder.rfind('/'));
    // v1 without use_hierarchy: a parent neither counts nor limits its
    // children.
    if (place.version == 1 &&
        ReadNumber(root + folder + "/memory.use_hierarchy") == 0 &&
        folder.size() > place.mount.size()) {
      return levels;
    }
  }
}

}  // namespace hearth
