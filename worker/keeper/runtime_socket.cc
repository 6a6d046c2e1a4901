#include "worker/keeper/runtime_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"

namespace hearth::worker {
namespace {

constexpr absl::string_view kPrefix = "hearth-";
constexpr absl::string_view kSocket = ".sock";
constexpr absl::string_view kLock = ".lock";

// What sockaddr_un leaves for the folder: 107 bytes, less "/hearth-", 16 digits
// and the suffix.
constexpr std::size_t kFolderBytesMax = 107 - 8 - 16 - 5;

absl::Status CheckFolder(const std::string& folder) {
  const std::string attempt =
      absl::StrCat("listen in the runtime directory \"", folder, "\"");
  if (folder.size() > kFolderBytesMax) {
    return Error(Reason::kBadUsage,
                 absl::StrCat(attempt, ": its path has ", folder.size(),
                              " bytes, and sockets there would have names that "
                              "are too long; choose one of at most ",
                              kFolderBytesMax));
  }
  struct stat found {};
  if (stat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) {
    return Error(Reason::kFileMissing,
                 absl::StrCat(attempt,
                              ": there is no such folder; make one "
                              "that only this user may write"));
  }
  if (found.st_uid != geteuid() || (found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat(attempt,
                              ": others than this user may write there; make "
                              "it this user's, with chmod 700"));
  }
  return absl::OkStatus();
}

// True: locked by us, and still there. A sweeper may have been first. Fails
// where the file system knows no locks.
absl::StatusOr<bool> HoldsLock(int fd) {
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    return ErrnoStatus(
        "lock a file in the runtime directory (choose one on a file system "
        "that knows locks)");
  }
  struct stat found {};
  if (fstat(fd, &found) != 0) return ErrnoStatus("look at a lock");
  return found.st_nlink > 0;
}

void Sweep(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder, ignored)) {
    const std::string lock = entry.path().string();
    const std::string name = entry.path().filename().string();
    if (!absl::StartsWith(name, kPrefix) || !absl::EndsWith(name, kLock)) {
      continue;
    }
    const UniqueFd fd(
        open(lock.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd.valid() || !HoldsLock(fd.get()).value_or(false)) continue;
    unlink(absl::StrCat(absl::StripSuffix(lock, kLock), kSocket).c_str());
    unlink(lock.c_str());
  }
}

}  // namespace

absl::StatusOr<RuntimeSocket> RuntimeSocket::Make(absl::string_view folder) {
  std::error_code error;
  const std::string absolute =
      std::filesystem::absolute(std::string(folder), error).string();
  HEARTH_RETURN_IF_ERROR(CheckFolder(absolute));
  Sweep(absolute);
  for (;;) {
    const std::string base = absl::StrCat(
        absolute, "/", kPrefix, absl::Hex(Id::Random().low, absl::kZeroPad16));
    RuntimeSocket made;
    made.lock_path_ = absl::StrCat(base, kLock);
    made.lock_.Reset(open(made.lock_path_.c_str(),
                          O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made.lock_.valid()) {
      made.lock_path_.clear();
      return ErrnoStatus(absl::StrCat("make \"", base, kLock, "\""));
    }
    HEARTH_ASSIGN_OR_RETURN(const bool held, HoldsLock(made.lock_.get()));
    if (!held) continue;
    made.address_ = {.kind = Address::Kind::kUnixPath,
                     .name = absl::StrCat(base, kSocket)};
    HEARTH_ASSIGN_OR_RETURN(made.listener_,
                            ListenUnix(made.address_, SocketType::kPacket));
    return made;
  }
}

RuntimeSocket::RuntimeSocket(RuntimeSocket&& other) noexcept
    : address_(std::exchange(other.address_, {})),
      lock_path_(std::exchange(other.lock_path_, {})),
      lock_(std::move(other.lock_)),
      listener_(std::move(other.listener_)) {}

// The socket first: what has no lock is nobody's to sweep.
RuntimeSocket::~RuntimeSocket() {
  if (!address_.name.empty()) unlink(address_.name.c_str());
  if (!lock_path_.empty()) unlink(lock_path_.c_str());
}

}  // namespace hearth::worker
