#pragma once

#include <netdb.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"

namespace hearth {

struct TcpListener {
  UniqueFd fd;
  Address address;  // with the port that it really has
};

// Listens on host:port; port 0 takes a free one.
//
// Fails: name-taken when another process has it; bad-usage for a host that has
//        no address here.
absl::StatusOr<TcpListener> ListenTcp(const Address& address);

// The address of this host from which it would speak to `there`, without a
// word being sent: where others that reach `there` can likely reach us.
absl::StatusOr<std::string> OwnAddressTowards(const Address& there);

// A connection that has not come to terms by then is dropped: who connects and
// says nothing must not hold a descriptor for minutes.
inline constexpr int kHandshakeMsMax = 10'000;

// The next waiting connection, non-blocking; an invalid fd where none waits or
// none can be taken now. Those for which the process has no room are closed:
// see descriptor_limit.h. Where both ends are this machine's, its sender is
// told not to pace: there is no network to be fair to.
UniqueFd AcceptTcp(int listener);

// A connected socket, non-blocking, whose other end's silence is noticed.
//
// Fails: cluster-unreachable when nobody takes it within that time.
absl::StatusOr<UniqueFd> ConnectTcp(const Address& address,
                                    absl::Duration within);

// The same to the first of several addresses that takes it. Each has its share
// of what is left of the time: one that says nothing leaves some to the others.
absl::StatusOr<UniqueFd> ConnectFirst(const addrinfo* list,
                                      absl::Duration within,
                                      absl::string_view attempt);

// The kernel asks now and then whether the other end is there still: a host
// that is gone without a word breaks the connection within half a minute.
void NoticeSilence(int connected);

}  // namespace hearth
