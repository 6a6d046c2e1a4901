// Every feature of calls, over every transport.
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "absl/time/clock.h"
#include "hearth/object/call_error.h"
#include "tests/unit/call/two_processes.h"

namespace hearth::testing {
namespace {

class Counter {
 public:
  explicit Counter(std::int64_t start = 0) : sum_(start) {}
  std::int64_t Add(std::int64_t amount) { return sum_ += amount; }
  std::int64_t Count() { return ++sum_; }
  std::int64_t sum() const { return sum_; }
  void set_sum(std::int64_t sum) { sum_ = sum; }
  // Until Open, or for so long that nobody waited for it who should not.
  void Wait() {
    is_waiting_ = true;
    for (int i = 0; i < 10'000 && !is_open_; ++i) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    if (!is_open_) gave_up_ = true;
    ++sum_;
  }
  void Open() { is_open_ = true; }
  bool is_waiting() const { return is_waiting_; }
  bool gave_up() const { return gave_up_; }

 private:
  std::int64_t sum_;
  std::atomic<bool> is_waiting_ = false;
  std::atomic<bool> is_open_ = false;
  std::atomic<bool> gave_up_ = false;
};

Class Describe(As<Counter>) {
  return Declare<Counter>("Counter", {.doc = "Counts."})
      .Constructor<std::int64_t>({"start"})
      .Method("add", &Counter::Add,
              {.parameters = {"amount"}, .doc = "Adds, and tells the sum."})
      .Method("count", &Counter::Count, {.exactly_once = true})
      .Method("wait", &Counter::Wait)
      .Attribute("sum", &Counter::sum, &Counter::set_sum);
}

class Calls : public CallTest {
 protected:
  Calls() { serving_.Serve("counter", counter_); }
  ~Calls() override { counter_->Open(); }
  std::shared_ptr<Counter> counter_ = std::make_shared<Counter>();
  Proxy proxy_ = calling_.Get("counter");

