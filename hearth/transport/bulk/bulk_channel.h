#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

namespace hearth {

// A channel for streams of rows to host:port, apart from every other: its
// settings are those of large reads, and a link that is cut shows in seconds.
// Connects when it is first used, and again by itself. `server_name`: the name
// that the certificate at the other end must carry, whatever the address.
std::shared_ptr<grpc::Channel> ConnectBulk(
    const std::string& address,
    std::shared_ptr<grpc::ChannelCredentials> credentials,
    const std::string& server_name);

}  // namespace hearth
