#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "hearth/base/id.h"
#include "hearth/base/tcp_socket.h"

namespace hearth {

// Something that can be read by offset.
struct BulkSource {
  std::int64_t bytes = 0;
  // [offset, offset + count), within `bytes`. What it points to stays valid for
  // as long as the slice lives; nothing is copied that need not be.
  std::function<absl::StatusOr<grpc::Slice>(std::int64_t offset,
                                            std::int64_t count)>
      read = {};
};

// Serves ranges of what its owner finds, to readers on other hosts.
//
// One range is a stream of chunks with a checksum each. A slow reader costs the
// chunk that waits for it and what gRPC buffers of it; a reader that is gone,
// nothing.
//
// Kind:    resource. Destroying it ends every call and waits for them.
// Threads: two of its own: one accepts, one serves. `find` and `read` are
//          called by the second, one at a time.
class BulkServer {
 public:
  using Find = std::function<absl::StatusOr<BulkSource>(const Id& token)>;

  static absl::StatusOr<std::unique_ptr<BulkServer>> Start(
      TcpListener listener,
      std::shared_ptr<grpc::ServerCredentials> credentials, Find find);
  ~BulkServer();

  const Address& address() const;

 private:
  class Call;
  struct Impl;
  explicit BulkServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
