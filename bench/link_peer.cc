// One end of Hearth's stream of rows, for a link between two hosts:
//
//   link_peer serve ADDRESS MIB     serves so much, says where, until it is
//   killed link_peer read ADDRESS MIB      reads it, and says the seconds that
//   it took
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "hearth/transport/bulk/bulk_channel.h"
#include "hearth/transport/bulk/bulk_server.h"
#include "hearth/transport/bulk/bulk_stream.h"

namespace hearth {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{1} << 20;  // as reach does

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "link_peer: %s\n", status.ToString().c_str());
  return 1;
}

int Serve(const char* address, std::int64_t bytes) {
  auto listener = ListenTcp(*Address::Parse(address));
  if (!listener.ok()) return Fail(listener.status());
  const std::vector<std::byte> from(static_cast<std::size_t>(bytes),
                                    std::byte{7});
  auto server = BulkServer::Start(
      *std::move(listener), grpc::InsecureServerCredentials(),
      [&](const Id&) -> absl::StatusOr<BulkSource> {
        return BulkSource{bytes, [&](std::int64_t offset, std::int64_t count) {
                            return grpc::Slice(from.data() + offset,
                                               static_cast<size_t>(count),
                                               grpc::Slice::STATIC_SLICE);
                          }};
      });
  if (!server.ok()) return Fail(server.status());
  std::puts((*server)->address().ToString().c_str());
  std::fflush(stdout);
  for (;;) pause();
}

int Read(const char* address, std::int64_t bytes) {
  std::vector<std::byte> into(static_cast<std::size_t>(kPieceBytes));
  const auto begin = std::chrono::steady_clock::now();
  const auto channel =
      ConnectBulk(address, grpc::InsecureChannelCredentials(), "");
  BulkStream stream({Id::Random(), 0, bytes, kPieceBytes},
                    [&](int) { return BulkPeer{channel}; });
  for (std::int64_t done = 0; done < bytes; done += kPieceBytes) {
    const auto status = stream.Next(std::span(into).first(
        static_cast<std::size_t>(std::min(kPieceBytes, bytes - done))));
    if (!status.ok()) return Fail(status);
  }
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begin;
  std::printf("%.6f\n", took.count());
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::int64_t bytes = std::atoll(argv[3]) << 20;
  return argv[1] == std::string_view("serve") ? hearth::Serve(argv[2], bytes)
                                              : hearth::Read(argv[2], bytes);
}
