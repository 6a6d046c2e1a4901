#include "hearth/base/listening.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/time/time.h"
#include "hearth/base/absolute_path.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

constexpr absl::Duration kAnswerIn = absl::Milliseconds(200);

std::string FolderOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

// Held while it lives, so that of two that find the same dead file one sweeps
// it and the other finds the first one listening. Where a folder can't be
// locked, nothing is swept there.
UniqueFd LockFolder(const std::string& folder) {
  UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid() && flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.Reset();
  return fd;
}

// A socket of ours at which nobody listens any more.
bool IsDead(const Address& address) {
  struct stat found {};
  if (lstat(address.name.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode) ||
      found.st_uid != geteuid()) {
    return false;
  }
  return ReasonOf(
             ConnectUnix(address, SocketType::kStream, kAnswerIn).status()) ==
         Reason::kClusterUnreachable;
}

}  // namespace

SocketFile::SocketFile(std::string path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return;
  path_ = std::move(path);
  device_ = found.st_dev;
  inode_ = found.st_ino;
}

SocketFile::~SocketFile() {
  if (path_.empty()) return;
  const UniqueFd lock = LockFolder(FolderOf(path_));
  struct stat found {};
  if (lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ &&
      found.st_ino == inode_) {
    unlink(path_.c_str());
  }
}

Address Absolute(Address address) {
  if (address.kind != Address::Kind::kUnixPath) return address;
  address.name = AbsolutePath(address.name);
  return address;
}

absl::StatusOr<Listening> ListenForPeople(const Address& asked) {
  Listening made{.fd = {}, .address = Absolute(asked), .file = {}};
  if (made.address.kind != Address::Kind::kUnixPath) {
    HEARTH_ASSIGN_OR_RETURN(made.fd,
                            ListenUnix(made.address, SocketType::kStream));
    return made;
  }
  const UniqueFd lock = LockFolder(FolderOf(made.address.name));
  absl::StatusOr<UniqueFd> fd = ListenUnix(made.address, SocketType::kStream);
  if (ReasonOf(fd.status()) == Reason::kNameTaken && lock.valid() &&
      IsDead(made.address)) {
    unlink(made.address.name.c_str());
    fd = ListenUnix(made.address, SocketType::kStream);
  }
  HEARTH_RETURN_IF_ERROR(fd.status());
  return Listening{.fd = *std::move(fd),
                   .address = made.address,
                   .file = SocketFile(made.address.name)};
}

}  // namespace hearth
