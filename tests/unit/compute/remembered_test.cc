#include "hearth/compute/remembered.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using testing::HasCode;

TEST(Remembered, IsMadeAnewForAnotherState) {
  const Remembered<int> remembered;
  int made = 0;
  const auto get = [&](const Bytes& bytes) {
    return **remembered.Get(bytes,
                            [&]() -> absl::StatusOr<int> { return ++made; });
  };
  EXPECT_EQ(get({}), 1);
  EXPECT_EQ(get({}), 1);
  EXPECT_EQ(get(Bytes(3)), 2);
  EXPECT_EQ(get(Bytes(3)), 2);
  EXPECT_EQ(get(Bytes(3, std::byte{1})), 3);
  EXPECT_THAT(remembered.Get({},
                             []() -> absl::StatusOr<int> {
                               return absl::InternalError("no");
                             }),
              HasCode(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace hearth
