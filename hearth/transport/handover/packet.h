#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

#include "hearth/base/unique_fd.h"

namespace hearth {

// How sending or receiving one packet ended. `error` is an errno: 0 done,
// EAGAIN not now, ECONNRESET or EPIPE the other end is gone.
struct PacketResult {
  int error = 0;
  std::size_t bytes = 0;
};

// One packet, with duplicates of `descriptors`; never blocks, never raises
// SIGPIPE.
PacketResult SendPacket(int socket, std::span<const iovec> parts,
                        std::span<const int> descriptors = {});

// One packet into `buffer`; what descriptors came with it are appended, closed
// on exec. Never blocks. The end of the connection is ECONNRESET. A packet
// longer than `buffer`, or with more than kHandoverDescriptorsMax descriptors,
// is EMSGSIZE: nothing of it is kept.
PacketResult ReceivePacket(int socket, std::span<std::byte> buffer,
                           std::vector<UniqueFd>& descriptors);

}  // namespace hearth
