#include <gmock/gmock.h>

#include "hearth/base/error.h"
#include "server/core/directory_core.h"

namespace hearth::server {
namespace {

using ::testing::ElementsAre;

constexpr Id kHost{1, 1};
constexpr Id kOther{2, 2};

absl::Time At(double seconds) {
  return absl::FromUnixSeconds(1000) + absl::Seconds(seconds);
}

class Directory : public ::testing::Test {
 protected:
  Directory() {
    Renew(kHost, 0);
    Renew(kOther, 0);
  }
  void Renew(const Id& host, double at) {
    core_.Handle(HostRenewed{{.host = host, .classes = {"Counter"}}}, At(at));
  }
  absl::Status Bind(const std::string& name, const Id& host = kHost,
                    std::vector<std::string> tags = {}, bool replace = false) {
    const auto actions =
        core_.Handle(NameBound{.call = 1,
                               .record = {.name = name,
                                          .tags = std::move(tags),
                                          .host = host,
                                          .key = name},
                               .replace = replace},
                     At(0));
    return std::get<BindAnswered>(actions.back()).status;
  }
  std::vector<std::string> Names(const ObjectQuery& query) const {
    std::vector<std::string> names;
    for (const auto& record : core_.Find(query)) names.push_back(record.name);
    return names;
  }
  std::vector<std::string> Left(const std::vector<DirectoryAction>& actions) {
    std::vector<std::string> names;
    for (const auto& action : actions) {
      if (const auto* left = std::get_if<NameLeft>(&action)) {
        names.push_back(left->record.name);
      }
    }
    return names;
  }
  DirectoryCore core_{{.lease = absl::Seconds(4)}};
};

TEST_F(Directory, FindsByNamePrefixAllTagsAndAnyTag) {
  ASSERT_TRUE(Bind("bank.eu", kHost, {"eu", "bank"}).ok());
  ASSERT_TRUE(Bind("bank.us", kHost, {"us", "bank"}).ok());
  ASSERT_TRUE(Bind("clock", kOther, {"eu"}).ok());
  EXPECT_THAT(Names({}), ElementsAre("bank.eu", "bank.us", "clock"));
  EXPECT_THAT(Names({.name = "clock"}), ElementsAre("clock"));
  EXPECT_THAT(Names({.prefix = "bank."}), ElementsAre("bank.eu", "bank.us"));
  EXPECT_THAT(Names({.all_tags = {"eu", "bank"}}), ElementsAre("bank.eu"));
  EXPECT_THAT(Names({.any_tags = {"us", "eu"}}),
              ElementsAre("bank.eu", "bank.us", "clock"));
  EXPECT_THAT(Names({.prefix = "c", .any_tags = {"us"}}), ElementsAre());
}

TEST_F(Directory, GivesANameOnceUnlessItIsToBeReplaced) {
  ASSERT_TRUE(Bind("x").ok());
  EXPECT_TRUE(Bind("x").ok());  // the same again
  EXPECT_EQ(ReasonOf(Bind("x", kOther)), Reason::kNameTaken);
  EXPECT_TRUE(Bind("x", kOther, {}, true).ok());
  EXPECT_EQ(core_.Find({.name = "x"}).front().host, kOther);
}

// The former owner gave its name up, and the new one's was gone.
TEST_F(Directory, TakesANameOnlyFromTheHostThatGivesItUp) {
  ASSERT_TRUE(Bind("x").ok());
  ASSERT_TRUE(Bind("x", kOther, {}, true).ok());
  core_.Handle(NamesUnbound{{.name = "x", .host = kHost}}, At(1));
  EXPECT_THAT(Names({.name = "x"}), ElementsAre("x"));
  core_.Handle(NamesUnbound{{.name = "x", .host = kOther}}, At(1));
  EXPECT_THAT(Names({.name = "x"}), ElementsAre());
}

TEST_F(Directory, RemembersWhoLostANameUntilItLetsGo) {
  const auto renew = [&](std::vector<std::string> names) {
    core_.Handle(HostRenewed{{.host = kHost}, std::move(names)}, At(1));
  };
  ASSERT_TRUE(Bind("x").ok());
  EXPECT_FALSE(core_.HasLost(kHost, "x"));
  ASSERT_TRUE(Bind("x", kOther, {}, true).ok());
  core_.Handle(NamesUnbound{{.name = "x", .host = kOther}}, At(1));
  renew({"x"});
  EXPECT_TRUE(core_.HasLost(kHost, "x"));
  renew({});
  EXPECT_FALSE(core_.HasLost(kHost, "x"));
  ASSERT_TRUE(Bind("x", kOther).ok());
  ASSERT_TRUE(Bind("x", kHost, {}, true).ok());
  EXPECT_FALSE(core_.HasLost(kHost, "x"));
  EXPECT_TRUE(core_.HasLost(kOther, "x"));
}

TEST_F(Directory, LetsWhatItsHostDoesNotRenewLeave) {
  ASSERT_TRUE(Bind("mine").ok());
  ASSERT_TRUE(Bind("theirs", kOther).ok());
  Renew(kOther, 3);
  EXPECT_THAT(Left(core_.Handle(DirectoryTimePassed{}, At(3.9))),
              ElementsAre());
  EXPECT_THAT(Left(core_.Handle(DirectoryTimePassed{}, At(4))),
              ElementsAre("mine"));
  EXPECT_THAT(Names({}), ElementsAre("theirs"));
}

TEST_F(Directory, LetsAllOfAHostThatEndsLeaveAtOnce) {
  ASSERT_TRUE(Bind("a").ok());
  ASSERT_TRUE(Bind("b").ok());
  EXPECT_THAT(Left(core_.Handle(HostEnded{kHost}, At(1))),
              ElementsAre("a", "b"));
  EXPECT_EQ(core_.FindHost(kHost), nullptr);
}

TEST_F(Directory, RefusesNamesOfAHostThatItDoesNotKnow) {
  EXPECT_EQ(ReasonOf(Bind("x", Id{9, 9})), Reason::kObjectGone);
}

TEST_F(Directory, RefusesNamesAndTagsThatAreTooLong) {
  EXPECT_EQ(ReasonOf(Bind(std::string(129, 'x'))), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(Bind("")), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(Bind("x", kHost, {""})), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(Bind("x", kHost, std::vector<std::string>(65, "t"))),
            Reason::kTooLarge);
}

TEST_F(Directory, GivesWhatItRecoversOneLeaseToComeBack) {
  DirectoryCore again{{.lease = absl::Seconds(4)}};
  again.Handle(DirectoryRecovered{.hosts = {{.host = kHost}},
                                  .names = {{.name = "x", .host = kHost}}},
               At(100));
  again.Handle(DirectoryTimePassed{}, At(103));
  EXPECT_EQ(again.Find({.name = "x"}).size(), 1u);
  again.Handle(DirectoryTimePassed{}, At(104));
  EXPECT_EQ(again.Find({.name = "x"}).size(), 0u);
}

TEST_F(Directory, KnowsWhoCanCreateWhat) {
  EXPECT_EQ(core_.FindHosts("Counter").size(), 2u);
  EXPECT_EQ(core_.FindHosts("Clock").size(), 0u);
}

}  // namespace
}  // namespace hearth::server
