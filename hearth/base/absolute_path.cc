#include "hearth/base/absolute_path.h"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>

namespace hearth {

std::string AbsolutePath(absl::string_view path) {
  std::error_code failed;
  const std::filesystem::path whole =
      std::filesystem::absolute(std::string(path), failed);
  if (failed) return std::string(path);
  const std::filesystem::path plain = whole.lexically_normal();
  // Their folders decide it: the file itself need not be there yet.
  struct stat typed {};
  struct stat shown {};
  const bool same = plain.filename() == whole.filename() &&
                    stat(whole.parent_path().c_str(), &typed) == 0 &&
                    stat(plain.parent_path().c_str(), &shown) == 0 &&
                    typed.st_dev == shown.st_dev &&
                    typed.st_ino == shown.st_ino;
  return (same ? plain : whole).string();
}

}  // namespace hearth
