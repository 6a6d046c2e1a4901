#include "hearth/transport/handover/ticket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>

#include "hearth/base/error.h"
#include "hearth/transport/handover/ancestors.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::testing::HasSubstr;

TEST(TicketText, IsUnder200BytesWhateverItStandsFor) {
  TicketText ticket{Id::Random(), Id::Random(),
                    std::numeric_limits<std::uint64_t>::max(),
                    std::string(500, 'x')};
  const std::string text = ticket.ToString();
  EXPECT_LT(text.size(), 200u);
  const auto parsed = TicketText::Parse(text);
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->ticket, ticket.ticket);
  EXPECT_EQ(parsed->bytes, ticket.bytes);
}

TEST(TicketText, StaysOneWordWhateverItsLabelSays) {
  const TicketText ticket{Id::Random(), Id::Random(), 1, "f8 [1:2]\n\xff"};
  EXPECT_THAT(ticket.ToString(), HasSubstr(":f8_[1_2]__"));
  EXPECT_THAT(TicketText::Parse(ticket.ToString()), IsOk());
}

TEST(TicketText, TellsWhereTheSegmentLiesWhereThereIsRoom) {
  TicketText ticket{Id::Random(), Id::Random(), 4096, "float64[512]",
                    Whereabouts{4711, 5, 1234, std::string("\x08\x0c", 2)}};
  EXPECT_THAT(ticket.ToString(), HasSubstr(":float64[512]:4711.5.1234.080c"));
  EXPECT_EQ(*TicketText::Parse(ticket.ToString()), ticket);
  ticket.where->note = std::string(60, 'x');
  EXPECT_LT(ticket.ToString().size(), 200u);
  EXPECT_EQ(TicketText::Parse(ticket.ToString())->where, std::nullopt);
}

TEST(TicketText, RefusesOtherTexts) {
  const std::string good =
      TicketText{Id::Random(), Id::Random(), 1, "x"}.ToString();
  for (const std::string& text :
       {std::string(), std::string("hearth1"), good + ":more", good + ":",
        good + ":1.2.3", good + ":-1.2.3.", good + ":01.2.3.",
        good + ":1.2.3.0", good + ":1.2.3.0A", good + ":1.2.3.4:5", "x" + good,
        good.substr(0, 40), std::string("hearth2") + good.substr(7)}) {
    EXPECT_EQ(ReasonOf(TicketText::Parse(text).status()), Reason::kBadUsage)
        << text;
  }
}

TEST(TicketOffice, SaysWhatToSetWhenThereIsNoHearthToStart) {
  TicketOffice office({.program = "/nonexistent/hearth"});
  const auto text = office.HandOut(0, {.bytes = 1});
  EXPECT_EQ(ReasonOf(text.status()), Reason::kFileMissing);
  EXPECT_THAT(text.status().message(), HasSubstr("HEARTH_BINARY"));
}

TEST(TicketOffice, SaysThatTheBytesAreGoneWhenTheirKeeperIs) {
  TicketOffice office({.program = "unused"});
  const auto opened =
      office.Open(TicketText{Id::Random(), Id::Random(), 8, ""}.ToString());
  EXPECT_EQ(ReasonOf(opened.status()), Reason::kSegmentGone);
  EXPECT_THAT(opened.status().message(), HasSubstr("share it again"));
}

TEST(Ancestors, CountAForkingParentAndItsParent) {
  const pid_t grandparent = getpid();
  const pid_t parent = fork();
  if (parent == 0) {
    const pid_t self = getpid();
    const pid_t child = fork();
    if (child == 0) {
      const auto ancestors = LivingAncestors();
      const bool right = ancestors.size() >= 2 && ancestors[0].pid == self &&
                         ancestors[1].pid == grandparent;
      _exit(right ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    _exit(WEXITSTATUS(status));
  }
  int status = -1;
  waitpid(parent, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Ancestors, StopAtTheBorderOfASession) {
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    _exit(LivingAncestors().empty() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace hearth