  void AwaitWaiting() const {
    for (int i = 0; i < 10'000 && !counter_->is_waiting(); ++i) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    ASSERT_TRUE(counter_->is_waiting());
  }
};

TEST_P(Calls, AResultComesBack) {
  EXPECT_EQ(*proxy_.Call<std::int64_t>("add", 5), 5);
  EXPECT_EQ(*proxy_.Call<std::int64_t>("add", 2), 7);
}

TEST_P(Calls, AnEmptyNameIsNobodys) {
  const auto result = calling_.Get("").Call<std::int64_t>("add", 5);
  EXPECT_EQ(ReasonOf(result.status()), Reason::kBadUsage) << result.status();
  EXPECT_EQ(counter_->sum(), 0);
}

TEST_P(Calls, ATypedProxyCallsMembers) {
  TypedProxy<Counter> typed(proxy_);
  EXPECT_EQ(*typed.Call<&Counter::Add>(5), 5);
}

TEST_P(Calls, AttributesAreReadAndWritten) {
  EXPECT_THAT(proxy_.Set("sum", 42), IsOk());
  EXPECT_EQ(*proxy_.Get<std::int64_t>("sum"), 42);
}

TEST_P(Calls, WhatIsNotNamedCantBeCalled) {
  const auto status = proxy_.Call<void>("drop_tables");
  EXPECT_EQ(ReasonOf(status), Reason::kNameUnknown);
  EXPECT_THAT(std::string(status.message()),
              ::testing::HasSubstr("it has add, count, sum, sum=, wait"));
}

TEST_P(Calls, AWrongTypeNamesMethodParameterExpectedAndGot) {
  const auto status = proxy_.Call<void>("add", "five");
  EXPECT_EQ(std::string(status.message()),
            "call Counter.add: parameter \"amount\" expects int64, got string");
}

TEST_P(Calls, AWrongCountNamesThemAll) {
  const auto status = proxy_.Call<void>("add", 1, 2);
  EXPECT_EQ(std::string(status.message()),
            "call Counter.add: it takes 1 argument (amount: int64), got 2");
}

TEST_P(Calls, AOnewayCallReturnsWhileItsMethodWaits) {
  ASSERT_THAT(proxy_.Call<void>("add", 0), IsOk());
  ASSERT_THAT(proxy_.Oneway("wait"), IsOk());
  EXPECT_FALSE(counter_->gave_up());
  counter_->Open();
  EXPECT_EQ(*proxy_.Call<std::int64_t>("add", 0), 1);  // behind it
}

TEST_P(Calls, WhoIsToldOfAResultMayMakeTheNextCall) {
  std::promise<std::int64_t> sum;
  proxy_.BeginThen("add", {Value(std::int64_t{5})}, {},
                   [&](absl::StatusOr<Value> first) {
                     const auto next = proxy_.Call<std::int64_t>("add", 2);
                     sum.set_value(first.ok() && next.ok() ? *next : -1);
                   });
  std::future<std::int64_t> told = sum.get_future();
  ASSERT_EQ(told.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(told.get(), 7);
}

TEST_P(Calls, FuturesAreWaitedForLater) {
  std::vector<Future<std::int64_t>> futures;
  for (int i = 0; i < 100; ++i) {
    futures.push_back(proxy_.Later<std::int64_t>("add", 1));
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*futures[i].Get(), i + 1);
}

TEST_P(Calls, ABatchStopsAtTheFirstErrorAndSaysAtWhich) {
  auto batch = proxy_.Batch();
  batch.Add("add", 1).Add("add", 2).Add("add", "x").Add("add", 4);
  const BatchResult result = batch.Run();
  ASSERT_EQ(result.values.size(), 2u);
  EXPECT_EQ(result.values[1], Value(3));
  EXPECT_EQ(ReasonOf(result.status), Reason::kBadParameter);
  EXPECT_EQ(counter_->sum(), 3);
}

TEST_P(Calls, ManyThreadsShareAProxy) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_THAT(proxy_.Call<void>("add", 1), IsOk());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter_->sum(), 16 * 50);
}

TEST_P(Calls, ACallThatTakesTooLongEnds) {
  const auto status =
      proxy_.With({.timeout = absl::Milliseconds(50)}).Call<void>("wait");
  EXPECT_EQ(ReasonOf(status), Reason::kDeadlineExceeded);
  EXPECT_FALSE(counter_->gave_up());
}

TEST_P(Calls, ACallCanBeCancelled) {
  auto later = proxy_.Later<void>("wait");
  AwaitWaiting();
  later.Cancel();
  EXPECT_EQ(ReasonOf(later.Get()), Reason::kCallCancelled);
  EXPECT_FALSE(counter_->gave_up());
}

TEST_P(Calls, AnObjectThatMovedIsFoundAgain) {
  EXPECT_EQ(*proxy_.Call<std::int64_t>("count"), 1);
  serving_.Move();
  EXPECT_EQ(*proxy_.Call<std::int64_t>("count"), 2);
}

// The next holder of the name used to run it, too.
TEST_P(Calls, ACallThatRunsWhenItsObjectIsTakenAwayRunsNowhereElse) {
  absl::Status running;
  std::thread first([&] { running = proxy_.Call<void>("wait"); });
  AwaitWaiting();
  absl::StatusOr<std::int64_t> waiting;
  std::thread second([&] { waiting = proxy_.Call<std::int64_t>("add", 5); });
  absl::SleepFor(absl::Milliseconds(50));
  const auto next = std::make_shared<Counter>(100);
  next->Open();
  EXPECT_THAT(serving_.space().host().Remove("counter"), IsOk());
  serving_.Serve("counter", next);
  first.join();
  second.join();
  EXPECT_EQ(ReasonOf(running), Reason::kOutcomeUnknown) << running;
  EXPECT_EQ(waiting.value_or(0), 105);  // it had not begun
  EXPECT_EQ(next->sum(), 105);
}

// That there is no such name is no answer to a call that has run.
TEST_P(Calls, ACallThatRanIsNotSaidToHaveNoObject) {
  std::atomic<bool> is_known = true;
  const auto space =
      ObjectSpace::Make({.host = {.process = "client"},
                         .connect = serving_.Connector(),
                         .connect_plain = serving_.PlainConnector(),
                         .find = [&](const std::string& name) {
                           return serving_.Find(is_known ? name : "nobody");
                         }});
  absl::Status end;
  std::thread calls([&] { end = space->Named("counter").Call<void>("wait"); });
  AwaitWaiting();
  is_known = false;
  space->BreakConnections();
  calls.join();
  EXPECT_EQ(ReasonOf(end), Reason::kOutcomeUnknown) << end;
  space->End();
}

// Addresses are random: one that is never dialled again kept a socket for good.
TEST_P(Calls, ConnectionsToProcessesThatAreGoneAreLetGo) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT(proxy_.Call<std::int64_t>("count"), IsOk());
    serving_.Move();
  }
  serving_.space().StopListening();
  for (int i = 0; i < 500 && calling_.space().connection_count() > 0; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(calling_.space().connection_count(), 0);
}

INSTANTIATE_TEST_SUITE_P(Over, Calls, ::testing::ValuesIn(kAllTransports),
                         [](const auto& one) { return NameOf(one.param); });

}  // namespace
}  // namespace hearth::testing
