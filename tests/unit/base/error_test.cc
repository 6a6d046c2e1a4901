#include "hearth/base/error.h"

#include <gtest/gtest.h>

#include "hearth/base/id.h"

namespace hearth {
namespace {

TEST(Error, CarriesItsReasonThroughAStatus) {
  const absl::Status status =
      Error(Reason::kNameTaken, "put \"a\": the name exists");
  EXPECT_EQ(ReasonOf(status), Reason::kNameTaken);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), Reason::kUnspecified);
}

TEST(Id, ReadsBackWhatItWrote) {
  const Id id = Id::Random();
  EXPECT_EQ(Id::Parse(id.ToString()), id);
  EXPECT_FALSE(Id::Parse("xyz").has_value());
  EXPECT_FALSE(Id::Parse("0123456789ABCDEF0123456789abcdef").has_value());
}

}  // namespace
}  // namespace hearth
