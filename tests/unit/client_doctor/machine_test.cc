#include "client/doctor/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>

namespace hearth::client {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

MachineFacts Good() {
  MachineFacts facts;
  facts.kernel_release = "6.1.0-13-amd64";
  facts.has_pidfd = true;
  facts.memory = {.limit_bytes = std::int64_t{64} << 30,
                  .free_bytes = std::int64_t{60} << 30,
                  .source = "MemAvailable of /proc/meminfo"};
  facts.huge_pages = HugePages::kWhereAdvised;
  facts.open_files_max = 1 << 20;
  facts.cores = 8;
  facts.processor = {.avx2 = true, .fma = true};
  facts.blas = "OpenBLAS 0.3.21, Haswell kernels";
  return facts;
}

std::map<std::string, Check> ByName(const MachineFacts& facts) {
  std::map<std::string, Check> checks;
  for (const Check& check : Judge(facts)) checks[check.name] = check;
  EXPECT_EQ(checks.size(), 7u);
  return checks;
}

TEST(Judge, FindsNothingWrongWithAGoodMachine) {
  for (const auto& [name, check] : ByName(Good())) {
    EXPECT_EQ(check.state, CheckState::kOk) << name;
    EXPECT_THAT(check.found, Not(IsEmpty())) << name;
    EXPECT_THAT(check.advice, IsEmpty()) << name;
  }
}

TEST(Judge, FailsWhereSomethingOfHearthCantWork) {
  MachineFacts facts = Good();
  facts.has_pidfd = false;
  facts.sharing_error = EPERM;
  facts.sharing_step = "memfd_create";
  facts.blas = "";
  const auto checks = ByName(facts);
  for (const char* name : {"kernel", "sharing", "blas"}) {
    EXPECT_EQ(checks.at(name).state, CheckState::kFail) << name;
    EXPECT_THAT(checks.at(name).advice, Not(IsEmpty())) << name;
  }
  EXPECT_THAT(checks.at("sharing").found,
              HasSubstr("memfd_create failed: Operation not permitted"));
}

TEST(Judge, WarnsWhereItWorksLessWell) {
  MachineFacts facts = Good();
  facts.kernel_release = "5.10.0";
  facts.memory.free_bytes = 1 << 20;
  facts.huge_pages = HugePages::kNever;
  facts.open_files_max = 1024;
  facts.processor = {.avx2 = true};  // without FMA
  const auto checks = ByName(facts);
  for (const char* name :
       {"kernel", "memory", "huge-pages", "open-files", "processor"}) {
    EXPECT_EQ(checks.at(name).state, CheckState::kWarn) << name;
    EXPECT_THAT(checks.at(name).advice, Not(IsEmpty())) << name;
  }
}

TEST(ReadMachine, SeesTheOneItRunsOn) {
  const MachineFacts facts = ReadMachine();
  EXPECT_TRUE(facts.has_pidfd);
  EXPECT_EQ(facts.sharing_error, 0) << facts.sharing_step;
  EXPECT_GT(facts.memory.limit_bytes, facts.memory.free_bytes);
  EXPECT_GE(facts.cores, 1);
  EXPECT_THAT(facts.blas, HasSubstr("OpenBLAS"));
}

}  // namespace
}  // namespace hearth::client
