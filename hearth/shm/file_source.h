#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/unique_fd.h"
#include "hearth/shm/mapping.h"

struct stat;

namespace hearth {

// What tells a file from another, or from its own later self. Kind: value.
//
// A write within the kernel's clock tick of the previous one (4 ms, on old
// kernels), or one through a mapping that is not flushed yet, may leave it as
// it was.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;  // since 1970

  static FileIdentity Of(const struct stat& found);
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// A file published in place: read where it lies, never written, never locked,
// so it can change under us. Whoever computes on it calls Verify before and
// after.
//
// Kind:    resource. Moves, never copies; the last owner closes.
// Threads: const methods from any.
class FileSource {
 public:
  // Opens a regular file for reading; anything else (a directory, a pipe, a
  // device) is BAD_FILE at once, never a hang. FILE_MISSING when there is none
  // or it may not be read. A relative path is made absolute.
  static absl::StatusOr<FileSource> Open(absl::string_view path);

  // A descriptor that a peer sent, said to be `path`.
  static absl::StatusOr<FileSource> Adopt(UniqueFd fd, absl::string_view path);

  const std::string& path() const { return path_; }
  // As it was when opened.
  const FileIdentity& identity() const { return identity_; }
  int fd() const { return fd_.get(); }

  // FILE_CHANGED naming what differs (replaced, truncated, grown, rewritten,
  // removed) unless both the open file and the one at its path still are
  // `published`.
  absl::Status Verify(const FileIdentity& published) const;
  absl::Status Verify() const { return Verify(identity_); }

  // Any offset. BAD_FILE when the range isn't within identity().bytes.
  absl::StatusOr<Mapping> MapRange(std::int64_t offset,
                                   std::int64_t bytes) const;
  absl::StatusOr<Mapping> MapWhole() const {
    return MapRange(0, identity_.bytes);
  }

 private:
  FileSource(UniqueFd fd, std::string path, const FileIdentity& identity)
      : fd_(std::move(fd)), path_(std::move(path)), identity_(identity) {}

  UniqueFd fd_;
  std::string path_;
  FileIdentity identity_;
};

}  // namespace hearth
