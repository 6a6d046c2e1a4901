#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"

namespace hearth::worker {

// A keeper's socket in a folder that containers share, for those that can't see
// each other's abstract sockets.
//
// Beside `hearth-ID.sock` lies `hearth-ID.lock`, which its keeper holds locked
// (flock) as long as it lives. What is not locked any more was left by one that
// was killed: the next start in that folder sweeps it.
//
// Kind:  resource. Moves, never copies; the last owner removes both files.
// Fails: FILE_MISSING without such a folder; NOT_ALLOWED where others than this
//        user may write; BAD_USAGE when the path is too long for a socket; as
//        the system says where its file system knows no locks.
class RuntimeSocket {
 public:
  static absl::StatusOr<RuntimeSocket> Make(absl::string_view folder);

  RuntimeSocket(RuntimeSocket&& other) noexcept;
  RuntimeSocket& operator=(RuntimeSocket&&) = delete;
  ~RuntimeSocket();

  const Address& address() const { return address_; }
  UniqueFd TakeListener() { return std::move(listener_); }

 private:
  RuntimeSocket() = default;
  Address address_;
  std::string lock_path_;
  UniqueFd lock_;
  UniqueFd listener_;
};

}  // namespace hearth::worker
