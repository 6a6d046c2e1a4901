#include "hearth/transport/security/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "hearth/base/error.h"
#include "hearth/transport/security/issuing.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/security/made_credentials.h"
#include "tests/unit/security/temporary_directory.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::kNow;
using ::hearth::testing::MadeAuthority;
using ::hearth::testing::MadeCredentials;
using ::hearth::testing::TemporaryDirectory;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string MessageOf(const absl::Status& status) {
  return std::string(status.message());
}

// --------------------------------------------------------------
// CheckCredentials

TEST(CheckCredentials, TakesWhatItsAuthorityIssued) {
  EXPECT_THAT(CheckCredentials(MadeCredentials(MadeAuthority()), kNow), IsOk());
}

TEST(CheckCredentials, TakesAnyOfSeveralAuthorities) {
  // While a cluster changes from one authority to the next, nodes believe both.
  Credentials credentials = MadeCredentials(MadeAuthority());
  credentials.authority = MadeAuthority().certificate + credentials.authority;
  EXPECT_THAT(CheckCredentials(credentials, kNow), IsOk());
}

struct Damage {
  const char* name;
  std::function<void(Credentials&)> harm;
  const char* file;
  const char* finding;
};

class DamagedCredentials : public ::testing::TestWithParam<Damage> {};

