#include "hearth/transport/bulk/bulk_stream.h"

#include <gmock/gmock.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/transport/bulk/bulk_channel.h"
#include "hearth/transport/bulk/bulk_server.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;

std::vector<std::byte> MadeBytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<std::byte>(i * 2654435761U >> 13);
  }
  return bytes;
}

// Serves `bytes` under `token`; `before_read` may refuse or wait.
class Server {
 public:
  explicit Server(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {
    Start("127.0.0.1:0");
  }

  void Start(const std::string& address) {
    auto listener = ListenTcp(*Address::Parse(address));
    ASSERT_TRUE(listener.ok()) << listener.status();
    auto server = BulkServer::Start(
        *std::move(listener), grpc::InsecureServerCredentials(),
        [this](const Id& asked) -> absl::StatusOr<BulkSource> {
          if (asked != token) {
            return Error(Reason::kSegmentGone, "find it: nobody holds it");
          }
          return BulkSource{
              std::ssize(bytes_),
              [this](std::int64_t offset,
                     std::int64_t count) -> absl::StatusOr<grpc::Slice> {
                const absl::Status status = before_read(offset);
                if (!status.ok()) return status;
                return grpc::Slice(bytes_.data() + offset,
                                   static_cast<std::size_t>(count),
                                   grpc::Slice::STATIC_SLICE);
              }};
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    address_ = server_->address().ToString();
  }
  void Stop() { server_.reset(); }
  const std::string& address() const { return address_; }

  BulkStream::Connect Connect() {
    return [this](int) -> absl::StatusOr<BulkPeer> {
      return BulkPeer{
          ConnectBulk(address_, grpc::InsecureChannelCredentials(), "")};
    };
  }

  const Id token = Id::Random();
  std::function<absl::Status(std::int64_t offset)> before_read = [](auto) {
    return absl::OkStatus();
  };

 private:
  const std::vector<std::byte> bytes_;
  std::string address_;
  std::unique_ptr<BulkServer> server_;
};

constexpr std::int64_t kCut = 1'500'000;  // no multiple of a chunk

class BulkStreamTest : public ::testing::Test {
 protected:
  BulkStreamTest() : bytes_(MadeBytes(10'000'001)), server_(bytes_) {}

  absl::Status ReadAll(BulkStream& stream, std::int64_t offset,
                       std::int64_t count) {
    got_.assign(static_cast<std::size_t>(count), std::byte{0});
    for (std::int64_t done = 0; done < count; done += kCut) {
      const absl::Status status = stream.Next(std::span(got_).subspan(
          static_cast<std::size_t>(done),
          static_cast<std::size_t>(std::min(kCut, count - done))));
      if (!status.ok()) return status;
    }
    const auto* from = bytes_.data() + offset;
    EXPECT_TRUE(std::equal(got_.begin(), got_.end(), from));
    return absl::OkStatus();
  }

  const std::vector<std::byte> bytes_;
  Server server_;
  std::vector<std::byte> got_;
};

TEST_F(BulkStreamTest, BringsARangeInOrder) {
  for (const auto& [offset, count] :
       {std::pair<std::int64_t, std::int64_t>{0, 10'000'001},
        {1, 10'000'000},
        {9'999'999, 2},
        {10'000'001, 0}}) {
    BulkStream stream({server_.token, offset, count, kCut}, server_.Connect());
    EXPECT_TRUE(ReadAll(stream, offset, count).ok());
    EXPECT_EQ(stream.resumed(), 0);
  }
}

TEST_F(BulkStreamTest, SaysWhatTheOtherEndSays) {
  BulkStream gone({Id::Random(), 0, 10, kCut}, server_.Connect());
  EXPECT_EQ(ReasonOf(ReadAll(gone, 0, 10)), Reason::kSegmentGone);
  for (const auto& [offset, count] :
       {std::pair<std::int64_t, std::int64_t>{10'000'000, 2},
        {-1, 2},
        {INT64_MAX, 2}}) {
    BulkStream beyond({server_.token, offset, count, kCut}, server_.Connect());
    std::vector<std::byte> into(2);
    EXPECT_EQ(ReasonOf(beyond.Next(into)), Reason::kBadUsage) << offset;
  }
}

TEST_F(BulkStreamTest, AsksAgainFromWhereItBroke) {
  std::atomic<int> breaks = 3;
  std::atomic<std::int64_t> served = 0;
  server_.before_read = [&](std::int64_t offset) {
    if (offset > 4'000'000 && breaks.fetch_sub(1) > 0) {
      return absl::UnavailableError("the network is gone");
    }
    ++served;
    return absl::OkStatus();
  };
  BulkStream stream({server_.token, 0, 10'000'001, kCut}, server_.Connect());
  EXPECT_TRUE(ReadAll(stream, 0, 10'000'001).ok());
  EXPECT_EQ(stream.resumed(), 3);
  // 7 blocks of two chunks, the last of one: none was served twice.
  EXPECT_EQ(served, 13);
}

TEST_F(BulkStreamTest, OutlivesItsServer) {
  std::atomic<bool> reached = false;
  server_.before_read = [&](std::int64_t offset) {
    if (offset > 4'000'000) reached = true;
    return absl::OkStatus();
  };
  BulkStream stream({server_.token, 0, 10'000'001, kCut}, server_.Connect());
  std::vector<std::byte> first(kCut);
  ASSERT_TRUE(stream.Next(first).ok());
  const std::string address = server_.address();
  server_.Stop();
  server_.Start(address);
  std::vector<std::byte> rest(10'000'001 - kCut);
  for (std::size_t done = 0; done < rest.size(); done += kCut) {
    ASSERT_TRUE(stream
                    .Next(std::span(rest).subspan(
                        done, std::min<std::size_t>(kCut, rest.size() - done)))
                    .ok());
  }
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), bytes_.begin() + kCut));
}

TEST_F(BulkStreamTest, AStreamThatStallsIsAskedForAgain) {
  std::atomic<int> stalls = 1;
  server_.before_read = [&](std::int64_t offset) {
    if (offset > 4'000'000 && stalls.fetch_sub(1) > 0) {
      absl::SleepFor(absl::Milliseconds(700));
    }
    return absl::OkStatus();
  };
  BulkStream stream({server_.token, 0, 10'000'001, kCut}, server_.Connect(),
                    {.stall = absl::Milliseconds(200)});
  EXPECT_TRUE(ReadAll(stream, 0, 10'000'001).ok());
  EXPECT_GE(stream.resumed(), 1);
}

TEST_F(BulkStreamTest, GivesUpWhenNobodyBringsAByte) {
  server_.Stop();
  BulkStream stream(
      {server_.token, 0, 10, kCut}, server_.Connect(),
      {.stall = absl::Milliseconds(300), .patience = absl::Milliseconds(600)});
  std::vector<std::byte> into(10);
  const absl::Time begin = absl::Now();
  const absl::Status status = stream.Next(into);
  EXPECT_EQ(ReasonOf(status), Reason::kClusterUnreachable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("another host"));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
}

TEST_F(BulkStreamTest, IsCancelledWhileItWaits) {
  server_.Stop();
  std::atomic<bool> cancelled = false;
  BulkStream stream({server_.token, 0, 10, kCut}, server_.Connect(),
                    {.cancelled = [&] { return cancelled.exchange(true); }});
  std::vector<std::byte> into(10);
  EXPECT_TRUE(absl::IsCancelled(stream.Next(into)));
}

}  // namespace
}  // namespace hearth
