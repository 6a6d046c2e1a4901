#include "hearth/transport/security/whole_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/security/identity.h"

namespace hearth {
namespace {

constexpr const char* kOurFiles[] = {kAuthorityFile, kAuthorityKeyFile,
                                     kNodeFile, kNodeKeyFile};

// What went wrong with `path`, from errno, as a sentence.
absl::Status WriteError(const std::string& path) {
  const int error = errno;
  const std::string attempt =
      absl::StrCat("write ", Quoted(path), ": ", std::strerror(error), "; ");
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return Error(Reason::kOutOfDisk, absl::StrCat(attempt, "free some room"));
    case ENOENT:
    case ENOTDIR:
      return Error(Reason::kFileMissing,
                   absl::StrCat(attempt, "check the path"));
    default:
      return Error(Reason::kNotAllowed,
                   absl::StrCat(attempt, "choose another directory"));
  }
}

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status MakeDirectories(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return absl::OkStatus();
    errno = ENOTDIR;
    return WriteError(path);
  }
  HEARTH_RETURN_IF_ERROR(MakeDirectories(ParentOf(path)));
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return WriteError(path);
  }
  return absl::OkStatus();
}

// The names in a directory; none where there is no such directory.
absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  const auto close = [](DIR* open) { closedir(open); };
  const std::unique_ptr<DIR, decltype(close)> directory(opendir(path.c_str()),
                                                        close);
  if (directory == nullptr) {
    if (errno == ENOENT) return names;
    return WriteError(path);
  }
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

absl::Status AlreadyThere(const std::string& path) {
  return Error(Reason::kNameTaken,
               absl::StrCat("write ", Quoted(path),
                            ": credentials are there already; choose another "
                            "directory, or say --force to replace them"));
}

// Whether what is at `path` may be replaced.
absl::Status CheckReplaceable(const std::string& path,
                              const std::vector<NewFile>& files, bool replace) {
  HEARTH_ASSIGN_OR_RETURN(const auto names, NamesIn(path));
  const std::string attempt = absl::StrCat("write ", Quoted(path), ": ");
  for (const std::string& name : names) {
    if (std::find(std::begin(kOurFiles), std::end(kOurFiles), name) ==
        std::end(kOurFiles)) {
      return Error(Reason::kNameTaken,
                   absl::StrCat(attempt, "it holds ", Quoted(name),
                                ", which is no credential; choose a directory "
                                "of its own"));
    }
  }
  if (!names.empty() && !replace) return AlreadyThere(path);
  const bool brings_authority = std::any_of(
      files.begin(), files.end(),
      [](const NewFile& file) { return file.name == kAuthorityKeyFile; });
  if (!brings_authority &&
      std::find(names.begin(), names.end(), kAuthorityKeyFile) != names.end()) {
    return Error(Reason::kNameTaken,
                 absl::StrCat(attempt,
                              "the authority lives there, and its key would "
                              "be lost; choose another directory"));
  }
  return absl::OkStatus();
}

absl::Status WriteFile(const std::string& path, const NewFile& file) {
  const UniqueFd fd(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                         file.secret ? 0600 : 0644));
  if (!fd.valid()) return WriteError(path);
  absl::string_view rest = file.text;
  while (!rest.empty()) {
    const ssize_t written = write(fd.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return WriteError(path);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  // Keys can't be had again: they are on the disk before the name is theirs.
  return fsync(fd.get()) == 0 ? absl::OkStatus() : WriteError(path);
}

// Removes a directory with our files in it, or what there is of one.
void Discard(const std::string& path) {
  for (const char* name : kOurFiles) {
    unlink(absl::StrCat(path, "/", name).c_str());
  }
  rmdir(path.c_str());
}

constexpr absl::string_view kMadePrefix = ".hearth-";

UniqueFd OpenDirectory(const std::string& path) {
  return UniqueFd(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

// A directory that its maker has locked while it lives, so that what a killed
// one left can be told from it. A file system that knows no locks keeps what
// is left.
struct Made {
  std::string path;
  UniqueFd lock;
};

absl::StatusOr<Made> MakeBeside(const std::string& target) {
  for (;;) {
    Made made{.path = absl::StrCat(ParentOf(target), "/", kMadePrefix,
                                   Id::Random().ToString()),
              .lock = UniqueFd()};
    if (mkdir(made.path.c_str(), 0700) != 0) return WriteError(target);
    made.lock = OpenDirectory(made.path);
    if (made.lock.valid()) flock(made.lock.get(), LOCK_EX);
    // A sweeper may have been quicker than the lock.
    if (access(made.path.c_str(), F_OK) == 0) return made;
  }
}

// What a maker that was killed left beside where it was to go: keys, maybe.
void SweepMade(const std::string& parent) {
  const auto names = NamesIn(parent);
  if (!names.ok()) return;
  for (absl::string_view name : *names) {
    const std::string path = absl::StrCat(parent, "/", name);
    if (!absl::ConsumePrefix(&name, kMadePrefix) || !Id::Parse(name)) continue;
    const UniqueFd lock = OpenDirectory(path);
    struct stat about {};
    if (lock.valid() && fstat(lock.get(), &about) == 0 &&
        about.st_uid == geteuid() &&
        flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
      Discard(path);
    }
  }
}

// `made` takes the place of `path`, which may be there.
absl::Status Exchange(const std::string& made, const std::string& path,
                      bool replace) {
  // Also over an empty directory.
  if (rename(made.c_str(), path.c_str()) == 0) return absl::OkStatus();
  if (errno != ENOTEMPTY && errno != EEXIST) return WriteError(path);
  if (!replace) return AlreadyThere(path);  // somebody was quicker
  if (renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, path.c_str(),
                RENAME_EXCHANGE) == 0) {
    return absl::OkStatus();  // the old one is called `made` now
  }
  if (errno != EINVAL && errno != ENOSYS) return WriteError(path);
  // A file system that can't exchange: two steps, and back if the second fails.
  const std::string old = absl::StrCat(made, "-old");
  if (rename(path.c_str(), old.c_str()) != 0) return WriteError(path);
  if (rename(made.c_str(), path.c_str()) != 0) {
    const absl::Status failed = WriteError(path);
    rename(old.c_str(), path.c_str());
    return failed;
  }
  Discard(old);
  return absl::OkStatus();
}

// The directory that a symbolic link stands for; no slash at its end.
std::string Resolved(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::unique_ptr<char, decltype(&std::free)> found(
      realpath(path.c_str(), nullptr), &std::free);
  return found == nullptr ? path : std::string(found.get());
}

}  // namespace

absl::Status WriteWholeDirectory(const std::string& path,
                                 const std::vector<NewFile>& files,
                                 bool replace) {
  if (path.empty()) {
    return Error(Reason::kBadUsage, "write credentials: no directory is named");
  }
  const std::string target = Resolved(path);
  HEARTH_RETURN_IF_ERROR(CheckReplaceable(target, files, replace));
  const std::string parent = ParentOf(target);
  HEARTH_RETURN_IF_ERROR(MakeDirectories(parent));
  SweepMade(parent);
  HEARTH_ASSIGN_OR_RETURN(const Made made, MakeBeside(target));
  // Afterwards it is what was replaced, or what could not be finished.
  absl::Cleanup discard = [&] { Discard(made.path); };
  for (const NewFile& file : files) {
    HEARTH_RETURN_IF_ERROR(
        WriteFile(absl::StrCat(made.path, "/", file.name), file));
  }
  return Exchange(made.path, target, replace);
}

}  // namespace hearth
