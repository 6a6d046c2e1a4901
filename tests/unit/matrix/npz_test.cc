#include "hearth/matrix/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/little_endian.h"
#include "hearth/base/status.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/matrix/npy_goldens.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::testing::HasSubstr;
using ::testing::Not;

// A file of which only some bytes were ever written; the others are zero.
class SparseFile {
 public:
  void Append(absl::string_view bytes) {
    pieces_[bytes_] = std::string(bytes);
    bytes_ += static_cast<std::int64_t>(bytes.size());
  }
  void Skip(std::int64_t bytes) { bytes_ += bytes; }

  std::int64_t bytes() const { return bytes_; }

  absl::Status Read(std::int64_t offset, std::span<std::byte> into) const {
    const auto size = static_cast<std::int64_t>(into.size());
    EXPECT_GE(offset, 0);
    EXPECT_LE(offset, bytes_ - size) << "read past the end of the file";
    std::fill(into.begin(), into.end(), std::byte{0});
    for (const auto& [begin, piece] : pieces_) {
      const auto end = begin + static_cast<std::int64_t>(piece.size());
      const std::int64_t first = std::max(begin, offset);
      const std::int64_t last = std::min(end, offset + size);
      if (first >= last) continue;
      std::memcpy(into.data() + (first - offset),
                  piece.data() + (first - begin),
                  static_cast<std::size_t>(last - first));
    }
    return absl::OkStatus();
  }

 private:
  std::map<std::int64_t, std::string> pieces_;
  std::int64_t bytes_ = 0;
};

SparseFile FileOf(absl::string_view bytes) {
  SparseFile file;
  file.Append(bytes);
  return file;
}

absl::StatusOr<NpzRange> Find(const SparseFile& file,
                              absl::string_view member) {
  return FindNpzMember("x.npz", file.bytes(), member,
                       [&](std::int64_t offset, std::span<std::byte> into) {
                         return file.Read(offset, into);
                       });
}

absl::StatusOr<NpyHeader> FindArray(const SparseFile& file,
                                    absl::string_view member) {
  return FindNpzArray("x.npz", file.bytes(), member,
                      [&](std::int64_t offset, std::span<std::byte> into) {
                        return file.Read(offset, into);
                      });
}

template <std::size_t n>
absl::string_view Literal(const char (&bytes)[n]) {
  return absl::string_view(bytes, n - 1);
}

// np.savez(f, w=np.arange(3.0), b=np.zeros((), '>i2')), NumPy 1.24.
std::string Golden() {
  return absl::StrCat(
      Literal("PK\003\004\024\000\000\000\000\000\000\000!\000$!\341+"
              "\230\000\000\000\230\000\000\000\005\000\024\000w."
              "npy\001\000\020\000\230\000\000\000\000\000\000\000\230\000\000"
              "\000\000\000\000\000"),
      testing::ThreeFloats(),
      Literal("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\360\077\0\0\0\0\0\0\0\100"),
      Literal("PK\003\004\024\000\000\000\000\000\000\000!\000<"
              "\323\001w\202\000\000\000\202\000\000\000\005\000\024\000b."
              "npy\001\000\020\000\202\000\000\000\000\000\000\000\202\000\000"
              "\000\000\000\000\000"),
      testing::ForeignScalar(), Literal("\0\0"),
      Literal("PK\001\002\024\003\024\000\000\000\000\000\000\000!\000$!\341+"
              "\230\000\000\000\230\000\000\000\005\000\000\000\000\000\000\000"
              "\000\000\000\000\200\001\000\000\000\000w."
              "npyPK\001\002\024\003\024\000\000\000\000\000\000\000!\000<"
              "\323\001w\202\000\000\000\202\000\000\000\005\000\000\000\000"
              "\000\000\000\000\000\000\000\200\001\317\000\000\000b."
              "npyPK\005\006\000\000\000\000\002\000\002\000f\000\000\000\210"
              "\001\000\000\000\000"));
}

constexpr std::size_t kDirectory = 392;

MatrixLayout Float64(Shape shape) {
  return *MatrixLayout::Make(ElementType::kFloat64, ByteOrder::kNative,
                             Order::kC, std::move(shape));
}

void ExpectRefused(const absl::Status& status, Reason reason,
                   const std::string& finding) {
  EXPECT_EQ(ReasonOf(status), reason);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"x.npz\""));
  EXPECT_THAT(std::string(status.message()), HasSubstr(finding));
}

TEST(FindNpzMember, FindsWhatNumPyStored) {
  const SparseFile file = FileOf(Golden());
  EXPECT_EQ(*Find(file, "w"), (NpzRange{55, 152}));
  EXPECT_EQ(*Find(file, "w.npy"), (NpzRange{55, 152}));
  EXPECT_EQ(*Find(file, "b"), (NpzRange{262, 130}));
}

