// Calls that make calls, over every transport: circles, callbacks, deadlines,
// metadata, stacks.
#include <atomic>
#include <thread>

#include "absl/time/clock.h"
#include "hearth/object/call_error.h"
#include "tests/unit/call/two_processes.h"

namespace hearth::testing {
namespace {

// An object that calls whoever it is given, and is called back by them.
class Peer {
 public:
  // Goes to and fro between two objects, `depth` times.
  absl::StatusOr<std::int64_t> Bounce(const Proxy& other, const Proxy& self,
                                      std::int64_t depth) {
    if (depth == 0) return 0;
    auto deeper = other.Call<std::int64_t>("bounce", self, other, depth - 1);
    if (!deeper.ok()) return deeper.status();
    return *deeper + 1;
  }
  absl::StatusOr<std::int64_t> BounceLater(const Proxy& other,
                                           const Proxy& self,
                                           std::int64_t depth) {
    if (depth == 0) return 0;
    auto deeper =
        other.Later<std::int64_t>("bounce_later", self, other, depth - 1).Get();
    if (!deeper.ok()) return deeper.status();
    return *deeper + 1;
  }
  absl::Status Fail(const std::string& text) {
    return TypedError("peer.Failed", text);
  }
  absl::Status FailThere(const Proxy& other) {
    return other.Call<void>("fail", "too deep");
  }
  void Throw() { throw std::out_of_range("7 is no index"); }
  std::string Metadata(CallContext& context) {
    return absl::StrCat(context.metadata["who"], "/", context.correlation);
  }
  absl::StatusOr<std::string> MetadataThere(const Proxy& other) {
    return other.Call<std::string>("metadata");
  }
  // Milliseconds that are left of the caller's time.
  std::int64_t TimeLeft(CallContext& context) {
    return absl::ToInt64Milliseconds(context.deadline - absl::Now());
  }
  absl::StatusOr<std::int64_t> TimeLeftThere(const Proxy& other) {
    return other.Call<std::int64_t>("time_left");
  }
  absl::Status WaitUntilCancelled(CallContext& context) {
    for (int i = 0; i < 500 && !context.cancelled(); ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    cancelled_ = context.cancelled();
    return absl::OkStatus();
  }
  absl::Status WaitThere(const Proxy& other) {
    return other.Call<void>("wait");
  }
  bool cancelled() const { return cancelled_; }
  void Keep(const Proxy& callback) { callback_ = callback; }
  absl::Status Tell(const std::string& text) {
    return callback_.Call<void>("hear", text);
  }
  absl::StatusOr<Proxy> Make(CallContext& context) {
    auto handle =
        context.surroundings->Expose(InstanceOf(std::make_shared<Peer>()));
    if (!handle.ok()) return handle.status();
    return Proxy(context.surroundings->Bind(*handle));
  }

 private:
  std::atomic<bool> cancelled_ = false;
  Proxy callback_;
};

Class Describe(As<Peer>) {
  return Declare<Peer>("Peer")
      .Method("bounce", &Peer::Bounce)
      .Method("bounce_later", &Peer::BounceLater)
      .Method("fail", &Peer::Fail, {.parameters = {"text"}})
      .Method("fail_there", &Peer::FailThere, {.parameters = {"other"}})
      .Method("throw", &Peer::Throw)
      .Method("metadata", &Peer::Metadata)
      .Method("metadata_there", &Peer::MetadataThere)
      .Method("time_left", &Peer::TimeLeft)
      .Method("time_left_there", &Peer::TimeLeftThere)
      .Method("wait", &Peer::WaitUntilCancelled)
      .Method("wait_there", &Peer::WaitThere)
      .Method("keep", &Peer::Keep)
      .Method("tell", &Peer::Tell, {.idempotent = true})
      .Method("make", &Peer::Make);
}

class Ear {
 public:
  void Hear(const std::string& text) {
    std::scoped_lock lock(mutex_);
    heard_ += text;
  }
  std::string heard() {
    std::scoped_lock lock(mutex_);
    return heard_;
  }

