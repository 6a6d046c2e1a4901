#include "hearth/transport/control/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/create_channel_posix.h>

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"

namespace hearth {

absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectChannel(
    absl::string_view address, const ChannelOptions& options) {
  HEARTH_ASSIGN_OR_RETURN(const Address parsed, Address::Parse(address));
  if (parsed.local()) {
    HEARTH_ASSIGN_OR_RETURN(
        UniqueFd fd,
        ConnectUnix(parsed, SocketType::kStream, options.deadline));
    return grpc::CreateInsecureChannelFromFd("hearth", fd.Release());
  }
  if (!options.insecure) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat("connect to ", address,
                              " over TCP: this end has no credentials; say "
                              "--insecure at both ends to go without"));
  }
  auto channel = grpc::CreateChannel(std::string(address),
                                     grpc::InsecureChannelCredentials());
  const auto deadline = std::chrono::system_clock::now() +
                        absl::ToChronoMilliseconds(options.deadline);
  if (!channel->WaitForConnected(deadline)) {
    return Error(Reason::kClusterUnreachable,
                 absl::StrCat("connect to ", address, ": nobody answered in ",
                              absl::FormatDuration(options.deadline),
                              "; is it running, and is the address right?"));
  }
  return channel;
}

}  // namespace hearth
