#include "hearth/transport/security/authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hearth/base/error.h"
#include "hearth/transport/security/pem.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/security/made_credentials.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::kNow;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

CertificateFacts FactsOfPem(const std::string& pem) {
  const auto certificates = ParseCertificates(pem);
  EXPECT_THAT(certificates, IsOk());
  return FactsOf(*certificates->front());
}

TEST(MakeAuthority, IsGoodForTenYearsFromAnHourAgo) {
  const CertificateFacts facts = FactsOfPem(MakeAuthority(kNow)->certificate);
  EXPECT_EQ(facts.not_before, kNow - absl::Hours(1));
  EXPECT_EQ(facts.not_after, kNow + absl::Hours(24 * 3650));
}

TEST(MakeAuthority, MakesNoTwoAlike) {
  const auto one = MakeAuthority(kNow);
  const auto other = MakeAuthority(kNow);
  EXPECT_NE(one->key, other->key);
  EXPECT_NE(FactsOfPem(one->certificate).fingerprint,
            FactsOfPem(other->certificate).fingerprint);
}

TEST(IssueNode, WritesHostsAndAYear) {
  const auto authority = MakeAuthority(kNow);
  const auto node = IssueNode(
      *authority, {.hosts = {"node7.lab", "10.0.0.7", "fd00::7"}}, kNow);
  ASSERT_THAT(node, IsOk());
  const CertificateFacts facts = FactsOfPem(node->certificate);
  EXPECT_THAT(facts.hosts, ElementsAre("node7.lab", "10.0.0.7", "fd00::7"));
  EXPECT_EQ(facts.not_after, kNow + absl::Hours(24 * 365));
}

TEST(IssueNode, OutlivesNoAuthority) {
  const auto authority = MakeAuthority(kNow);
  const absl::Time late = kNow + absl::Hours(24 * 3649);
  const auto node = IssueNode(*authority, {}, late);
  ASSERT_THAT(node, IsOk());
  EXPECT_EQ(FactsOfPem(node->certificate).not_after,
            FactsOfPem(authority->certificate).not_after);
}

TEST(IssueNode, RefusesAnAuthorityThatHasExpired) {
  const auto authority = MakeAuthority(kNow);
  const auto node = IssueNode(*authority, {}, kNow + absl::Hours(24 * 3651));
  EXPECT_EQ(ReasonOf(node.status()), Reason::kBadCredentials);
  EXPECT_THAT(std::string(node.status().message()), HasSubstr("expired"));
}

TEST(IssueNode, RefusesAKeyOfAnotherAuthority) {
  auto authority = MakeAuthority(kNow);
  authority->key = MakeAuthority(kNow)->key;
  const auto node = IssueNode(*authority, {}, kNow);
  EXPECT_EQ(ReasonOf(node.status()), Reason::kBadCredentials);
}

// A comma would add names of the caller's choice to the certificate.
TEST(IssueNode, RefusesWhatIsNoHost) {
  const auto authority = MakeAuthority(kNow);
  for (const char* host :
       {"", "a b", "a,DNS:evil", "-x", ".x", "a/b", "10.0.0.7:80", "x\ny"}) {
    const auto node = IssueNode(*authority, {.hosts = {host}}, kNow);
    EXPECT_EQ(ReasonOf(node.status()), Reason::kBadUsage) << host;
  }
  const auto crowd = IssueNode(
      *authority, {.hosts = std::vector<std::string>(101, "x")}, kNow);
  EXPECT_EQ(ReasonOf(crowd.status()), Reason::kTooLarge);
}

}  // namespace
}  // namespace hearth
