#include "client/gateway/http_call.h"

#include <gmock/gmock.h>

#include "hearth/base/error.h"

namespace hearth::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// add(a, b = ..., c = ...), as its object describes it.
Value::Map Add() {
  const auto parameter = [](const char* name, bool optional) {
    Value::Map of{{"name", Value(name)}, {"type", Value("int64")}};
    if (optional) of.emplace_back("optional", Value(true));
    return Value(std::move(of));
  };
  return {{"name", Value("add")},
          {"parameters",
           Value(Value::List{parameter("a", false), parameter("b", true),
                             parameter("c", true)})}};
}

absl::StatusOr<std::vector<Value>> Ordered(const char* body) {
  return InOrder(*ArgumentsOfBody(body), "t.add", Add());
}

std::string Refused(const char* body) {
  const auto ordered = Ordered(body);
  EXPECT_EQ(ReasonOf(ordered.status()), Reason::kBadParameter) << body;
  return std::string(ordered.status().message());
}

TEST(InOrder, PutsNamedArgumentsInTheirPlaces) {
  EXPECT_THAT(*Ordered(R"({"c": 3, "a": 1, "b": 2})"),
              ElementsAre(Value(1), Value(2), Value(3)));
  EXPECT_THAT(*Ordered("[1]"), ElementsAre(Value(1)));
}

TEST(InOrder, LeavesOutOptionalOnesAtTheEnd) {
  // They were demanded by name, though not by position.
  EXPECT_THAT(*Ordered(R"({"a": 1})"), ElementsAre(Value(1)));
  EXPECT_THAT(*Ordered(R"({"b": null, "a": 1})"),
              ElementsAre(Value(1), Value()));
}

TEST(InOrder, RefusesWhatHasAGap) {
  EXPECT_THAT(Refused("{}"), HasSubstr("parameter \"a\" is missing;"));
  EXPECT_THAT(Refused(R"({"b": 2})"), HasSubstr("\"a\" is missing;"));
  EXPECT_THAT(Refused(R"({"a": 1, "c": 3})"),
              HasSubstr("\"b\" is missing: it may be left out only with all "
                        "that follow it, and \"c\" is given; it takes (a, b, "
                        "c)"));
  EXPECT_THAT(Refused(R"({"a": 1, "d": 3})"), HasSubstr("none of its own"));
}

}  // namespace
}  // namespace hearth::client
