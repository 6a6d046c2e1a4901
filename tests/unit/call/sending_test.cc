// What is sent faster than it is taken.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "hearth/base/clock.h"
#include "hearth/transport/call/conversation.h"
#include "hearth/transport/call/object_host.h"
#include "hearth/transport/call/outbox.h"
#include "tests/unit/call/two_processes.h"

namespace hearth::testing {
namespace {

class Scales {
 public:
  std::int64_t Weigh(const ValueBytes& load) {
    weighed_ += std::ssize(load.data);
    return std::ssize(load.data);
  }
  std::int64_t weighed() const { return weighed_; }
  ValueBytes Give(std::int64_t bytes) {
    return {std::string(static_cast<std::size_t>(bytes), 'y')};
  }
  Items<ValueBytes> GiveMany(std::int64_t bytes) {
    auto left = std::make_shared<int>(3);
    return {[this, bytes, left]() -> absl::StatusOr<std::optional<ValueBytes>> {
      if ((*left)-- == 0) return std::nullopt;
      return Give(*left == 0 ? bytes : 1);
    }};
  }
  void Sleep(double seconds) { absl::SleepFor(absl::Seconds(seconds)); }

 private:
  std::atomic<std::int64_t> weighed_ = 0;
};
Class Describe(As<Scales>) {
  return Declare<Scales>("Scales", {.concurrent = true, .waiting_max = 100'000})
      .Method("weigh", &Scales::Weigh, {.parameters = {"load"}})
      .Method("give", &Scales::Give, {.parameters = {"bytes"}})
      .Method("give_many", &Scales::GiveMany, {.parameters = {"bytes"}})
      .Method("sleep", &Scales::Sleep, {.parameters = {"seconds"}})
      .Attribute("weighed", &Scales::weighed);
}

class Sending : public ::testing::TestWithParam<Transport> {
 protected:
  Sending() { serving_.Serve("scales", std::make_shared<Scales>()); }
  Serving serving_{GetParam()};
  Calling calling_{serving_};
  Proxy proxy_ = calling_.Get("scales");
};

// They used to become one message, which no receiver took.
TEST_P(Sending, LargeCallsOfManyThreadsBecomeMessagesOfTheirOwn) {
  constexpr std::int64_t kBytes = 24 << 20;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto weight = proxy_.Call<std::int64_t>(
          "weigh", ValueBytes{std::string(kBytes, 'x')});
      ASSERT_THAT(weight, IsOk());
      EXPECT_EQ(*weight, kBytes);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(proxy_.Get<std::int64_t>("weighed").value_or(0), 8 * kBytes);
}

// They used to break the connection, and the calls of others with it.
TEST_P(Sending, WhatNoMessageTakesIsRefusedAndDisturbsNobody) {
  constexpr std::int64_t kTooMany = 70 << 20;
  auto sleeping = proxy_.Later<void>("sleep", 1.0);
  const absl::Time begin = absl::Now();
  const ValueBytes load{std::string(kTooMany, 'x')};
  EXPECT_EQ(ReasonOf(proxy_.Call<std::int64_t>("weigh", load).status()),
            Reason::kTooLarge);
  EXPECT_EQ(ReasonOf(proxy_.Later<std::int64_t>("weigh", load).Get().status()),
            Reason::kTooLarge);
  EXPECT_EQ(ReasonOf(proxy_.Oneway("weigh", load)), Reason::kTooLarge);
  EXPECT_EQ(ReasonOf(proxy_.Call<ValueBytes>("give", kTooMany).status()),
            Reason::kTooLarge);

  auto items = proxy_.Iterate<ValueBytes>("give_many", kTooMany);
  ASSERT_THAT(items, IsOk());
  EXPECT_EQ((*items->Next())->data, "y");
  EXPECT_EQ((*items->Next())->data, "y");
  EXPECT_EQ(ReasonOf(items->Next().status()), Reason::kTooLarge);

  EXPECT_LT(absl::Now() - begin, absl::Seconds(8));
  EXPECT_THAT(sleeping.Get(), IsOk());
  EXPECT_EQ(*proxy_.Get<std::int64_t>("weighed"), 0);
}

TEST_P(Sending, OnewayCallsWaitForRoomAndAllArrive) {
  constexpr std::int64_t kBytes = 1 << 20;
  constexpr int kCalls = 200;
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_THAT(proxy_.Oneway("weigh", ValueBytes{std::string(kBytes, 'x')}),
                IsOk());
  }
  // Calls of a stream begin in their order: this one is behind them.
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  std::int64_t weighed = 0;
  while (weighed < kCalls * kBytes && absl::Now() < give_up) {
    const auto now = proxy_.Get<std::int64_t>("weighed");
    ASSERT_THAT(now, IsOk());
    weighed = *now;
  }
  EXPECT_EQ(weighed, kCalls * kBytes);
}

INSTANTIATE_TEST_SUITE_P(Over, Sending, ::testing::ValuesIn(kAllTransports),
                         [](const auto& param) { return NameOf(param.param); });

// A future used to hold itself by its own cancellation, for ever: what it was
// called on could never end.
TEST(Futures, LeaveNothingBehind) {
  Serving serving(Transport::kMemory);
  serving.Serve("scales", std::make_shared<Scales>());
  std::weak_ptr<Target> target;
  std::unique_ptr<Calling> calling = std::make_unique<Calling>(serving);
  {
    const std::shared_ptr<Target> bound =
        calling->space().Bind(serving.space().HandleOf("scales", "scales"));
    target = bound;
    const auto later =
        Proxy(bound).Later<std::int64_t>("weigh", ValueBytes{"x"});
    EXPECT_EQ(later.Get().value_or(0), 1);
  }
  calling = nullptr;
  EXPECT_TRUE(target.expired());
}

// ------------------------------------------------------------------ the end

// Shared by the test and an object that outlives it.
struct Latch {
  std::atomic<bool> is_open = false;
  std::atomic<int> entered = 0;
  std::atomic<int> left = 0;
};
class Stubborn {
 public:
  explicit Stubborn(std::shared_ptr<Latch> latch) : latch_(std::move(latch)) {}
  void Hold() {  // looks at nothing but its latch
    ++latch_->entered;
    while (!latch_->is_open) absl::SleepFor(absl::Milliseconds(5));
    ++latch_->left;
  }
  void Obey(CallContext& context) {
    ++latch_->entered;
    while (!context.cancelled()) absl::SleepFor(absl::Milliseconds(1));
    ++latch_->left;
  }

 private:
  const std::shared_ptr<Latch> latch_;
};
Class Describe(As<Stubborn>) {
  return Declare<Stubborn>("Stubborn")
      .Method("hold", &Stubborn::Hold)
      .Method("obey", &Stubborn::Obey);
}

absl::Duration EndOfAServerWhile(const std::string& method,
                                 const std::shared_ptr<Latch>& latch) {
  auto serving = std::make_unique<Serving>(Transport::kUnix);
  Calling calling(*serving);
  serving->Serve("stubborn", std::make_shared<Stubborn>(latch));
  EXPECT_THAT(calling.Get("stubborn").Oneway(method), IsOk());
  while (latch->entered == 0) absl::SleepFor(absl::Milliseconds(1));
  const absl::Time begin = absl::Now();
  serving->space().End();
  return absl::Now() - begin;
}

TEST(TheEndOfAServer, CancelsTheMethodsThatRun) {
  const auto latch = std::make_shared<Latch>();
  EXPECT_LT(EndOfAServerWhile("obey", latch), absl::Seconds(5));
  EXPECT_EQ(latch->left, 1);
}

TEST(TheEndOfAServer, IsNotHeldUpByAMethodThatDoesNotReturn) {
  const auto latch = std::make_shared<Latch>();
  const absl::Duration took = EndOfAServerWhile("hold", latch);
  EXPECT_GT(took, absl::Seconds(9));
  EXPECT_LT(took, absl::Seconds(15));
  EXPECT_EQ(latch->left, 0);
  // It still stands on all that it needs.
  latch->is_open = true;
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  while (latch->left == 0 && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(latch->left, 1);
}

class Keeper {
 public:
  void Keep(Proxy proxy) { kept_ = std::move(proxy); }

 private:
  Proxy kept_;
};
Class Describe(As<Keeper>) {
  return Declare<Keeper>("Keeper").Method("keep", &Keeper::Keep);
}

// It used to keep what it was served by, for ever.
TEST(TheEndOfAServer, LetsGoOfObjectsThatKeepProxies) {
  const auto keeper = std::make_shared<Keeper>();
  {
    Serving serving(Transport::kUnix);
    serving.Serve("keeper", keeper);
    Calling calling(serving);
    const Proxy proxy = calling.Get("keeper");
    EXPECT_THAT(proxy.Call<void>("keep", proxy), IsOk());
    EXPECT_THAT(proxy.Call<void>("keep", calling.Expose(keeper)), IsOk());
  }
  EXPECT_EQ(keeper.use_count(), 1);
}

// An other end that takes nothing.
class FullWire final : public Wire {
 public:
  bool Send(proto::Frame, AttachmentPtr) override { return true; }
  std::int64_t waiting_bytes() const override { return waiting; }
  void Close() override {}
  std::atomic<std::int64_t> waiting = limits::kOnewayBytesMax;
};

TEST(Conversation, WaitsForRoomAndNoLonger) {
  ObjectHost host({.process = "test"}, Clock::Real());
  const auto wire = std::make_shared<FullWire>();
  const auto conversation = std::make_shared<Conversation>(host);
  conversation->Start(wire);
  EXPECT_FALSE(conversation->WaitForRoom(absl::Now() + absl::Milliseconds(50)));
  std::thread reader([&] {
    absl::SleepFor(absl::Milliseconds(50));
    wire->waiting = limits::kOnewayBytesMax - 1;
  });
  EXPECT_TRUE(conversation->WaitForRoom(absl::Now() + absl::Seconds(30)));
  reader.join();
}

proto::Frame FrameOf(std::size_t bytes) {
  proto::Frame frame;
  frame.mutable_call()->set_object(std::string(bytes, 'x'));
  return frame;
}

TEST(Outbox, PutsTogetherWhatFitsAndLosesNothing) {
  Outbox outbox;
  for (int i = 0; i < 10; ++i) outbox.Add(FrameOf(1 << 20));
  outbox.Add(FrameOf(20 << 20));
  outbox.Add(FrameOf(1));
  EXPECT_GT(outbox.bytes(), 30 << 20);
  std::vector<int> counts;
  proto::Envelope message;
  while (!outbox.empty()) {
    outbox.Take(message, nullptr);
    counts.push_back(message.frames_size());
  }
  EXPECT_EQ(counts, (std::vector<int>{3, 3, 3, 1, 1, 1}));
  EXPECT_EQ(outbox.bytes(), 0);
}

}  // namespace
}  // namespace hearth::testing
