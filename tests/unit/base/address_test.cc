#include "hearth/base/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::HasCode;
using ::hearth::testing::IsOk;

TEST(Address, ReadsEveryFormAndWritesItBack) {
  for (const char* text :
       {"localhost:5000", "10.0.0.1:0", "[::1]:65535", "unix:/run/hearth.sock",
        "unix-abstract:hearth-12ab"}) {
    const auto address = Address::Parse(text);
    ASSERT_THAT(address, IsOk()) << text;
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(Address, KnowsWhatIsOnThisHost) {
  EXPECT_TRUE(Address::Parse("unix-abstract:x")->local());
  EXPECT_TRUE(Address::Parse("unix:x")->local());
  EXPECT_FALSE(Address::Parse("localhost:1")->local());
}

TEST(Address, RefusesWhatIsNone) {
  for (const std::string& text :
       {std::string(""), std::string("localhost"), std::string("host:"),
        std::string(":5"), std::string("host:65536"), std::string("host:-1"),
        std::string("::1:5"), std::string("unix:"),
        std::string("unix-abstract:"), "unix:" + std::string(108, 'x'),
        std::string("unix:a\0b", 8)}) {
    EXPECT_THAT(Address::Parse(text),
                HasCode(absl::StatusCode::kInvalidArgument))
        << text;
  }
  EXPECT_THAT(Address::Parse("unix:" + std::string(107, 'x')), IsOk());
}

}  // namespace
}  // namespace hearth
