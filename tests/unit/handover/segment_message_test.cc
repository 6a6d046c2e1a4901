#include "hearth/transport/handover/segment_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/escaping.h"

namespace hearth {
namespace {

std::string BytesOf(const SegmentMessage& head) {
  return {reinterpret_cast<const char*>(&head), sizeof(head)};
}

SegmentMessage Deposit() {
  SegmentMessage head;
  head.verb = static_cast<std::uint16_t>(HandoverVerb::kDeposit);
  head.sequence = 7;
  head.set_token({0x0123456789abcdef, 0xfedcba9876543210});
  head.set_card({SegmentKind::kSealed, 4096, 64, "f8"});
  return head;
}

// Golden bytes: another build of Hearth on this host reads them.
TEST(SegmentMessage, HasTheBytesThatFormatsSays) {
  EXPECT_EQ(absl::BytesToHexString(BytesOf(Deposit())),
            "48545248"  // magic
            "0200"
            "0100"      // version, verb
            "07000000"  // sequence
            "0000"
            "0100"              // reason, kind
            "efcdab8967452301"  // token
            "1032547698badcfe"
            "0010000000000000"  // bytes
            "4000000000000000"  // offset
            "00000000"          // count
            "0200"
            "0000"  // note bytes, flags
            "0000000000000000");
}

TEST(SegmentMessage, ComesBackAsItWasSent) {
  const std::string packet = BytesOf(Deposit()) + "f8";
  const auto parsed = ParseMessage(packet);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->head.token(), Deposit().token());
  EXPECT_EQ(parsed->card(),
            (SegmentCard{SegmentKind::kSealed, 4096, 64, "f8"}));
}

TEST(SegmentMessage, IsRefusedWhenAnyLengthInItLies) {
  const std::string whole = BytesOf(Deposit()) + "f8";
  EXPECT_FALSE(ParseMessage(whole.substr(0, whole.size() - 1)).has_value());
  EXPECT_FALSE(ParseMessage(whole + "x").has_value());
  EXPECT_FALSE(ParseMessage("").has_value());

  SegmentMessage drop;
  drop.verb = static_cast<std::uint16_t>(HandoverVerb::kDrop);
  drop.count = 0xffffffff;
  EXPECT_FALSE(ParseMessage(BytesOf(drop)).has_value());
}

TEST(SegmentMessage, IsRefusedWhenItIsOfAnotherTimeOrPlace) {
  const auto refused = [](auto change) {
    SegmentMessage head = Deposit();
    change(head);
    return !ParseMessage(BytesOf(head) + "f8").has_value();
  };
  EXPECT_TRUE(refused([](auto& head) { head.magic ^= 1; }));
  EXPECT_TRUE(refused([](auto& head) { head.version = 1; }));
  EXPECT_TRUE(refused([](auto& head) { head.verb = 0; }));
  EXPECT_TRUE(refused([](auto& head) { head.verb = 99; }));
  EXPECT_TRUE(refused([](auto& head) { head.segment_kind = 5; }));
  EXPECT_TRUE(refused([](auto& head) { head.reserved[3] = 1; }));
}

TEST(SegmentMessage, SurvivesRandomBytes) {
  std::mt19937 random(20240611);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = BytesOf(Deposit()) + "f8";
    for (int flips = 0; flips < 3; ++flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(random() % (2 * bytes.size()));
    const auto parsed = ParseMessage(bytes);
    if (parsed.has_value()) {
      EXPECT_LE(parsed->note.size(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace hearth
