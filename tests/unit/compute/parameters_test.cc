#include "hearth/compute/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hearth/base/error.h"
#include "hearth/compute/registry.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseAxes, ReadsWhatPeopleType) {
  EXPECT_EQ(*ParseAxes("axis", "none"), std::nullopt);
  EXPECT_EQ(*ParseAxes("axis", "None"), std::nullopt);
  EXPECT_THAT(**ParseAxes("axis", "0"), ElementsAre(0));
  EXPECT_THAT(**ParseAxes("axis", "-1"), ElementsAre(-1));
  EXPECT_THAT(**ParseAxes("axis", "0,1"), ElementsAre(0, 1));
  EXPECT_THAT(**ParseAxes("axis", "(0, 1,)"), ElementsAre(0, 1));
}

TEST(ParseAxes, RefusesWhatNoMatrixHas) {
  for (const char* text :
       {"x", "", "1.5", "0,,1", "64", "-65", "0,0", "99999999999999999999"}) {
    EXPECT_EQ(ReasonOf(ParseAxes("axis", text).status()), Reason::kBadUsage)
        << text;
  }
}

TEST(ParseDtype, TakesNumpysNamesAndRefusesOthers) {
  EXPECT_EQ(*ParseDtype("dtype", "none"), std::nullopt);
  EXPECT_EQ(*ParseDtype("dtype", "<f4"), ElementType::kFloat32);
  for (const char* text : {"bfloat16", ">f8", "object", "float31"}) {
    EXPECT_EQ(ReasonOf(ParseDtype("dtype", text).status()), Reason::kBadUsage)
        << text;
  }
}

TEST(FindOperation, NamesTheNearestOnes) {
  EXPECT_EQ((*FindOperation("argmin"))->info().name, "argmin");
  const auto wrong = FindOperation("summ");
  EXPECT_EQ(ReasonOf(wrong.status()), Reason::kBadUsage);
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("sum"));
}

TEST(AllOperations, AreSortedAndSayWhatTheyDo) {
  const auto& operations = AllOperations();
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const OperationInfo& info = operations[i]->info();
    if (i > 0) {
      EXPECT_LT(operations[i - 1]->info().name, info.name);
    }
    EXPECT_FALSE(info.doc.empty()) << info.name;
    // What the table says is the default has to be one that may be typed.
    ParameterText defaults;
    for (const ParameterSpec& spec : info.parameters) {
      if (!spec.default_value.empty()) defaults[spec.name] = spec.default_value;
    }
    EXPECT_TRUE(operations[i]->CheckUsage(defaults).ok()) << info.name;
  }
}

}  // namespace
}  // namespace hearth
