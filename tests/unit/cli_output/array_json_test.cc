#include "client/cli/output/array_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>

#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/cli_output/array_of.h"

namespace hearth::client {
namespace {

using ::hearth::testing::IsOk;
using ::testing::HasSubstr;

std::string Json(const ArrayView& array) {
  std::string text;
  EXPECT_THAT(AppendArrayJson(array, text), IsOk());
  return text;
}

TEST(ArrayJson, NestsAsManyListsAsThereAreAxes) {
  const std::vector<std::int32_t> six = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(Json(ViewOf(ElementType::kInt32, {2, 3}, six)),
            R"({"dtype": "int32", "shape": [2, 3], )"
            R"("values": [[1, 2, 3], [4, 5, 6]]})");
  EXPECT_THAT(Json(ViewOf(ElementType::kInt32, {1, 3, 2}, six)),
              HasSubstr("[[[1, 2], [3, 4], [5, 6]]]"));
}

TEST(ArrayJson, ReadsFortranOrder) {
  const std::vector<std::int32_t> six = {1, 4, 2, 5, 3, 6};
  EXPECT_THAT(Json(ViewOf(ElementType::kInt32, {2, 3}, six, Order::kFortran)),
              HasSubstr("[[1, 2, 3], [4, 5, 6]]"));
}

TEST(ArrayJson, OfAZeroDimensionalArrayIsTheBareValue) {
  const std::vector<double> one = {2.5};
  EXPECT_EQ(Json(ViewOf(ElementType::kFloat64, {}, one)),
            R"({"dtype": "float64", "shape": [], "values": 2.5})");
}

TEST(ArrayJson, KeepsTheListsOfAnEmptyArray) {
  const std::vector<double> none;
  EXPECT_THAT(Json(ViewOf(ElementType::kFloat64, {0, 3}, none)),
              HasSubstr("\"values\": []}"));
  EXPECT_THAT(Json(ViewOf(ElementType::kFloat64, {2, 0}, none)),
              HasSubstr("\"values\": [[], []]}"));
}

TEST(ArrayJson, RefusesMoreThanAMillionValues) {
  const std::vector<std::uint8_t> bytes(1'000'001);
  const std::span<const std::uint8_t> million(bytes.data(), 1'000'000);
  std::string text;
  EXPECT_THAT(AppendArrayJson({.type = ElementType::kUint8,
                               .shape = {1000, 1000},
                               .bytes = std::as_bytes(million)},
                              text),
              IsOk());
  text = "as it was";
  const absl::Status status =
      AppendArrayJson(ViewOf(ElementType::kUint8, {1'000'001}, bytes), text);
  EXPECT_EQ(ReasonOf(status), Reason::kTooLarge);
  EXPECT_THAT(std::string(status.message()), HasSubstr("-o FILE"));
  EXPECT_EQ(text, "as it was");
}

TEST(ArrayJson, RefusesAnEndlessRunOfEmptyLists) {
  std::string text;
  const std::vector<double> none;
  EXPECT_EQ(
      ReasonOf(AppendArrayJson(
          ViewOf(ElementType::kFloat64, {1'000'000'000'000, 0}, none), text)),
      Reason::kTooLarge);
}

TEST(ResultJson, NamesTheFieldsOfSeveralArrays) {
  const std::vector<std::int64_t> counts = {3, 1};
  const std::vector<double> edges = {0, 0.5, 1};
  const std::vector<ArrayView> both = {
      ViewOf(ElementType::kInt64, {2}, counts, Order::kC, "counts"),
      ViewOf(ElementType::kFloat64, {3}, edges, Order::kC, "edges")};
  std::string text;
  EXPECT_THAT(AppendResultJson(both, "", text), IsOk());
  EXPECT_EQ(text, R"({"fields": {"counts": )"
                  R"({"dtype": "int64", "shape": [2], "values": [3, 1]}, )"
                  R"("edges": {"dtype": "float64", "shape": [3], )"
                  R"("values": [0.0, 0.5, 1.0]}}})");
}

TEST(ResultJson, NamesTheFileInsteadOfTheValues) {
  const std::vector<double> one = {1};
  std::string text;
  EXPECT_THAT(
      AppendResultJson(std::vector{ViewOf(ElementType::kFloat64, {1}, one)},
                       "a\"b\n.npy", text),
      IsOk());
  EXPECT_EQ(text,
            R"({"dtype": "float64", "shape": [1], "file": "a\"b\n.npy"})");
}

TEST(JsonString, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(JsonString("a\xff"), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace hearth::client
