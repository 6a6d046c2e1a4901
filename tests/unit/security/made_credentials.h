// Credentials for tests, made at a time that tests name.
#pragma once

#include <gtest/gtest.h>

#include "absl/time/time.h"
#include "hearth/transport/security/authority.h"
#include "hearth/transport/security/credentials.h"

namespace hearth::testing {

// Not today, so that a look at the real clock would be found out.
inline const absl::Time kNow = absl::FromCivil(
    absl::CivilSecond(2031, 5, 4, 3, 2, 1), absl::UTCTimeZone());

// One node's, of `authority`; valid from an hour before `from`.
inline Credentials MadeCredentials(const KeyedCertificate& authority,
                                   absl::Time from = kNow) {
  const auto node = IssueNode(authority, {}, from);
  EXPECT_TRUE(node.ok()) << node.status();
  return {.directory = "d",
          .authority = authority.certificate,
          .certificate = node->certificate,
          .key = node->key};
}

inline KeyedCertificate MadeAuthority(absl::Time from = kNow) {
  const auto authority = MakeAuthority(from);
  EXPECT_TRUE(authority.ok()) << authority.status();
  return *authority;
}

}  // namespace hearth::testing
