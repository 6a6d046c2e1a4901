#include "client/launch/ssh/hosts_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "tests/support/status_matchers.h"

namespace hearth::client {
namespace {

using ::hearth::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(HostsFile, ReadsHostsInTheirOrderAndWhatTheySay) {
  const auto hosts = ParseHostsFile("lab",
                                    "# the lab\n"
                                    "head address=10.0.0.1\r\n"
                                    "\n"
                                    "  node1\tworkers=8  memory=48GiB # big\n"
                                    "me@node2#small");
  ASSERT_THAT(hosts, IsOk());
  EXPECT_THAT(
      *hosts,
      ElementsAre(HostLine{.host = "head", .address = "10.0.0.1"},
                  HostLine{.host = "node1", .workers = 8, .memory = "48GiB"},
                  HostLine{.host = "me@node2"}));
}

TEST(HostsFile, TakesWhateverSshTakesForAHost) {
  for (const char* host : {"10.0.0.1", "fe80::1%eth0", "ssh://me@h:2222",
                           "node-1.lab_2", "[::1]"}) {
    EXPECT_THAT(ParseHostsFile("lab", host), IsOk()) << host;
  }
}

TEST(HostsFile, TakesAddressesWithAndWithoutAPort) {
  for (const char* address :
       {"10.0.0.1", "10.0.0.1:7777", "head.lab", "::1", "[::1]:7777"}) {
    EXPECT_THAT(ParseHostsFile("lab", absl::StrCat("h address=", address)),
                IsOk())
        << address;
  }
}

TEST(HostsFile, RefusesALineByItsNumber) {
  for (const char* line : {"-oProxyCommand=reboot",
                           "a;b",
                           "$(b)",
                           "`b`",
                           "a'b",
                           "a\"b",
                           "a\\b",
                           "a&b",
                           "a|b",
                           "a*",
                           "a\x01",
                           "h workers",
                           "h workers=",
                           "h workers=0",
                           "h workers=-1",
                           "h workers=1025",
                           "h workers=2x",
                           "h memory=",
                           "h memory=lots",
                           "h memory=1G;b",
                           "h memory=-1",
                           "h address=",
                           "h address=-x",
                           "h address=a;b",
                           "h address=a:b",
                           "h address=a:99999",
                           "h address=[::1]:x",
                           "h color=red",
                           "h WORKERS=2",
                           "h h2"}) {
    const auto hosts = ParseHostsFile("lab", absl::StrCat("ok\n#\n", line));
    EXPECT_EQ(ReasonOf(hosts.status()), Reason::kBadUsage) << line;
    EXPECT_THAT(std::string(hosts.status().message()),
                HasSubstr("read hosts: lab, line 3: "))
        << line;
  }
}

TEST(HostsFile, RefusesAHostTwiceNamingBothLines) {
  const auto hosts = ParseHostsFile("lab", "a\nb\na workers=2\n");
  EXPECT_THAT(std::string(hosts.status().message()),
              HasSubstr("line 3: a stands in line 1 already"));
}

TEST(HostsFile, RefusesAFileWithoutAHost) {
  EXPECT_EQ(ReasonOf(ParseHostsFile("lab", "# none\n\n").status()),
            Reason::kBadUsage);
}

TEST(HostsFile, HasALimit) {
  std::string text;
  for (std::size_t i = 0; i <= limits::kLaunchHostsMax; ++i) {
    absl::StrAppend(&text, "h", i, "\n");
  }
  EXPECT_EQ(ReasonOf(ParseHostsFile("lab", text).status()), Reason::kBadUsage);
}

}  // namespace
}  // namespace hearth::client