TEST(FindNpzArray, CountsThePayloadFromTheStartOfTheFile) {
  const auto header = FindArray(FileOf(Golden()), "w");
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(header->layout, Float64({3}));
  EXPECT_EQ(header->payload_offset, 55 + 128);
}

TEST(FindNpzArray, NamesTheMemberWhoseHeaderIsDamaged) {
  std::string bytes = Golden();
  bytes[55] = 'x';
  const auto header = FindArray(FileOf(bytes), "w");
  EXPECT_THAT(std::string(header.status().message()),
              HasSubstr("read \"x.npz:w\": its magic field"));
}

TEST(FindNpzMember, ListsTheMembersWhereOneIsMissing) {
  ExpectRefused(Find(FileOf(Golden()), "v").status(), Reason::kFileMissing,
                "name one of \"w\", \"b\"");
  NpzWriter empty;
  ExpectRefused(Find(FileOf(empty.Finish()), "v").status(),
                Reason::kFileMissing, "the archive is empty");
}

TEST(FindNpzMember, AsksForSavezWhereAMemberIsCompressed) {
  std::string bytes = Golden();
  bytes[kDirectory + 10] = 8;  // deflated
  ExpectRefused(Find(FileOf(bytes), "w").status(), Reason::kBadFile,
                "compressed, and only stored ones are read, with --copy, too; "
                "save it with np.savez, not np.savez_compressed");
  EXPECT_THAT(Find(FileOf(bytes), "b"), IsOk());
}

TEST(FindNpzMember, RefusesAnEncryptedMember) {
  std::string bytes = Golden();
  bytes[kDirectory + 8] = 1;
  ExpectRefused(Find(FileOf(bytes), "w").status(), Reason::kBadFile,
                "is encrypted");
}

TEST(FindNpzMember, LooksBehindACommentForTheDirectory) {
  std::string bytes = Golden();
  const std::string comment = absl::StrCat("PK\x05\x06", std::string(200, '!'));
  bytes.resize(bytes.size() - 2);
  AppendLittleEndian(bytes, static_cast<std::uint16_t>(comment.size()));
  EXPECT_EQ(*Find(FileOf(bytes + comment), "w"), (NpzRange{55, 152}));
}

TEST(FindNpzMember, TakesTheLastOfTwoMembersOfOneNameAsPythonDoes) {
  std::string bytes = Golden();
  bytes[bytes.size() - 22 - 5] = 'w';
  EXPECT_EQ(*Find(FileOf(bytes), "w"), (NpzRange{262, 130}));
}

TEST(FindNpzMember, RefusesWhatIsNoArchive) {
  for (const std::string& bytes :
       {std::string(), std::string("PK\x05\x06"), std::string(100'000, 'P'),
        testing::ThreeFloats()}) {
    ExpectRefused(Find(FileOf(bytes), "w").status(), Reason::kBadFile,
                  "it has no zip directory at its end");
  }
}

TEST(FindNpzMember, RefusesADirectoryPastTheLimitWithoutReadingIt) {
  SparseFile file;
  file.Skip(std::int64_t{1} << 31);
  std::string end = absl::StrCat("PK\x05\x06", Literal("\0\0\0\0\x01\0\x01\0"));
  AppendLittleEndian(end, std::uint32_t{1} << 30);
  AppendLittleEndian(end, std::uint32_t{0});
  AppendLittleEndian(end, std::uint16_t{0});
  file.Append(end);
  ExpectRefused(Find(file, "w").status(), Reason::kTooLarge,
                "its zip directory has 1073741824 bytes");
}

TEST(FindNpzMember, PassesOnWhyTheFileCouldNotBeRead) {
  const auto range =
      FindNpzMember("x.npz", 1000, "w", [](std::int64_t, std::span<std::byte>) {
        return Error(Reason::kFileChanged, "truncated");
      });
  EXPECT_EQ(ReasonOf(range.status()), Reason::kFileChanged);
}

// Any byte of an archive may be hostile; SparseFile fails the test when it is
// asked for bytes that the file does not have.
TEST(FindNpzArray, SurvivesEveryValueOfEveryByteAndEveryTruncation) {
  const std::string golden = Golden();
  const auto survives = [](const std::string& bytes) {
    const SparseFile file = FileOf(bytes);
    for (const char* member : {"w", "b"}) {
      const auto header = FindArray(file, member);
      if (!header.ok()) {
        EXPECT_THAT(header.status().message(), Not(HasSubstr("lay out")));
        continue;
      }
      ASSERT_LE(header->payload_offset + header->layout.bytes(), file.bytes());
    }
  };
  std::string bytes = golden;
  for (std::size_t i = 0; i < golden.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      bytes[i] = static_cast<char>(value);
      survives(bytes);
      if (HasFailure()) FAIL() << "byte " << i << " is " << value;
    }
    bytes[i] = golden[i];
  }
  for (std::size_t size = 0; size < golden.size(); ++size) {
    survives(golden.substr(0, size));
    survives(golden.substr(size));
  }
}

