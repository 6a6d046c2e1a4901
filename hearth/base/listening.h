#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"
#include "hearth/base/unix_socket.h"

namespace hearth {

// The file of a listening Unix socket, which nobody else takes away.
//
// Kind: resource. Moves; its destructor removes the file, unless it is another
//       one by now. Of an abstract address it is empty.
class SocketFile {
 public:
  SocketFile() = default;
  SocketFile(SocketFile&& other) noexcept
      : path_(std::exchange(other.path_, {})),
        device_(other.device_),
        inode_(other.inode_) {}
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();

 private:
  friend absl::StatusOr<struct Listening> ListenForPeople(const Address&);
  explicit SocketFile(std::string path);

  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// A listener at an address that a person gave: what clients are told is
// `address`, whose path is absolute, so that it leads there from any folder.
struct Listening {
  UniqueFd fd;
  Address address;
  SocketFile file;
};

// At a Unix address, for streams. A file that a killed process has left there
// is swept; one that somebody listens at is not.
//
// Fails: name-taken; address-unusable, such as a folder that is not there;
//        bad-usage for a path that is too long once it is absolute.
absl::StatusOr<Listening> ListenForPeople(const Address& address);

// The same address with an absolute path, if it has one.
Address Absolute(Address address);

}  // namespace hearth
