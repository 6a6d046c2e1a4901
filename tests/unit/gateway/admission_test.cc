#include "client/gateway/admission.h"

#include <gtest/gtest.h>

namespace hearth::client {
namespace {

const AdmissionRules kRules{.host_names = {"node7.lab"},
                            .token = "0123456789abcdef"};

int StatusFor(HttpHeaders headers, const AdmissionRules& rules = kRules) {
  HttpRequest request;
  request.headers = std::move(headers);
  const auto refused = Refused(request, rules);
  return refused.has_value() ? refused->status : 200;
}

TEST(Admission, LetsInWhoHasTheToken) {
  EXPECT_EQ(StatusFor({{"host", "node7.lab:8080"},
                       {"authorization", "Bearer 0123456789abcdef"}}),
            200);
  EXPECT_EQ(StatusFor({{"host", "NODE7.lab"},
                       {"authorization", "bearer  0123456789abcdef "}}),
            200);
}

TEST(Admission, RefusesEveryOtherToken) {
  for (const char* given :
       {"", "Bearer", "Bearer ", "Bearer 0123456789abcde",
        "Bearer 0123456789abcdef0", "Bearer 0123456789abcdeg",
        "Bearer 0123456789abcdef0123456789abcdef", "0123456789abcdef"}) {
    EXPECT_EQ(StatusFor({{"host", "localhost"}, {"authorization", given}}), 401)
        << given;
  }
}

TEST(Admission, KnowsItsOwnNames) {
  for (const char* host :
       {"localhost", "localhost:1", "10.0.0.1", "[::1]", "[::1]:80"}) {
    EXPECT_EQ(StatusFor({{"host", host}}, {}), 200) << host;
  }
  for (const char* host :
       {"x.example", "localhost.x", "127.0.0.1.x", "[", ":80", "node7.lab",
        "[::1]evil.example", "[::1]:80@evil.example", "[localhost]",
        "localhost:80@evil.example", "localhost:80:80"}) {
    EXPECT_EQ(StatusFor({{"host", host}}, {}), 421) << host;
  }
  EXPECT_EQ(StatusFor({}, {}), 400);
}

TEST(Admission, RefusesPagesOfOthers) {
  const auto from = [](const char* origin) {
    return StatusFor({{"host", "localhost:80"}, {"origin", origin}}, {});
  };
  EXPECT_EQ(from("http://localhost:80"), 200);
  EXPECT_EQ(from("https://localhost:80"), 200);
  for (const char* origin : {"", "null", "http://localhost", "http://x.example",
                             "localhost:80", "ftp://localhost:80"}) {
    EXPECT_EQ(from(origin), 403) << origin;
  }
}

}  // namespace
}  // namespace hearth::client