TEST(NpzWriter, WritesArraysThatAreFoundAgainAlignedForTheirReaders) {
  const std::string payload(24, '\x2a');
  const std::uint32_t crc = Crc32(std::as_bytes(std::span(payload)));
  NpzWriter writer;
  SparseFile file;
  for (const char* name : {"counts", "edges", "grün"}) {
    const auto head = writer.BeginArray(name, Float64({3}), crc);
    ASSERT_THAT(head, IsOk());
    file.Append(*head);
    file.Append(payload);
  }
  file.Append(writer.Finish());
  for (const char* name : {"counts", "edges", "grün"}) {
    const auto header = FindArray(file, name);
    ASSERT_THAT(header, IsOk());
    EXPECT_EQ(header->layout, Float64({3}));
    EXPECT_EQ(header->payload_offset % 64, 0);
    std::string read(24, '\0');
    ASSERT_THAT(file.Read(header->payload_offset,
                          std::as_writable_bytes(std::span(read))),
                IsOk());
    EXPECT_EQ(read, payload);
  }
}

TEST(NpzWriter, GivesTheChecksumThatNumPyGave) {
  const std::string payload(
      Literal("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\360\077\0\0\0\0\0\0\0\100"));
  NpzWriter writer;
  const auto head = writer.BeginArray("w", Float64({3}),
                                      Crc32(std::as_bytes(std::span(payload))));
  ASSERT_THAT(head, IsOk());
  constexpr std::size_t kCrc = 14;
  EXPECT_EQ(head->substr(kCrc, 4), Golden().substr(kCrc, 4));
}

TEST(NpzWriter, UsesZip64WhereAnArrayOrAnOffsetPasses4GiB) {
  constexpr std::int64_t kRows = 640 << 20;  // 5 GiB
  NpzWriter writer;
  SparseFile file;
  const auto append = [&](const char* name, const MatrixLayout& layout) {
    file.Append(*writer.BeginArray(name, layout, 0));
    file.Skip(layout.bytes());
  };
  append("large", Float64({kRows}));
  append("behind", Float64({7}));
  append("larger", Float64({2, kRows}));
  file.Append(writer.Finish());

  EXPECT_EQ(FindArray(file, "large")->layout, Float64({kRows}));
  EXPECT_EQ(FindArray(file, "behind")->layout, Float64({7}));
  EXPECT_GT(FindArray(file, "behind")->payload_offset, 5 * limits::kGiB);
  EXPECT_EQ(FindArray(file, "larger")->layout, Float64({2, kRows}));
  EXPECT_EQ(Find(file, "larger")->bytes, 128 + 10 * limits::kGiB);
}

TEST(FindNpzArray, SurvivesDamageToAZip64Directory) {
  NpzWriter writer;
  SparseFile arrays;
  for (const char* name : {"large", "behind"}) {
    const MatrixLayout layout = Float64({640 << 20});
    arrays.Append(*writer.BeginArray(name, layout, 0));
    arrays.Skip(layout.bytes());
  }
  std::string directory = writer.Finish();
  for (char& byte : directory) {
    const char before = byte;
    for (const int value : {0, 1, 0x10, 0x7f, 0x80, 0xff}) {
      byte = static_cast<char>(value);
      SparseFile file = arrays;
      file.Append(directory);
      const auto header = FindArray(file, "behind");
      if (!header.ok()) continue;
      EXPECT_LE(header->payload_offset + header->layout.bytes(), file.bytes());
    }
    byte = before;
  }
}

TEST(NpzWriter, RefusesNamesThatAreEmptyLongOrTaken) {
  NpzWriter writer;
  ASSERT_THAT(writer.BeginArray("a", Float64({3}), 0), IsOk());
  for (const std::string& name :
       {std::string("a"), std::string(), std::string(129, 'n')}) {
    EXPECT_EQ(ReasonOf(writer.BeginArray(name, Float64({3}), 0).status()),
              Reason::kBadUsage);
  }
}

TEST(NpzWriter, RefusesAnArchiveOf63Bits) {
  NpzWriter writer;
  const MatrixLayout half = Float64({std::int64_t{1} << 59});
  ASSERT_THAT(writer.BeginArray("a", half, 0), IsOk());
  EXPECT_EQ(ReasonOf(writer.BeginArray("b", half, 0).status()),
            Reason::kBadUsage);
}

TEST(Crc32, ContinuesFromTheBytesBefore) {
  const std::string text = "123456789";
  const auto bytes = std::as_bytes(std::span(text));
  EXPECT_EQ(Crc32(bytes), 0xCBF43926u);
  EXPECT_EQ(Crc32(bytes.subspan(4), Crc32(bytes.first(4))), 0xCBF43926u);
}

}  // namespace
}  // namespace hearth
