// What outlives a connection, over every transport: sessions, exactly once,
// streams of items; and what ends with its caller.
#include <atomic>
#include <set>
#include <thread>

#include "absl/time/clock.h"
#include "hearth/object/call_error.h"
#include "tests/unit/call/two_processes.h"

namespace hearth::testing {
namespace {

class Tally {
 public:
  std::int64_t Count() { return ++count_; }
  std::int64_t count() const { return count_; }

 private:
  std::int64_t count_ = 0;
};
Class Describe(As<Tally>) {
  return Declare<Tally>("Tally")
      .Constructor<>()
      .Method("count", &Tally::Count, {.exactly_once = true})
      .Attribute("sum", &Tally::count);
}

class Notebook : public Tally {};
Class Describe(As<Notebook>) {
  return Declare<Notebook>("Notebook", {.mode = InstanceMode::kSession})
      .Constructor<>()
      .Method("count", &Notebook::Count);
}
class Scrap : public Tally {};
Class Describe(As<Scrap>) {
  return Declare<Scrap>("Scrap", {.mode = InstanceMode::kPerCall})
      .Constructor<>()
      .Method("count", &Scrap::Count);
}

class Source {
 public:
  Items<std::int64_t> Range(std::int64_t count) {
    struct Life {
      explicit Life(std::atomic<int>& of) : lives(of) { ++lives; }
      ~Life() { --lives; }
      std::atomic<int>& lives;
      std::int64_t next = 0;
    };
    auto life = std::make_shared<Life>(lives_);
    return {[life, count]() -> absl::StatusOr<std::optional<std::int64_t>> {
      if (life->next >= count) return std::nullopt;
      return life->next++;
    }};
  }
  Items<std::string> Faulty() {
    auto next = std::make_shared<int>(0);
    return {[next]() -> absl::StatusOr<std::optional<std::string>> {
      if (++*next > 3) return TypedError("source.Dry", "nothing is left");
      return absl::StrCat("item ", *next);
    }};
  }
  // These at once, and no other before it is unblocked.
  Items<std::int64_t> Burst(std::int64_t count) {
    auto next = std::make_shared<std::int64_t>(0);
    return {
        [this, next, count]() -> absl::StatusOr<std::optional<std::int64_t>> {
          if (*next < count) return (*next)++;
          Block();
          return std::nullopt;
        }};
  }
  // The items themselves are made late.
  Items<std::int64_t> Late(std::int64_t count) {
    Block();
    return Range(count);
  }
  // None before it is unblocked.
  Items<std::int64_t> Rare() {
    return {[this]() -> absl::StatusOr<std::optional<std::int64_t>> {
      Block();
      return std::nullopt;
    }};
  }
  void Block() {
    while (blocked_) absl::SleepFor(absl::Milliseconds(1));
  }
  void Unblock() { blocked_ = false; }
  std::int64_t Overlap() {
    const int now = ++overlap_;
    absl::SleepFor(absl::Milliseconds(50));
    --overlap_;
    return now;
  }
  std::atomic<int> lives_ = 0;

 private:
  std::atomic<bool> blocked_ = true;
  std::atomic<int> overlap_ = 0;
};
Class Describe(As<Source>) {
  return Declare<Source>("Source", {.waiting_max = 4})
      .Method("range", &Source::Range, {.parameters = {"count"}})
      .Method("late", &Source::Late, {.parameters = {"count"}})
      .Method("faulty", &Source::Faulty)
      .Method("burst", &Source::Burst, {.parameters = {"count"}})
      .Method("rare", &Source::Rare)
      .Method("block", &Source::Block)
      .Method("unblock", &Source::Unblock, {.concurrent = true})
      .Method("overlap", &Source::Overlap, {.concurrent = true});
}

// Takes items of another object.
class Taker {
 public:
  absl::Status Take(const Proxy& source) {
    auto items = source.Iterate<std::int64_t>("rare");
    if (!items.ok()) return items.status();
    is_waiting_ = true;
    const absl::Status end = items->Next().status();
    was_cancelled_ = ReasonOf(end) == Reason::kCallCancelled;
    return end;
  }
  bool is_waiting() const { return is_waiting_; }
  bool was_cancelled() const { return was_cancelled_; }

