#include "hearth/base/program.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hearth/base/error.h"

namespace hearth {
namespace {

bool Executable(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) &&
         access(path.c_str(), X_OK) == 0;
}

// Never destroyed: handles are given out until the last moment of a process.
std::string& NamedProgram() {
  static std::string* const named = new std::string;
  return *named;
}

}  // namespace

void NameHearthProgram(const std::string& path) { NamedProgram() = path; }

absl::StatusOr<std::string> FindHearthProgram() {
  if (const char* named = std::getenv("HEARTH_BINARY");
      named != nullptr && *named != '\0') {
    if (Executable(named)) return std::string(named);
    return Error(Reason::kFileMissing,
                 absl::StrCat("find hearth: HEARTH_BINARY says \"", named,
                              "\", which is no executable file; set it to the "
                              "hearth binary"));
  }
  if (!NamedProgram().empty() && Executable(NamedProgram())) {
    return NamedProgram();
  }
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (!failed && self.filename() == "hearth" && Executable(self)) {
    return self.string();
  }
  if (const char* path = std::getenv("PATH"); path != nullptr) {
    for (const absl::string_view folder : absl::StrSplit(path, ':')) {
      if (folder.empty()) continue;
      const auto candidate =
          std::filesystem::path(std::string(folder)) / "hearth";
      if (Executable(candidate)) return candidate.string();
    }
  }
  return Error(Reason::kFileMissing,
               "find hearth: neither HEARTH_BINARY nor PATH leads to it; set "
               "HEARTH_BINARY to the hearth binary");
}

}  // namespace hearth