 private:
  std::mutex mutex_;
  std::string heard_;
};
Class Describe(As<Ear>) {
  return Declare<Ear>("Ear").Method("hear", &Ear::Hear);
}

class Chains : public CallTest {
 protected:
  Chains() {
    serving_.Serve("a", a_);
    serving_.Serve("b", b_);
  }
  std::shared_ptr<Peer> a_ = std::make_shared<Peer>();
  std::shared_ptr<Peer> b_ = std::make_shared<Peer>();
  Proxy proxy_a_ = calling_.Get("a");
  Proxy proxy_b_ = calling_.Get("b");
};

TEST_P(Chains, ACircleOfCallsDoesNotDeadlock) {
  EXPECT_EQ(*proxy_a_.With({.timeout = absl::Seconds(10)})
                 .Call<std::int64_t>("bounce", proxy_b_, proxy_a_, 6),
            6);
}

TEST_P(Chains, ACircleOfFuturesDoesNotDeadlock) {
  EXPECT_EQ(*proxy_a_.With({.timeout = absl::Seconds(10)})
                 .Call<std::int64_t>("bounce_later", proxy_b_, proxy_a_, 4),
            4);
}

TEST_P(Chains, ACircleThroughTheCallersOwnObjectDoesNotDeadlock) {
  const Proxy mine = calling_.Expose(std::make_shared<Peer>());
  EXPECT_EQ(*proxy_a_.With({.timeout = absl::Seconds(10)})
                 .Call<std::int64_t>("bounce", mine, proxy_a_, 4),
            4);
}

TEST_P(Chains, ACallbackComesThroughTheCallersConnection) {
  auto ear = std::make_shared<Ear>();
  ASSERT_THAT(proxy_a_.Call<void>("keep", calling_.Expose(ear)), IsOk());
  ASSERT_THAT(proxy_a_.Call<void>("tell", "psst"), IsOk());
  EXPECT_EQ(ear->heard(), "psst");
  EXPECT_EQ(calling_.space().tcp_address(), "");  // no port of its own
}

TEST_P(Chains, ACallbackGoesOnAfterAReconnect) {
  auto ear = std::make_shared<Ear>();
  ASSERT_THAT(proxy_a_.Call<void>("keep", calling_.Expose(ear)), IsOk());
  serving_.Move();
  // Whoever is called back has to come back first.
  for (int i = 0; i < 100 && !proxy_b_.Call<void>("metadata").ok(); ++i) {
  }
  ASSERT_THAT(proxy_a_.Call<void>("tell", "again"), IsOk());
  EXPECT_EQ(ear->heard(), "again");
}

TEST_P(Chains, AnObjectThatAMethodMakesComesBackAsAProxy) {
  auto made = proxy_a_.Call<Proxy>("make");
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(TypeOf(made->Call<void>("fail", "x")), "peer.Failed");
}

TEST_P(Chains, AnErrorHasItsTypeMessageAndEveryHop) {
  const absl::Status status = proxy_a_.With({.correlation = "order 7"})
                                  .Call<void>("fail_there", proxy_b_);
  EXPECT_EQ(TypeOf(status), "peer.Failed");
  EXPECT_EQ(std::string(status.message()), "too deep");
  EXPECT_THAT(
      StackOf(status),
      ::testing::ElementsAre("b.fail at server", "a.fail_there at server"));
  EXPECT_EQ(CorrelationOf(status), "order 7");
}

TEST_P(Chains, WhatAMethodThrowsIsAnErrorOfThatType) {
  const absl::Status status = proxy_a_.Call<void>("throw");
  EXPECT_EQ(TypeOf(status), "std::out_of_range");
  EXPECT_THAT(std::string(status.message()),
              ::testing::HasSubstr("7 is no index"));
}

TEST_P(Chains, MetadataAndCorrelationTravelAlong) {
  const Proxy named =
      proxy_a_.With({.metadata = {{"who", "ann"}}, .correlation = "c1"});
  EXPECT_EQ(*named.Call<std::string>("metadata_there", proxy_b_), "ann/c1");
}

TEST_P(Chains, ADeadlineTravelsAlong) {
  const auto left = proxy_a_.With({.timeout = absl::Seconds(5)})
                        .Call<std::int64_t>("time_left_there", proxy_b_);
  ASSERT_THAT(left, IsOk());
  EXPECT_GT(*left, 1000);
  EXPECT_LE(*left, 5000);
}

TEST_P(Chains, ACancelTravelsAlong) {
  auto later = proxy_a_.Later<void>("wait_there", proxy_b_);
  absl::SleepFor(absl::Milliseconds(50));
  later.Cancel();
  EXPECT_EQ(ReasonOf(later.Get()), Reason::kCallCancelled);
  for (int i = 0; i < 400 && !b_->cancelled(); ++i) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_TRUE(b_->cancelled());
}

INSTANTIATE_TEST_SUITE_P(Over, Chains, ::testing::ValuesIn(kAllTransports),
                         [](const auto& one) { return NameOf(one.param); });

}  // namespace
}  // namespace hearth::testing
