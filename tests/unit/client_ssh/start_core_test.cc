#include "client/launch/ssh/start_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::VariantWith;

constexpr char kAddress[] = "10.0.0.1:7777";

auto Coordinator(std::size_t host) {
  return VariantWith<StartCoordinator>(StartCoordinator{host});
}
auto Workers(std::size_t host) {
  return VariantWith<StartWorkers>(StartWorkers{host, kAddress});
}

TEST(StartCore, GivesTheCoordinatorToTheFirstHostOfTheFile) {
  StartCore core(3);
  EXPECT_THAT(core.Handle(HostPrepared{2}), IsEmpty());
  EXPECT_THAT(core.Handle(HostPrepared{0}), ElementsAre(Coordinator(0)));
  EXPECT_THAT(core.Handle(HostPrepared{1}), IsEmpty());
}

TEST(StartCore, StartsWorkersOnceTheCoordinatorIsUp) {
  StartCore core(3);
  core.Handle(HostPrepared{1});
  core.Handle(HostPrepared{0});
  EXPECT_THAT(core.Handle(CoordinatorUp{0, kAddress}),
              ElementsAre(Workers(0), Workers(1)));
  EXPECT_THAT(core.Handle(HostPrepared{2}), ElementsAre(Workers(2)));
  EXPECT_EQ(core.address(), kAddress);
}

TEST(StartCore, MovesTheCoordinatorWhenAHostFailsBeforeItIsUp) {
  StartCore core(3);
  core.Handle(HostPrepared{1});
  EXPECT_THAT(core.Handle(HostFailed{0}), ElementsAre(Coordinator(1)));
  core.Handle(HostPrepared{2});
  EXPECT_THAT(core.Handle(HostFailed{1}), ElementsAre(Coordinator(2)));
  EXPECT_THAT(core.Handle(CoordinatorUp{2, kAddress}), ElementsAre(Workers(2)));
  core.Handle(WorkersUp{2});
  EXPECT_TRUE(core.done());
}

TEST(StartCore, IsDoneWhenEveryHostIsUpOrHasFailed) {
  StartCore core(2);
  core.Handle(HostPrepared{0});
  core.Handle(CoordinatorUp{0, kAddress});
  core.Handle(WorkersUp{0});
  EXPECT_FALSE(core.done());
  EXPECT_THAT(core.Handle(HostFailed{1}), IsEmpty());
  EXPECT_TRUE(core.done());
}

TEST(StartCore, TakesASessionThatEndsAfterItsWorkersAreUpForNoFailure) {
  StartCore core(1);
  core.Handle(HostPrepared{0});
  core.Handle(CoordinatorUp{0, kAddress});
  core.Handle(WorkersUp{0});
  EXPECT_THAT(core.Handle(HostFailed{0}), IsEmpty());
  EXPECT_EQ(core.coordinator(), 0U);
}

TEST(StartCore, GivesUpWhenTheCoordinatorIsLostAfterOthersKnowIt) {
  StartCore core(2);
  core.Handle(HostPrepared{0});
  core.Handle(CoordinatorUp{0, kAddress});
  EXPECT_THAT(core.Handle(HostFailed{0}),
              ElementsAre(VariantWith<GiveUp>(GiveUp{})));
  EXPECT_TRUE(core.done());
}

TEST(StartCore, KeepsACoordinatorWhoseWorkersFailed) {
  StartCore core(2);
  core.Handle(HostPrepared{0});
  core.Handle(CoordinatorUp{0, kAddress});
  EXPECT_THAT(core.Handle(HostFailed{0, /*coordinator_stays=*/true}),
              IsEmpty());
  EXPECT_THAT(core.Handle(HostPrepared{1}), ElementsAre(Workers(1)));
}

TEST(StartCore, IgnoresAReportThatComesTwice) {
  StartCore core(2);
  EXPECT_THAT(core.Handle(HostPrepared{0}), ElementsAre(Coordinator(0)));
  EXPECT_THAT(core.Handle(HostPrepared{0}), IsEmpty());
  core.Handle(CoordinatorUp{0, kAddress});
  EXPECT_THAT(core.Handle(CoordinatorUp{0, "10.0.0.1:1"}), IsEmpty());
  EXPECT_EQ(core.address(), kAddress);
}

TEST(StartCore, IsDoneWithoutACoordinatorWhereAllFail) {
  StartCore core(2);
  core.Handle(HostFailed{1});
  core.Handle(HostFailed{0});
  EXPECT_TRUE(core.done());
  EXPECT_EQ(core.coordinator(), std::nullopt);
}

}  // namespace
}  // namespace hearth::client
