// Jobs as a worker opens them, with a real keeper and a real stream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "hearth/base/error.h"
#include "hearth/transport/control/codec.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker_keeper/test_processes.h"
#include "worker/segments/segment_server.h"
#include "worker/service/job_context.h"

namespace hearth::worker {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::worker::testing::CardOf;
using ::hearth::worker::testing::KeeperProcess;
using ::hearth::worker::testing::SealedMemory;

constexpr std::uint64_t kJob = 1;
constexpr std::int64_t kRows = 64;
constexpr std::int64_t kColumns = 4;
// Less than a stream waits for a host that is gone, by far.
constexpr std::chrono::seconds kSoon(10);

proto::Brief BriefOnGram() {
  proto::Brief brief;
  brief.set_job(kJob);
  brief.set_operation("gram");  // in Fortran order: needs it whole
  *brief.mutable_matrix()->mutable_layout() =
      ToProto(*MatrixLayout::Make(ElementType::kFloat64, ByteOrder::kNative,
                                  Order::kFortran, {kRows, kColumns}));
  *brief.mutable_matrix()->mutable_segment()->mutable_token() =
      ToProto(Id{1, 2});
  return brief;
}

void LieAt(proto::Brief& brief, const Id& token, const std::string& address) {
  proto::SegmentSource& segment = *brief.mutable_matrix()->mutable_segment();
  segment.clear_replicas();
  proto::Replica& replica = *segment.add_replicas();
  *replica.mutable_token() = ToProto(token);
  replica.set_host("unix-abstract:hearth-of-another-machine");
  replica.add_addresses(address);
}

class JobCacheTest : public ::testing::Test {
 protected:
  JobCacheTest() : rows_(kRows * kColumns) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      rows_[i] = static_cast<double>(i);
    }
    const absl::string_view bytes(reinterpret_cast<const char*>(rows_.data()),
                                  rows_.size() * sizeof(double));
    EXPECT_THAT(
        reach_.own().Deposit(served_, SealedMemory(bytes).get(), CardOf(bytes)),
        IsOk());
    auto server = ServeSegments(*Address::Parse("127.0.0.1:0"),
                                {.insecure = true}, reach_.own());
    EXPECT_THAT(server, IsOk());
    server_ = *std::move(server);
  }

  // An address that refuses every connection.
  static std::string Nowhere() {
    return ListenTcp(*Address::Parse("127.0.0.1:0"))->address.ToString();
  }

  std::vector<double> rows_;
  const Id served_{3, 4};
  KeeperProcess keeper_{KeeperOptions{}};  // forked before there are threads
  SegmentReach reach_{keeper_.address(), {.insecure = true}};
  std::unique_ptr<BulkServer> server_;
  KeptSegments kept_{reach_};
  SegmentStore store_{reach_};
  JobCache jobs_{reach_, kept_, store_};
};

TEST_F(JobCacheTest, TellsWhoWaitsForBytesWhereTheyHaveMovedTo) {
  proto::Brief brief = BriefOnGram();
  LieAt(brief, {5, 6}, Nowhere());
  jobs_.Brief(brief);
  std::atomic<bool> is_waiting = false;
  auto opened = std::async(std::launch::async, [&] {
    return jobs_.Get(kJob, 0, [&] {
      is_waiting = true;  // asked between attempts
      return false;
    });
  });
  while (!is_waiting && opened.wait_for(std::chrono::milliseconds(1)) !=
                            std::future_status::ready) {
  }
  ASSERT_TRUE(is_waiting) << opened.get().status();
  LieAt(brief, served_, server_->address().ToString());
  jobs_.Brief(brief);
  ASSERT_EQ(opened.wait_for(kSoon), std::future_status::ready);
  const auto job = opened.get();
  ASSERT_THAT(job, IsOk());
  const std::span<const std::byte> whole = job->context->whole();
  ASSERT_EQ(whole.size(), rows_.size() * sizeof(double));
  EXPECT_EQ(std::memcmp(whole.data(), rows_.data(), whole.size()), 0);
}

TEST_F(JobCacheTest, StopsWaitingForBytesThatNobodyWants) {
  proto::Brief brief = BriefOnGram();
  LieAt(brief, {5, 6}, Nowhere());
  jobs_.Brief(brief);
  std::atomic<bool> is_cancelled = false;
  auto opened = std::async(std::launch::async, [&] {
    return jobs_.Get(kJob, 0, [&] { return is_cancelled.load(); });
  });
  // Neither is held up by who waits.
  jobs_.Brief(brief);
  jobs_.Forget(kJob);
  EXPECT_EQ(ReasonOf(jobs_.Get(kJob, 0, [] { return false; }).status()),
            Reason::kJobUnknown);
  is_cancelled = true;
  ASSERT_EQ(opened.wait_for(kSoon), std::future_status::ready);
  EXPECT_FALSE(opened.get().ok());
}

TEST_F(JobCacheTest, OpensAnewForARoundAndRefusesThoseOfAnother) {
  proto::Brief brief = BriefOnGram();
  LieAt(brief, served_, server_->address().ToString());
  jobs_.Brief(brief);
  const auto never = [] { return false; };
  const auto first = jobs_.Get(kJob, 0, never);
  ASSERT_THAT(first, IsOk());
  EXPECT_TRUE(first->state->empty());
  brief.set_round(1);
  brief.mutable_state()->set_inline_bytes("where it stands");
  jobs_.Brief(brief);
  EXPECT_EQ(ReasonOf(jobs_.Get(kJob, 0, never).status()), Reason::kJobUnknown);
  const auto second = jobs_.Get(kJob, 1, never);
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(second->context, first->context);
  EXPECT_EQ(second->state->size(), brief.state().inline_bytes().size());
}

}  // namespace
}  // namespace hearth::worker
