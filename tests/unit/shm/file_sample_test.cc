#include "hearth/shm/file_sample.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/shm/temporary_folder.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::TemporaryFolder;
using ::testing::HasSubstr;

constexpr std::uint64_t kSeed = 42;

std::string Text(std::size_t bytes) {
  std::string text(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>(i * 2654435761U >> 13);
  }
  return text;
}

FileSource Opened(const std::string& path) {
  auto file = FileSource::Open(path);
  EXPECT_THAT(file, IsOk());
  return *std::move(file);
}

// As it would be known by where another device has it.
FileIdentity Elsewhere(FileIdentity identity) {
  ++identity.device;
  ++identity.inode;
  return identity;
}

TEST(FileSample, TellsTheSameFileOnAnotherHost) {
  const TemporaryFolder folder;
  for (const std::size_t bytes : {0UL, 1UL, 4096UL, 262144UL, 1234567UL}) {
    const FileSource file = Opened(folder.Write("a", Text(bytes)));
    const auto sample = SampleOf(file, kSeed);
    ASSERT_THAT(sample, IsOk());
    EXPECT_LE(sample->checksums.size(), 64U);
    if (bytes == 0) continue;  // nothing to tell it by
    const auto here = Recognize(file, Elsewhere(file.identity()), *sample);
    ASSERT_THAT(here, IsOk());
    EXPECT_EQ(*here, file.identity());
  }
}

TEST(FileSample, TellsAnotherFileOfTheSameSizeAndTime) {
  const TemporaryFolder folder;
  const FileSource file = Opened(folder.Write("a", Text(100'000)));
  const auto sample = SampleOf(file, kSeed);
  for (const std::size_t at : {0UL, 50'000UL, 99'999UL}) {
    std::string other = Text(100'000);
    other[at] ^= 1;
    const FileSource found = Opened(folder.Write("b", other));
    FileIdentity published = Elsewhere(found.identity());
    const auto here = Recognize(found, published, *sample);
    ASSERT_FALSE(here.ok());
    EXPECT_EQ(ReasonOf(here.status()), Reason::kFileChanged);
    EXPECT_THAT(std::string(here.status().message()),
                HasSubstr("publish what all hosts see"));
  }
}

TEST(FileSample, WantsTheVeryFileOnTheDeviceWhereItWasPublished) {
  const TemporaryFolder folder;
  const FileSource file = Opened(folder.Write("a", Text(5000)));
  const auto sample = SampleOf(file, kSeed);
  FileIdentity replaced = file.identity();
  ++replaced.inode;
  EXPECT_EQ(ReasonOf(Recognize(file, replaced, *sample).status()),
            Reason::kFileChanged);
}

TEST(FileSample, WantsSizeAndTimeToBeTheSame) {
  const TemporaryFolder folder;
  const FileSource file = Opened(folder.Write("a", Text(5000)));
  const auto sample = SampleOf(file, kSeed);
  FileIdentity longer = Elsewhere(file.identity());
  ++longer.bytes;
  EXPECT_FALSE(Recognize(file, longer, *sample).ok());
  FileIdentity older = Elsewhere(file.identity());
  --older.modified_ns;
  EXPECT_FALSE(Recognize(file, older, *sample).ok());
}

TEST(FileSample, OfAnotherLengthIsNoSample) {
  const TemporaryFolder folder;
  const FileSource file = Opened(folder.Write("a", Text(50'000)));
  auto sample = SampleOf(file, kSeed);
  sample->checksums.pop_back();
  EXPECT_EQ(
      ReasonOf(Recognize(file, Elsewhere(file.identity()), *sample).status()),
      Reason::kBadUsage);
}

TEST(FileSample, ChoosesOtherBlocksByAnotherSeed) {
  const TemporaryFolder folder;
  const FileSource file = Opened(folder.Write("a", Text(4 << 20)));
  EXPECT_NE(SampleOf(file, 1)->checksums, SampleOf(file, 2)->checksums);
  EXPECT_EQ(SampleOf(file, 1)->checksums, SampleOf(file, 1)->checksums);
}

}  // namespace
}  // namespace hearth
