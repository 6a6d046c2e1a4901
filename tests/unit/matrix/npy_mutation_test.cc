// Damaged headers: whatever the bytes, an error that names the file, or a
// layout whose bytes are there. Run under ASan and UBSan, it is a small fuzzer
// that always tries the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "hearth/base/error.h"
#include "hearth/matrix/npy.h"
#include "tests/unit/matrix/npy_goldens.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kPayloadBytes = 96;  // what the largest golden needs

void ExpectErrorOrValidLayout(const std::string& head,
                              std::int64_t file_bytes) {
  // A heap copy of just these bytes, so that ASan sees a read past the end.
  const auto copy = std::make_unique<std::byte[]>(head.size());
  std::memcpy(copy.get(), head.data(), head.size());
  const auto parsed =
      ParseNpyHeader({copy.get(), head.size()}, file_bytes, "x.npy");
  if (!parsed.ok()) {
    const Reason reason = ReasonOf(parsed.status());
    ASSERT_TRUE(reason == Reason::kBadFile || reason == Reason::kTooLarge);
    ASSERT_THAT(std::string(parsed.status().message()),
                HasSubstr("read \"x.npy\": "));
    ASSERT_LT(parsed.status().message().size(), 1000u);
    return;
  }
  ASSERT_GE(parsed->payload_offset, 10);
  ASSERT_GE(parsed->layout.bytes(), 0);
  ASSERT_LE(parsed->layout.bytes(), file_bytes - parsed->payload_offset);
  const auto again = FormatNpyHeader(parsed->layout);
  ASSERT_TRUE(again.ok()) << again.status();
}

TEST(ParseNpyHeader, SurvivesEveryValueOfEveryByte) {
  for (const std::string& golden : testing::AllGoldenNpys()) {
    std::string head = golden;
    for (std::size_t i = 0; i < head.size(); ++i) {
      for (int value = 0; value < 256; ++value) {
        head[i] = static_cast<char>(value);
        ExpectErrorOrValidLayout(
            head, static_cast<std::int64_t>(head.size()) + kPayloadBytes);
        if (HasFatalFailure()) FAIL() << "byte " << i << " is " << value;
      }
      head[i] = golden[i];
    }
  }
}

TEST(ParseNpyHeader, SurvivesEveryTruncation) {
  for (const std::string& golden : testing::AllGoldenNpys()) {
    for (std::size_t size = 0; size <= golden.size(); ++size) {
      const auto bytes = static_cast<std::int64_t>(size);
      ExpectErrorOrValidLayout(golden.substr(0, size), bytes);
      // And where the caller read less than there is.
      ExpectErrorOrValidLayout(golden.substr(0, size), bytes + 1000);
    }
  }
}

TEST(ParseNpyHeader, SurvivesManyRandomEdits) {
  std::mt19937_64 random(19910220);
  const std::string alphabet = "{}()[],:'\" \\\n-0123456789L<>|=fbiucOVTrueFls";
  for (int round = 0; round < 50'000; ++round) {
    std::string head =
        testing::AllGoldenNpys()[static_cast<std::size_t>(random() % 5)];
    const auto edits = 1 + random() % 6;
    for (std::uint64_t edit = 0; edit < edits && head.size() > 12; ++edit) {
      const std::size_t at = 10 + random() % (head.size() - 10);
      const char letter = alphabet[random() % alphabet.size()];
      switch (random() % 3) {
        case 0:
          head[at] = letter;
          break;
        case 1:
          head.insert(at, 1 + random() % 20, letter);
          break;
        default:
          head.erase(at, 1 + random() % 8);
      }
    }
    ExpectErrorOrValidLayout(
        head, static_cast<std::int64_t>(head.size()) + kPayloadBytes);
    if (HasFatalFailure()) FAIL() << head;
  }
}

}  // namespace
}  // namespace hearth
