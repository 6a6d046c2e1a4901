#include "hearth/transport/handover/ancestors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/limits.h"
#include "hearth/base/pidfd.h"

namespace hearth {
namespace {

struct Kinship {
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  uid_t user = 0;
  std::string program;  // empty where we may not know
};

std::optional<Kinship> KinshipOf(pid_t pid) {
  const std::string folder = absl::StrCat("/proc/", pid);
  Kinship kin;
  struct stat about {};
  if (stat(folder.c_str(), &about) != 0) return std::nullopt;
  kin.user = about.st_uid;

  const UniqueFd file(
      open(absl::StrCat(folder, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> text{};
  const ssize_t size = read(file.get(), text.data(), text.size() - 1);
  if (size <= 0) return std::nullopt;
  // The name in parentheses may itself hold parentheses and spaces.
  const absl::string_view line(text.data(), static_cast<std::size_t>(size));
  const std::size_t behind_name = line.rfind(')');
  if (behind_name == absl::string_view::npos ||
      std::sscanf(text.data() + behind_name + 1, " %*c %d %d %d", &kin.parent,
                  &kin.group, &kin.session) != 3) {
    return std::nullopt;
  }
  std::array<char, 4096> program{};
  const ssize_t length = readlink(absl::StrCat(folder, "/exe").c_str(),
                                  program.data(), program.size());
  if (length > 0) {
    kin.program.assign(program.data(), static_cast<std::size_t>(length));
  }
  return kin;
}

}  // namespace

std::vector<Ancestor> LivingAncestors() {
  std::vector<Ancestor> ancestors;
  const std::optional<Kinship> self = KinshipOf(getpid());
  if (!self.has_value()) return ancestors;
  pid_t child = getpid();
  pid_t parent = self->parent;
  while (parent > 0 && ancestors.size() < limits::kTicketAncestorsMax) {
    UniqueFd pidfd = OpenPidfd(parent);
    const std::optional<Kinship> kin = KinshipOf(parent);
    // The number may have been another's when it was opened: only while it is
    // still the child's parent is it sure to be the one that was meant.
    const std::optional<Kinship> again = KinshipOf(child);
    if (!pidfd.valid() || !kin.has_value() || !again.has_value()) break;
    if (again->parent != parent) {
      parent = again->parent;
      continue;
    }
    const bool same_work =
        kin->group == self->group ||
        (!kin->program.empty() && kin->program == self->program);
    if (kin->user != self->user || kin->session != self->session ||
        !same_work) {
      break;
    }
    ancestors.push_back({parent, std::move(pidfd)});
    child = parent;
    parent = kin->parent;
  }
  return ancestors;
}

}  // namespace hearth
