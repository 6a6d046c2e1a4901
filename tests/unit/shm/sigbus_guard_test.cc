#include "hearth/shm/sigbus_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <string>
#include <thread>

#include "hearth/base/error.h"
#include "hearth/shm/file_source.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/shm/temporary_folder.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::TemporaryFolder;
using ::testing::HasSubstr;

constexpr std::size_t kFileBytes = 10 * 4096;

// The sum of every byte: reads each page, whether the sum is used or not.
int SumOf(const Mapping& mapping) {
  volatile int kept = 0;
  int sum = 0;
  for (const std::byte b : mapping.bytes()) sum += std::to_integer<int>(b);
  kept = sum;
  return kept;
}

class SigbusGuard : public ::testing::Test {
 protected:
  std::string NewFile(const std::string& name) {
    return folder_.Write(name, std::string(kFileBytes, '\1'));
  }
  static Mapping MapWhole(const std::string& path) {
    return *FileSource::Open(path)->MapWhole();
  }

  TemporaryFolder folder_;
};

TEST_F(SigbusGuard, PassesOnWhatTheWorkReturns) {
  const Mapping mapping = MapWhole(NewFile("a"));
  EXPECT_THAT(RunGuarded(mapping, "a",
                         [&] {
                           EXPECT_EQ(SumOf(mapping),
                                     static_cast<int>(kFileBytes));
                           return absl::OkStatus();
                         }),
              IsOk());
  EXPECT_EQ(RunGuarded(mapping, "a", [] { return absl::AbortedError("own"); }),
            absl::AbortedError("own"));
}

TEST_F(SigbusGuard, MakesATruncatedFileAnErrorThatNamesIt) {
  const std::string path = NewFile("a");
  const Mapping mapping = MapWhole(path);
  std::filesystem::resize_file(path, 4096);
  int sum = 0;
  const absl::Status status = RunGuarded(mapping, path, [&] {
    sum = SumOf(mapping);  // runs on to its end: the missing pages read as 0
    return absl::OkStatus();
  });
  EXPECT_EQ(ReasonOf(status), Reason::kFileChanged);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_EQ(sum, 4096);
}

TEST_F(SigbusGuard, NeverBelievesAMappingAgainThatWasBrokenOnce) {
  const std::string path = NewFile("a");
  Mapping mapping = MapWhole(path);
  std::filesystem::resize_file(path, 0);
  const auto read = [&] {
    SumOf(mapping);
    return absl::OkStatus();
  };
  EXPECT_FALSE(RunGuarded(mapping, path, read).ok());
  EXPECT_TRUE(mapping.broken());
  std::filesystem::resize_file(path, kFileBytes);
  EXPECT_FALSE(RunGuarded(mapping, path, read).ok());
  mapping = MapWhole(path);
  EXPECT_THAT(RunGuarded(mapping, path, read), IsOk());
}

TEST_F(SigbusGuard, TellsEveryThreadThatReadsTheMapping) {
  const std::string path = NewFile("a");
  const Mapping mapping = MapWhole(path);
  std::filesystem::resize_file(path, 4096);
  // Another thread hits the gap while this one is at work on good pages.
  const absl::Status status = RunGuarded(mapping, path, [&] {
    std::thread([&] {
      EXPECT_FALSE(RunGuarded(mapping, path, [&] {
                     SumOf(mapping);
                     return absl::OkStatus();
                   }).ok());
    }).join();
    return absl::OkStatus();
  });
  EXPECT_EQ(ReasonOf(status), Reason::kFileChanged);
}

TEST_F(SigbusGuard, BlamesTheFileThatBrokeAmongSeveral) {
  const std::string broken = NewFile("broken");
  const std::string whole = NewFile("whole");
  const Mapping outer = MapWhole(broken);
  const Mapping inner = MapWhole(whole);
  std::filesystem::resize_file(broken, 0);
  absl::Status inner_status = absl::UnknownError("did not run");
  const absl::Status outer_status = RunGuarded(outer, broken, [&] {
    inner_status = RunGuarded(inner, whole, [&] {
      SumOf(outer);
      EXPECT_EQ(SumOf(inner), static_cast<int>(kFileBytes));
      return absl::OkStatus();
    });
    return absl::OkStatus();
  });
  EXPECT_THAT(inner_status, IsOk());
  EXPECT_THAT(std::string(outer_status.message()), HasSubstr(broken));
}

TEST_F(SigbusGuard, GuardsAMappingThatBeginsWithinAPage) {
  const std::string path = NewFile("a");
  const FileSource source = *FileSource::Open(path);
  const Mapping mapping = *source.MapRange(4000, 5000);
  std::filesystem::resize_file(path, 0);
  EXPECT_FALSE(RunGuarded(mapping, path, [&] {
                 EXPECT_EQ(SumOf(mapping), 0);
                 return absl::OkStatus();
               }).ok());
}

TEST_F(SigbusGuard, RunsWorkWithoutBytesToo) {
  EXPECT_THAT(RunGuarded(Mapping(), "a", [] { return absl::OkStatus(); }),
              IsOk());
}

using SigbusGuardDeathTest = SigbusGuard;

TEST_F(SigbusGuardDeathTest, LeavesFaultsElsewhereDeadly) {
  const std::string path = NewFile("a");
  const Mapping guarded = MapWhole(NewFile("b"));
  const Mapping other = MapWhole(path);
  std::filesystem::resize_file(path, 0);
  EXPECT_DEATH((void)RunGuarded(guarded, "b",
                                [&] {
                                  volatile int sum = SumOf(other);
                                  (void)sum;
                                  return absl::OkStatus();
                                }),
               "");
}

TEST_F(SigbusGuardDeathTest, LeavesASignalThatAProcessSentDeadly) {
  const Mapping guarded = MapWhole(NewFile("b"));
  EXPECT_DEATH((void)RunGuarded(guarded, "b",
                                [] {
                                  kill(getpid(), SIGBUS);
                                  for (;;) pause();
                                  return absl::OkStatus();
                                }),
               "");
}

}  // namespace
}  // namespace hearth