TEST_P(DamagedCredentials, AreRefusedByNameAndFinding) {
  Credentials credentials = MadeCredentials(MadeAuthority());
  GetParam().harm(credentials);
  const absl::Status status = CheckCredentials(credentials, kNow);
  EXPECT_EQ(ReasonOf(status), Reason::kBadCredentials);
  EXPECT_THAT(MessageOf(status),
              AllOf(HasSubstr(GetParam().file), HasSubstr(GetParam().finding)));
  EXPECT_EQ(MessageOf(status).find("PRIVATE"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    , DamagedCredentials,
    ::testing::Values(
        Damage{"EmptyAuthority", [](Credentials& c) { c.authority = ""; },
               "d/ca.pem", "holds no certificate"},
        Damage{"GarbageCertificate",
               [](Credentials& c) { c.certificate = "\x01\x02garbage"; },
               "d/node.pem", "holds no certificate"},
        Damage{
            "DamagedCertificate",
            [](Credentials& c) { c.certificate.replace(200, 9, "AAAAAAAAA"); },
            "d/node.pem", ""},
        Damage{"CutCertificate",
               [](Credentials& c) { c.certificate.resize(300); }, "d/node.pem",
               "damaged"},
        Damage{"GarbageKey", [](Credentials& c) { c.key = "no key"; },
               "d/node.key", "no private key"},
        Damage{"KeyInPlaceOfCertificate",
               [](Credentials& c) { c.certificate = c.key; }, "d/node.pem",
               "holds no certificate"},
        Damage{"KeyOfAnother",
               [](Credentials& c) {
                 c.key = MadeCredentials(MadeAuthority()).key;
               },
               "d/node.key", "not the key of node.pem"},
        Damage{
            "ForeignAuthority",
            [](Credentials& c) { c.authority = MadeAuthority().certificate; },
            "d/node.pem", "not signed by the ca.pem beside it"},
        Damage{"AuthorityAsNode",
               [](Credentials& c) {
                 const KeyedCertificate authority = MadeAuthority();
                 c.authority = c.certificate = authority.certificate;
                 c.key = authority.key;
               },
               "d/node.pem", "lacks the name hearth-cluster"},
        Damage{"HugeFile",
               [](Credentials& c) { c.authority = std::string(100'000, 'x'); },
               "d/ca.pem", "too long"}),
    [](const auto& damage) { return damage.param.name; });

TEST(CheckCredentials, RefusesAKeyLockedWithAPasswordWithoutAskingForIt) {
  Credentials credentials = MadeCredentials(MadeAuthority());
  // openssl ec -aes128 -passout pass:x
  credentials.key =
      "-----BEGIN EC PRIVATE KEY-----\n"
      "Proc-Type: 4,ENCRYPTED\n"
      "DEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n"
      "\n"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
      "-----END EC PRIVATE KEY-----\n";
  EXPECT_THAT(MessageOf(CheckCredentials(credentials, kNow)),
              HasSubstr("locked with a password"));
}

TEST(CheckCredentials, RefusesWhatHasExpired) {
  const Credentials credentials = MadeCredentials(MadeAuthority());
  const absl::Time later = kNow + absl::Hours(24 * 366);
  const absl::Status status = CheckCredentials(credentials, later);
  EXPECT_EQ(ReasonOf(status), Reason::kBadCredentials);
  EXPECT_THAT(MessageOf(status),
              AllOf(HasSubstr("d/node.pem"), HasSubstr("expired on 2032")));
}

TEST(CheckCredentials, RefusesWhatIsNotValidYet) {
  const KeyedCertificate authority = MadeAuthority();
  const Credentials credentials =
      MadeCredentials(authority, kNow + absl::Hours(48));
  EXPECT_THAT(MessageOf(CheckCredentials(credentials, kNow)),
              HasSubstr("not valid before"));
}

TEST(CheckCredentials, RefusesAnAuthorityThatHasExpired) {
  const Credentials credentials = MadeCredentials(MadeAuthority());
  EXPECT_THAT(
      MessageOf(CheckCredentials(credentials, kNow + absl::Hours(24 * 3660))),
      AllOf(HasSubstr("d/ca.pem"), HasSubstr("expired on 2041")));
}

// Whatever the bytes: OK or a sentence. Under ASan and UBSan, a small fuzzer
// that always tries the same.
TEST(CheckCredentials, SurvivesManyRandomEdits) {
  const Credentials good = MadeCredentials(MadeAuthority());
  std::mt19937_64 random(19780406);
  int refused = 0;
  constexpr int kRounds = 3000;
  for (int round = 0; round < kRounds; ++round) {
    Credentials edited = good;
    std::string& text = round % 3 == 0   ? edited.authority
                        : round % 3 == 1 ? edited.certificate
                                         : edited.key;
    const auto edits = 1 + random() % 4;
    for (std::uint64_t edit = 0; edit < edits && !text.empty(); ++edit) {
      const std::size_t at = random() % text.size();
      switch (random() % 5) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.insert(at, 1 + random() % 100, static_cast<char>(random()));
          break;
        case 2:
          text.erase(at, 1 + random() % 80);
          break;
        case 3:
          text.resize(at);
          break;
        default:
          text.insert(at, text.substr(0, random() % text.size()));
      }
    }
    const absl::Status status = CheckCredentials(edited, kNow);
    if (status.ok()) continue;  // behind the end, or in a line nobody reads
    ++refused;
    ASSERT_EQ(ReasonOf(status), Reason::kBadCredentials) << status;
    ASSERT_THAT(MessageOf(status), HasSubstr("use \"d/"));
    ASSERT_LT(status.message().size(), 400u) << status;
  }
  EXPECT_GT(refused, kRounds / 2);
}

// ---------------------------------------------------------------
// ReadCredentials

class ReadCredentialsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(MakeCluster(Path(), {.now = kNow}), IsOk());
  }
  std::string Path(const std::string& file = "") {
    return directory_.path() + "/tls" + (file.empty() ? "" : "/" + file);
  }
  absl::Status Read() { return ReadCredentials(Path(), kNow).status(); }

  TemporaryDirectory directory_;
};

TEST_F(ReadCredentialsTest, TakesWhatInitMade) { EXPECT_THAT(Read(), IsOk()); }

TEST_F(ReadCredentialsTest, NamesADirectoryThatIsNotThere) {
  const absl::Status status = ReadCredentials(Path() + "-none", kNow).status();
  EXPECT_EQ(ReasonOf(status), Reason::kFileMissing);
  EXPECT_THAT(
      MessageOf(status),
      AllOf(HasSubstr("tls-none"), HasSubstr("no such directory"),
            HasSubstr("hearth security init"), HasSubstr("--insecure")));
}

TEST_F(ReadCredentialsTest, NamesAFileThatIsNotThere) {
  for (const char* file : {"ca.pem", "node.pem", "node.key"}) {
    std::filesystem::rename(Path(file), Path("away"));
    const absl::Status status = Read();
    EXPECT_EQ(ReasonOf(status), Reason::kFileMissing);
    EXPECT_THAT(MessageOf(status),
                AllOf(HasSubstr(file), HasSubstr("no such file")));
    std::filesystem::rename(Path("away"), Path(file));
  }
}

TEST_F(ReadCredentialsTest, NeedsNoAuthorityKey) {
  std::filesystem::remove(Path("ca.key"));
  EXPECT_THAT(Read(), IsOk());
}

TEST_F(ReadCredentialsTest, RefusesAKeyThatOthersMayRead) {
  for (const mode_t mode : {0644, 0640, 0604, 0660}) {
    ASSERT_EQ(chmod(Path("node.key").c_str(), mode), 0);
    const absl::Status status = Read();
    EXPECT_EQ(ReasonOf(status), Reason::kNotAllowed) << mode;
    EXPECT_THAT(MessageOf(status),
                AllOf(HasSubstr("node.key"), HasSubstr("chmod 600")));
  }
  ASSERT_EQ(chmod(Path("node.key").c_str(), 0400), 0);
  EXPECT_THAT(Read(), IsOk());
}

TEST_F(ReadCredentialsTest, RefusesAnAuthorityThatAnybodyMayWrite) {
  ASSERT_EQ(chmod(Path("ca.pem").c_str(), 0666), 0);
  const absl::Status status = Read();
  EXPECT_EQ(ReasonOf(status), Reason::kNotAllowed);
  EXPECT_THAT(MessageOf(status),
              AllOf(HasSubstr("ca.pem"), HasSubstr("chmod 644")));
}

TEST_F(ReadCredentialsTest, RefusesWhatMayNotBeRead) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
  ASSERT_EQ(chmod(Path("node.pem").c_str(), 0), 0);
  EXPECT_THAT(MessageOf(Read()),
              AllOf(HasSubstr("node.pem"), HasSubstr("Permission denied")));
}

TEST_F(ReadCredentialsTest, SaysWhatTheKernelSays) {
  std::filesystem::remove(Path("node.pem"));
  std::filesystem::create_symlink("node.pem", Path("node.pem"));
  const absl::Status status = Read();
  EXPECT_EQ(ReasonOf(status), Reason::kFileMissing);
  EXPECT_THAT(MessageOf(status),
              AllOf(HasSubstr("node.pem"), HasSubstr("symbolic links")));
}

TEST_F(ReadCredentialsTest, HangsOnNoPipe) {
  std::filesystem::remove(Path("node.pem"));
  ASSERT_EQ(mkfifo(Path("node.pem").c_str(), 0600), 0);
  EXPECT_THAT(MessageOf(Read()), HasSubstr("not a regular file"));
}

TEST_F(ReadCredentialsTest, BoundsWhatItReads) {
  std::ofstream(Path("ca.pem")) << std::string(1 << 20, 'x');
  EXPECT_THAT(MessageOf(Read()), HasSubstr("longer than"));
}

}  // namespace
}  // namespace hearth
