// Results as workers write them, with a real keeper.
#include "worker/segments/segment_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hearth/base/limits.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker_keeper/test_processes.h"

namespace hearth::worker {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::worker::testing::KeeperProcess;

class SegmentStoreTest : public ::testing::TestWithParam<std::int64_t> {
 protected:
  Id MakeResult() {
    const auto token = store_.CreateResult(GetParam());
    EXPECT_THAT(token, IsOk());
    auto open = store_.OpenResult(*token);
    EXPECT_THAT(open, IsOk());
    const std::vector<std::byte> ones(static_cast<std::size_t>(GetParam()),
                                      std::byte{1});
    EXPECT_THAT((*open)->WriteAt(0, ones), IsOk());
    return *token;
  }

  void ExpectOnes(const BytesRef& ref) {
    EXPECT_EQ(ref.bytes, GetParam());
    const auto bytes = store_.Get(ref, [] { return false; });
    ASSERT_THAT(bytes, IsOk());
    EXPECT_EQ(std::ssize(*bytes), GetParam());
    EXPECT_EQ(std::count(bytes->begin(), bytes->end(), std::byte{1}),
              GetParam());
  }

  KeeperProcess keeper_{KeeperOptions{}};  // forked before there are threads
  SegmentReach reach_{keeper_.address(), {.insecure = true}};
  SegmentStore store_{reach_};
};

TEST_P(SegmentStoreTest, SealsAResultThatAnAttemptBeforeHasSealed) {
  const Id token = MakeResult();
  const auto first = store_.SealResult(token);
  ASSERT_THAT(first, IsOk());
  ExpectOnes(*first);
  const auto again = store_.SealResult(token);
  ASSERT_THAT(again, IsOk());
  ExpectOnes(*again);
}

TEST_P(SegmentStoreTest, SealsAResultWhoseSealerDiedBeforeItSaidSo) {
  const Id token = MakeResult();
  auto open = store_.OpenResult(token);
  ASSERT_THAT(open, IsOk());
  ASSERT_THAT((*open)->Seal(), IsOk());
  const auto sealed = store_.OpenResult(token);
  ASSERT_THAT(sealed, IsOk());
  EXPECT_FALSE(sealed->has_value());
  const auto result = store_.SealResult(token);
  ASSERT_THAT(result, IsOk());
  ExpectOnes(*result);
}

INSTANTIATE_TEST_SUITE_P(Sizes, SegmentStoreTest,
                         ::testing::Values(1000,
                                           limits::kInlineBytesMax + 1000));

}  // namespace
}  // namespace hearth::worker