 private:
  std::atomic<bool> is_waiting_ = false;
  std::atomic<bool> was_cancelled_ = false;
};
Class Describe(As<Taker>) {
  return Declare<Taker>("Taker").Method("take", &Taker::Take);
}

class Lasting : public ::testing::TestWithParam<Transport> {
 protected:
  Lasting() {
    serving_.Serve("tally", tally_);
    serving_.Serve("source", source_);
    EXPECT_THAT(
        serving_.space().host().Add("notebook", {ClassOf<Notebook>(), nullptr}),
        IsOk());
    EXPECT_THAT(
        serving_.space().host().Add("scrap", {ClassOf<Scrap>(), nullptr}),
        IsOk());
  }
  bool SoonTrue(const std::function<bool()>& condition) {
    for (int i = 0; i < 600; ++i) {
      if (condition()) return true;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }

  Serving serving_{GetParam(), {.session_grace = absl::Seconds(1)}};
  Calling calling_{serving_};
  std::shared_ptr<Tally> tally_ = std::make_shared<Tally>();
  std::shared_ptr<Source> source_ = std::make_shared<Source>();
};

TEST_P(Lasting, EverySessionHasItsOwnInstance) {
  Calling other(serving_);
  EXPECT_EQ(*calling_.Get("notebook").Call<std::int64_t>("count"), 1);
  EXPECT_EQ(*calling_.Get("notebook").Call<std::int64_t>("count"), 2);
  EXPECT_EQ(*other.Get("notebook").Call<std::int64_t>("count"), 1);
}

TEST_P(Lasting, ASessionOutlivesItsConnection) {
  const Proxy notebook = calling_.Get("notebook");
  EXPECT_EQ(*notebook.Call<std::int64_t>("count"), 1);
  calling_.space().BreakConnections();
  EXPECT_EQ(*notebook.Call<std::int64_t>("count"), 2);
}

TEST_P(Lasting, ASessionWhoseProcessIsGoneIsLetGo) {
  {
    Calling gone(serving_);
    EXPECT_EQ(*gone.Get("notebook").Call<std::int64_t>("count"), 1);
    EXPECT_EQ(serving_.space().host().session_count(), 1u);
  }
  EXPECT_TRUE(
      SoonTrue([&] { return serving_.space().host().session_count() == 0; }));
}

TEST_P(Lasting, EveryCallHasItsOwnInstance) {
  EXPECT_EQ(*calling_.Get("scrap").Call<std::int64_t>("count"), 1);
  EXPECT_EQ(*calling_.Get("scrap").Call<std::int64_t>("count"), 1);
}

TEST_P(Lasting, CallsMarkedExactlyOnceRunOnceHoweverOftenConnectionsBreak) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 100;
  constexpr int kMoves = 5;  // at least, while they are made
  const Proxy tally = calling_.Get("tally");
  std::atomic<bool> done = false;
  std::atomic<int> moves = 0;
  std::thread breaker([&] {
    for (; !done; ++moves) {
      absl::SleepFor(absl::Milliseconds(50));
      serving_.Move();
    }
  });
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  std::atomic<int> made = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls || moves < kMoves; ++i, ++made) {
        const absl::Status status = tally.Call<void>("count");
        if (!status.ok()) {
          ++failed;
          ADD_FAILURE() << status;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  done = true;
  breaker.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(tally_->count(), made);
}

TEST_P(Lasting, ResultsOfExactlyOnceCallsGoOnceTheyAreConfirmed) {
  const Proxy tally = calling_.Get("tally");
  for (int i = 0; i < 100; ++i) ASSERT_THAT(tally.Call<void>("count"), IsOk());
  EXPECT_LE(serving_.space().host().once_count(), 2u);
}

TEST_P(Lasting, ItemsComeInOrderUpToTheLast) {
  auto items = calling_.Get("source").Iterate<std::int64_t>("range", 20'000);
  ASSERT_THAT(items, IsOk());
  for (std::int64_t i = 0; i < 20'000; ++i) {
    const auto item = items->Next();
    ASSERT_THAT(item, IsOk());
    ASSERT_TRUE(item->has_value());
    ASSERT_EQ(**item, i);
  }
  EXPECT_FALSE(items->Next()->has_value());
  EXPECT_TRUE(SoonTrue([&] { return source_->lives_ == 0; }));
}

TEST_P(Lasting, ItemsGoOnAfterAReconnectWithNoneLostOrDoubled) {
  auto items = calling_.Get("source").Iterate<std::int64_t>("range", 50'000);
  ASSERT_THAT(items, IsOk());
  for (std::int64_t i = 0; i < 50'000; ++i) {
    if (i % 9'000 == 4'000) calling_.space().BreakConnections();
    const auto item = items->Next();
    ASSERT_THAT(item, IsOk());
    ASSERT_TRUE(item->has_value());
    ASSERT_EQ(**item, i);
  }
  EXPECT_FALSE(items->Next()->has_value());
}

// They used to be held back until the next one was made.
TEST_P(Lasting, ItemsComeThoughTheNextOneIsLongInComing) {
  std::vector<Stream<std::int64_t>> waiting;
  for (const std::int64_t count : {1, 2, 5, 700}) {
    auto items = calling_.Get("source").Iterate<std::int64_t>("burst", count);
    ASSERT_THAT(items, IsOk());
    for (std::int64_t i = 0; i < count; ++i) {
      // What was on its way as the connection broke comes again.
      if (i == 600) calling_.space().BreakConnections();
      ASSERT_EQ(**items->Next(), i);
    }
    waiting.push_back(*std::move(items));
  }
  source_->Unblock();
  for (auto& items : waiting) EXPECT_FALSE(items.Next()->has_value());
}

// The error used to be that of the name, which nobody had asked for.
TEST_P(Lasting, ItemsOfAProcessThatIsGoneEndWithItsLoss) {
  auto items = calling_.Get("source").Iterate<std::int64_t>("range", 1'000'000);
  ASSERT_THAT(items, IsOk());
  ASSERT_EQ(**items->Next(), 0);
  serving_.Serve("another", source_);  // that the items are made of lives on
  ASSERT_THAT(serving_.space().host().Remove("source"), IsOk());
  calling_.space().BreakConnections();
  absl::Status end;
  while (end.ok()) end = items->Next().status();
  EXPECT_EQ(ReasonOf(end), Reason::kObjectGone) << end;
  EXPECT_THAT(end.message(), ::testing::HasSubstr("take items"));
}

TEST_P(Lasting, AnErrorEndsItemsAfterThoseBeforeIt) {
  auto items = calling_.Get("source").Iterate<std::string>("faulty");
  ASSERT_THAT(items, IsOk());
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(**items->Next(), absl::StrCat("item ", i));
  }
  EXPECT_EQ(TypeOf(items->Next().status()), "source.Dry");
}

TEST_P(Lasting, ASlowTakerIsNotOverrun) {
  auto items = calling_.Get("source").Iterate<std::int64_t>("range", 1'000'000);
  ASSERT_THAT(items, IsOk());
  ASSERT_EQ(**items->Next(), 0);
  absl::SleepFor(absl::Milliseconds(50));
  // No more was made than there is room for, and the rest when it is asked for.
  for (std::int64_t i = 1; i < 10'000; ++i) ASSERT_EQ(**items->Next(), i);
}

TEST_P(Lasting, ItemsThatNobodyTakesAnyMoreAreLetGo) {
  {
    auto items =
        calling_.Get("source").Iterate<std::int64_t>("range", 1'000'000);
    ASSERT_THAT(items, IsOk());
    ASSERT_EQ(**items->Next(), 0);
    EXPECT_EQ(source_->lives_, 1);
  }
  EXPECT_TRUE(SoonTrue([&] { return source_->lives_ == 0; }));
}

// They used to stay as long as their caller's process.
TEST_P(Lasting, ItemsThatNobodyEverTookAreLetGo) {
  const Proxy source = calling_.Get("source");
  const ObjectHost& host = serving_.space().host();
  {
    auto items = source.Iterate<std::int64_t>("range", 5);
    ASSERT_THAT(items, IsOk());
    EXPECT_EQ(host.stream_count(), 1u);
  }
  EXPECT_TRUE(SoonTrue([&] { return host.stream_count() == 0; }));
  EXPECT_THAT(source.Batch().Add("range", 5).Add("range", 6).Run().status,
              IsOk());
  EXPECT_TRUE(SoonTrue([&] { return host.stream_count() == 0; }));
  EXPECT_TRUE(SoonTrue([&] { return source_->lives_ == 0; }));
}

TEST_P(Lasting, ItemsOfAnAnswerThatReachesNobodyAreLetGo) {
  const Proxy source = calling_.Get("source");
  const ObjectHost& host = serving_.space().host();
  EXPECT_EQ(ReasonOf(source.With({.timeout = absl::Milliseconds(50)})
                         .Iterate<std::int64_t>("late", 5)
                         .status()),
            Reason::kDeadlineExceeded);
  EXPECT_EQ(host.running_count(), 1);
  source_->Unblock();
  EXPECT_THAT(source.Oneway("range", 5), IsOk());
  EXPECT_THAT(source.Call<std::int64_t>("overlap"), IsOk());
  EXPECT_TRUE(SoonTrue(
      [&] { return host.running_count() == 0 && host.stream_count() == 0; }));
  EXPECT_TRUE(SoonTrue([&] { return source_->lives_ == 0; }));
}

// They used to be waited for for ever: a thread of the gateway whose client had
// hung up never came back.
TEST_P(Lasting, ItemsAreNotWaitedForOnceTheirCallIsCancelled) {
  const Cancellation cancellation;
  auto items = calling_.Get("source")
                   .With({.cancellation = cancellation})
                   .Iterate<std::int64_t>("rare");
  ASSERT_THAT(items, IsOk());
  std::thread leaving([&] {
    absl::SleepFor(absl::Milliseconds(50));
    cancellation.Cancel();
  });
  EXPECT_EQ(ReasonOf(items->Next().status()), Reason::kCallCancelled);
  leaving.join();
  EXPECT_TRUE(
      SoonTrue([&] { return serving_.space().host().stream_count() == 0; }));
  source_->Unblock();
}

// It used to sit there for good, though nobody waited for it any more.
TEST_P(Lasting, AMethodDoesNotWaitForItemsOnceItsOwnCallIsCancelled) {
  const auto taker = std::make_shared<Taker>();
  serving_.Serve("taker", taker);
  const auto taking =
      calling_.Get("taker").Later<void>("take", calling_.Get("source"));
  EXPECT_TRUE(SoonTrue([&] { return taker->is_waiting(); }));
  taking.Cancel();
  EXPECT_EQ(ReasonOf(taking.Get()), Reason::kCallCancelled);
  EXPECT_TRUE(SoonTrue([&] { return taker->was_cancelled(); }));
  source_->Unblock();
}

TEST_P(Lasting, ItemsAreLetGoWhenTheirTakersProcessIsGone) {
  auto gone = std::make_unique<Calling>(serving_);
  auto items = gone->Get("source").Iterate<std::int64_t>("range", 1'000'000);
  ASSERT_THAT(items, IsOk());
  ASSERT_EQ(**items->Next(), 0);
  gone->space().BreakConnections();
  gone->space().host().Stop();
  EXPECT_TRUE(SoonTrue([&] { return source_->lives_ == 0; }));
  EXPECT_EQ(serving_.space().host().stream_count(), 0u);
}

TEST_P(Lasting, AFullQueueIsAnErrorThatSaysSo) {
  const Proxy source = calling_.Get("source");
  std::vector<Future<void>> futures;
  for (int i = 0; i < 7; ++i) futures.push_back(source.Later<void>("block"));
  int refused = 0;
  for (int i = 5; i < 7; ++i) {
    const absl::Status status = futures[static_cast<std::size_t>(i)].Get();
    EXPECT_EQ(ReasonOf(status), Reason::kQueueFull) << status;
    ++refused;
  }
  EXPECT_THAT(source.Call<void>("unblock"), IsOk());
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(futures[static_cast<std::size_t>(i)].Get(), IsOk());
}

TEST_P(Lasting, MethodsMarkedConcurrentRunBesideEachOther) {
  const Proxy source = calling_.Get("source");
  std::vector<Future<std::int64_t>> futures;
  for (int i = 0; i < 3; ++i) {
    futures.push_back(source.Later<std::int64_t>("overlap"));
  }
  std::int64_t most = 0;
  for (const auto& future : futures) most = std::max(most, *future.Get());
  EXPECT_GT(most, 1);
}

// What the issue asks for: 64 threads on one proxy, a host that comes back on
// another port again and again, 10,000 increments.
TEST(Chaos, TenThousandIncrementsAreTenThousand) {
  Serving serving(Transport::kTcp);
  Calling calling(serving);
  const auto tally = std::make_shared<Tally>();
  serving.Serve("tally", tally);
  const Proxy proxy = calling.Get("tally");
  std::atomic<int> left = 10'000;
  std::atomic<bool> done = false;
  int moves = 0;
  std::thread mover([&] {
    for (; !done; ++moves) {
      absl::SleepFor(absl::Milliseconds(30));
      serving.Move();
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 64; ++t) {
    threads.emplace_back([&] {
      while (--left >= 0) EXPECT_THAT(proxy.Call<void>("count"), IsOk());
    });
  }
  for (auto& thread : threads) thread.join();
  done = true;
  mover.join();
  EXPECT_EQ(tally->count(), 10'000);
  EXPECT_GT(moves, 1);
}

// The process is gone for good: every call ends with an error that says what is
// known, and none hangs.
TEST(Chaos, CallsOfAHostThatIsGoneEndWithAClearError) {
  auto serving = std::make_unique<Serving>(Transport::kUnix);
  Serving* where = serving.get();
  Calling calling(*where, {.calls = {.patience = absl::Milliseconds(300)}});
  const auto source = std::make_shared<Source>();
  serving->Serve("source", source);
  serving->Serve("tally", std::make_shared<Tally>());
  const Proxy proxy = calling.Get("source");
  ASSERT_THAT(calling.Get("tally").Call<void>("count"), IsOk());
  auto running = proxy.Later<void>("block");
  absl::SleepFor(absl::Milliseconds(50));
  std::thread leaving([&] { serving->space().StopListening(); });
  EXPECT_EQ(ReasonOf(running.Get()), Reason::kOutcomeUnknown);
  EXPECT_EQ(ReasonOf(calling.Get("tally").Call<void>("count")),
            Reason::kObjectGone);
  source->Unblock();  // it waits for the methods that its threads run
  leaving.join();
}

INSTANTIATE_TEST_SUITE_P(Over, Lasting, ::testing::ValuesIn(kAllTransports),
                         [](const auto& one) { return NameOf(one.param); });

}  // namespace
}  // namespace hearth::testing
