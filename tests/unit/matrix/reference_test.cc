#include "hearth/matrix/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::testing::HasSubstr;

MatrixReference Read(absl::string_view text, bool has_dtype = false) {
  auto reference = ParseMatrixReference(text, has_dtype);
  EXPECT_THAT(reference, IsOk());
  return reference.ok() ? *std::move(reference) : MatrixReference{};
}

void ExpectRefused(absl::string_view text, bool has_dtype,
                   const std::string& finding) {
  const auto reference = ParseMatrixReference(text, has_dtype);
  ASSERT_FALSE(reference.ok()) << std::string(text);
  EXPECT_EQ(ReasonOf(reference.status()), Reason::kBadUsage);
  EXPECT_THAT(std::string(reference.status().message()), HasSubstr(finding));
}

TEST(ParseMatrixReference, TakesPlainWordsAsNames) {
  for (const char* name : {"m17", "_", "weights-v2.final", "A", "x.npyz"}) {
    EXPECT_EQ(Read(name), MatrixReference(NamedMatrix{name}));
  }
  const std::string longest(128, 'n');
  EXPECT_EQ(Read(longest), MatrixReference(NamedMatrix{longest}));
}

TEST(ParseMatrixReference, TakesAPathOrAnEndingAsAFile) {
  EXPECT_EQ(Read("x.npy"), MatrixReference(NpyFile{"x.npy"}));
  EXPECT_EQ(Read("./x"), MatrixReference(NpyFile{"./x"}));
  EXPECT_EQ(Read("/data/a b.bin"), MatrixReference(NpyFile{"/data/a b.bin"}));
  EXPECT_EQ(Read("7 of 9.npy"), MatrixReference(NpyFile{"7 of 9.npy"}));
}

TEST(ParseMatrixReference, TakesTheMemberOfAnArchive) {
  EXPECT_EQ(Read("x.npz:w"), MatrixReference(NpzMember{"x.npz", "w"}));
  EXPECT_EQ(Read("/d/x.npz:w.npy"),
            MatrixReference(NpzMember{"/d/x.npz", "w.npy"}));
  EXPECT_EQ(Read("x.npz:layer/0 w"),
            MatrixReference(NpzMember{"x.npz", "layer/0 w"}));
  ExpectRefused("x.npz:", false, "no member");
  ExpectRefused("/d/x.npz", false, "no member");
  ExpectRefused("x.npz:w", true, "leave --dtype out");
}

TEST(ParseMatrixReference, TakesEverythingAsARawFileOnceADtypeIsGiven) {
  for (const char* path : {"x.raw", "x", "./x", "x.npy", "7", "a b"}) {
    EXPECT_EQ(Read(path, true), MatrixReference(RawFile{path}));
  }
}

TEST(ParseMatrixReference, AsksForTheDtypeOfARawFile) {
  ExpectRefused("x.raw", false, "give --dtype and --shape");
  ExpectRefused("./x.raw", false, "give --dtype and --shape");
}

TEST(ParseMatrixReference, RefusesWhatIsNeither) {
  ExpectRefused("", false, "it is empty");
  ExpectRefused("", true, "it is empty");
  ExpectRefused("7up", false, "begins with neither a letter");
  ExpectRefused("-x", false, "begins with neither a letter");
  ExpectRefused("a b", false, "contains \" \"");
  ExpectRefused("m\xc3\xa9", false, "contains \"\\xc3\"");
  ExpectRefused(std::string(129, 'n'), false, "129 bytes, more than 128");
  ExpectRefused(absl::string_view("x.npy\0/", 7), false, "a zero byte");
}

TEST(CheckMatrixName, RefusesNamesThatWouldBeReadAsFiles) {
  EXPECT_THAT(CheckMatrixName("m17"), IsOk());
  EXPECT_FALSE(CheckMatrixName("m.npy").ok());
  EXPECT_FALSE(CheckMatrixName("m.raw").ok());
  EXPECT_FALSE(CheckMatrixName("a/b").ok());
  EXPECT_FALSE(CheckMatrixName("").ok());
}

}  // namespace
}  // namespace hearth
