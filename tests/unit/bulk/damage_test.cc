// Rows that were changed on their way: never believed.
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/crc32c.h"
#include "hearth/base/error.h"
#include "hearth/transport/bulk/bulk_channel.h"
#include "hearth/transport/bulk/bulk_stream.h"
#include "hearth/transport/bulk/chunk.h"
#include "protos/bulk.pb.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;

// Serves `bytes`, one chunk a call, and damages the first `damages` of them.
class DamagingServer : public grpc::CallbackGenericService {
 public:
  DamagingServer(std::string bytes, int damages, std::size_t damaged_byte)
      : bytes_(std::move(bytes)),
        damages_(damages),
        damaged_byte_(damaged_byte) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
  }
  ~DamagingServer() override { server_->Shutdown(); }

  BulkStream::Connect Connect() const {
    return [this](int) -> absl::StatusOr<BulkPeer> {
      return BulkPeer{ConnectBulk(absl::StrCat("127.0.0.1:", port_),
                                  grpc::InsecureChannelCredentials(), ""),
                      {}};
    };
  }

 private:
  class Call : public grpc::ServerGenericBidiReactor {
   public:
    explicit Call(DamagingServer& server) : server_(server) {
      StartRead(&asked_);
    }
    void OnReadDone(bool ok) override {
      proto::BulkRequest request;
      grpc::ProtoBufferReader reader(&asked_);
      if (!ok || !request.ParseFromZeroCopyStream(&reader)) {
        return Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "?"));
      }
      std::string data =
          server_.bytes_.substr(static_cast<std::size_t>(request.offset()));
      const EncodedChunkHead head =
          Encode({request.offset(),
                  Crc32c(std::as_bytes(std::span(data.data(), data.size()))),
                  std::ssize(data)});
      std::string message(reinterpret_cast<const char*>(head.bytes.data()),
                          head.size);
      message += data;
      if (server_.damages_.fetch_sub(1) > 0) {
        message[server_.damaged_byte_ % message.size()] ^= 1;
      }
      const grpc::Slice slice(message);
      chunk_ = grpc::ByteBuffer(&slice, 1);
      StartWrite(&chunk_);
    }
    void OnWriteDone(bool) override { Finish(grpc::Status::OK); }
    void OnDone() override { delete this; }

   private:
    DamagingServer& server_;
    grpc::ByteBuffer asked_;
    grpc::ByteBuffer chunk_;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext*) override {
    return new Call(*this);
  }

  const std::string bytes_;
  std::atomic<int> damages_;
  const std::size_t damaged_byte_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

std::string MadeBytes() {
  std::string bytes(1000, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  return bytes;
}

TEST(BulkStream, AsksAgainForADamagedChunk) {
  const std::string bytes = MadeBytes();
  // Its tag, offset, checksum, size and data: each byte may be the one.
  for (const std::size_t byte : {0, 1, 8, 9, 10, 14, 15, 16, 17, 500, 1016}) {
    DamagingServer server(bytes, 1, byte);
    BulkStream stream({{1, 2}, 0, std::ssize(bytes), 0}, server.Connect());
    std::string got(bytes.size(), '\0');
    const absl::Status status =
        stream.Next(std::as_writable_bytes(std::span(got.data(), got.size())));
    EXPECT_TRUE(status.ok()) << byte << ": " << status;
    EXPECT_EQ(got, bytes) << byte;
    EXPECT_EQ(stream.resumed(), 1) << byte;
  }
}

TEST(BulkStream, GivesUpOnWhoOnlyDamages) {
  const std::string bytes = MadeBytes();
  DamagingServer server(bytes, 1'000'000, 500);
  BulkStream stream({{1, 2}, 0, std::ssize(bytes), 0}, server.Connect(),
                    {.patience = absl::Milliseconds(300)});
  std::string got(bytes.size(), '\0');
  const absl::Status status =
      stream.Next(std::as_writable_bytes(std::span(got.data(), got.size())));
  EXPECT_EQ(ReasonOf(status), Reason::kClusterUnreachable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("checksum"));
}

}  // namespace
}  // namespace hearth
