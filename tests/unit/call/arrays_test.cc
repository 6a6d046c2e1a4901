// Arrays of any size, as arguments, results and items: as a sealed segment
// where both ends are on one host, in pieces elsewhere.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

#include "hearth/base/limits.h"
#include "hearth/transport/call/attachment.h"
#include "hearth/transport/call/outbox.h"
#include "tests/unit/call/two_processes.h"

namespace hearth::testing {
namespace {

ValueArray Bytes(std::int64_t count, char first) {
  std::string bytes(static_cast<std::size_t>(count), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(first + static_cast<char>(i % 251));
  }
  return {MatrixLayout{.type = ElementType::kUint8, .shape = {count}},
          std::move(bytes)};
}

// How many segments of calls this process maps, or holds a descriptor of.
int SegmentsHere() {
  int count = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    count += line.find("memfd:hearth-call") != std::string::npos;
  }
  DIR* const folder = opendir("/proc/self/fd");
  while (const dirent* const one = readdir(folder)) {
    char target[256] = {};
    const std::string path = absl::StrCat("/proc/self/fd/", one->d_name);
    if (readlink(path.c_str(), target, sizeof(target) - 1) > 0) {
      count +=
          std::string(target).find("memfd:hearth-call") != std::string::npos;
    }
  }
  closedir(folder);
  return count;
}

class Mirror {
 public:
  ValueArray Echo(const ValueArray& array) {
    ++(array.bytes.is_own() ? own_ : shared_);
    return array;
  }
  Value::List Nested(Value value) { return {Value(1), std::move(value)}; }
  std::int64_t Keep(const ValueArray& array) {
    kept_.push_back(array);
    return std::ssize(kept_);
  }
  void Forget() { kept_.clear(); }
  Items<ValueArray> Many(std::int64_t count, std::int64_t bytes) {
    auto made = std::make_shared<std::int64_t>(0);
    return {[=]() -> absl::StatusOr<std::optional<ValueArray>> {
      if (*made == count) return std::nullopt;
      return Bytes(bytes, static_cast<char>((*made)++));
    }};
  }
  ValueArray Once(std::int64_t bytes) { return Bytes(bytes, 'o'); }
  std::int64_t own() const { return own_; }
  std::int64_t shared() const { return shared_; }

 private:
  std::int64_t own_ = 0;
  std::int64_t shared_ = 0;
  std::vector<ValueArray> kept_;
};
Class Describe(As<Mirror>) {
  return Declare<Mirror>("Mirror")
      .Method("echo", &Mirror::Echo, {.parameters = {"array"}})
      .Method("nested", &Mirror::Nested, {.parameters = {"value"}})
      .Method("keep", &Mirror::Keep, {.parameters = {"array"}})
      .Method("forget", &Mirror::Forget)
      .Method("many", &Mirror::Many, {.parameters = {"count", "bytes"}})
      .Method("once", &Mirror::Once,
              {.parameters = {"bytes"}, .exactly_once = true})
      .Attribute("own", &Mirror::own)
      .Attribute("shared", &Mirror::shared);
}

class Arrays : public CallTest {
 protected:
  Arrays() { serving_.Serve("mirror", std::make_shared<Mirror>()); }
  Proxy mirror_ = calling_.Get("mirror");
};

constexpr std::int64_t kLarge = 3 * limits::kMiB + 5;

TEST_P(Arrays, OfEverySizeArriveAsTheyAre) {
  for (const std::int64_t bytes :
       {std::int64_t{0}, std::int64_t{1}, limits::kArrayInlineBytesMax - 1,
        limits::kArrayInlineBytesMax, limits::kPieceBytesMax,
        limits::kPieceBytesMax + 1, kLarge}) {
    const ValueArray sent = Bytes(bytes, 'a');
    const auto back = mirror_.Call<ValueArray>("echo", sent);
    ASSERT_THAT(back, IsOk());
    EXPECT_TRUE(*back == sent) << bytes;
    EXPECT_EQ(back->bytes.is_own(), bytes < limits::kArrayInlineBytesMax);
  }
  EXPECT_EQ(*mirror_.Get<std::int64_t>("own"), 3);
  EXPECT_EQ(*mirror_.Get<std::int64_t>("shared"), 4);
}

TEST_P(Arrays, BeyondWhatAMessageTakesArriveToo) {
  constexpr std::int64_t kBytes = limits::kCallBytesMax + 12 * limits::kMiB;
  const ValueArray sent = Bytes(kBytes, 'b');
  const auto back = mirror_.Call<ValueArray>("echo", sent);
  ASSERT_THAT(back, IsOk());
  EXPECT_TRUE(*back == sent);
}

TEST_P(Arrays, AreWhereverAValueMayBe) {
  Value::Map map;
  map.emplace_back(Value("x"), Value(Bytes(kLarge, 'x')));
  map.emplace_back(Value("y"),
                   Value(ValueTuple{{Value(Bytes(kLarge, 'y')), Value(2)}}));
  const Value sent(ValueStruct{
      "Pair", {{"map", Value(std::move(map))}, {"z", Value(Bytes(9, 'z'))}}});
  const auto back = mirror_.CallValues("nested", {sent});
  ASSERT_THAT(back, IsOk());
  ASSERT_NE(back->get<Value::List>(), nullptr);
  EXPECT_TRUE(back->get<Value::List>()->at(1) == sent);
}

TEST_P(Arrays, OfManyCallsDoNotMixUp) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 4; ++round) {
        const ValueArray sent =
            Bytes(limits::kMiB + 1000 * i, static_cast<char>('a' + i));
        const auto back = mirror_.Call<ValueArray>("echo", sent);
        ASSERT_THAT(back, IsOk());
        EXPECT_TRUE(*back == sent);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(Arrays, GoInBatchesLaterCallsAndOnewayCalls) {
  auto batch = mirror_.Batch();
  for (int i = 0; i < 3; ++i) batch.Add("echo", Bytes(kLarge, 'c'));
  const auto done = batch.Run();
  ASSERT_THAT(done.status, IsOk());
  ASSERT_EQ(done.values.size(), 3);
  EXPECT_TRUE(*done.values[2].get<ValueArray>() == Bytes(kLarge, 'c'));

  auto later = mirror_.Later<ValueArray>("echo", Bytes(kLarge, 'd'));
  const auto back = later.Get();
  ASSERT_THAT(back, IsOk());
  EXPECT_TRUE(*back == Bytes(kLarge, 'd'));

  ASSERT_THAT(mirror_.Oneway("keep", Bytes(kLarge, 'e')), IsOk());
  EXPECT_EQ(*mirror_.Call<std::int64_t>("keep", Bytes(kLarge, 'f')), 2);
}

TEST_P(Arrays, AreItemsOfStreams) {
  auto items = mirror_.Iterate<ValueArray>("many", 5, kLarge);
  ASSERT_THAT(items, IsOk());
  for (int i = 0; i < 5; ++i) {
    const auto item = items->Next();
    ASSERT_THAT(item, IsOk());
    ASSERT_TRUE(item->has_value());
    EXPECT_TRUE(**item == Bytes(kLarge, static_cast<char>(i)));
  }
  EXPECT_FALSE((*items->Next()).has_value());
}

TEST_P(Arrays, OfExactlyOnceCallsAreKeptForWhoAsksAgain) {
  const auto first = mirror_.Call<ValueArray>("once", kLarge);
  ASSERT_THAT(first, IsOk());
  EXPECT_TRUE(*first == Bytes(kLarge, 'o'));
}

TEST_P(Arrays, AreGivenBackWithTheLastViewOfThem) {
  const int before = SegmentsHere();
  EXPECT_EQ(*mirror_.Call<std::int64_t>("keep", Bytes(kLarge, 'k')), 1);
  auto back = mirror_.Call<ValueArray>("echo", Bytes(kLarge, 'm'));
  ASSERT_THAT(back, IsOk());
  const ArrayBytes view = back->bytes;
  *back = ValueArray{};
  EXPECT_EQ(view.view(), Bytes(kLarge, 'm').bytes.view());
  EXPECT_GT(SegmentsHere(), before);
  EXPECT_THAT(mirror_.Call<void>("forget"), IsOk());
  const_cast<ArrayBytes&>(view) = ArrayBytes();
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  while (SegmentsHere() > before && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(SegmentsHere(), before);
}

TEST_P(Arrays, OfCallsThatNeverArriveLeaveNothing) {
  const int before = SegmentsHere();
  EXPECT_EQ(ReasonOf(calling_.Get("nobody")
                         .With({.timeout = absl::Seconds(5)})
                         .Call<ValueArray>("echo", Bytes(kLarge, 'n'))
                         .status()),
            Reason::kNameUnknown);
  EXPECT_THAT(mirror_.Call<ValueArray>("burn", Bytes(kLarge, 'n')).status(),
              ::testing::Not(IsOk()));
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  while (SegmentsHere() > before && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(SegmentsHere(), before);
}

INSTANTIATE_TEST_SUITE_P(Over, Arrays, ::testing::ValuesIn(kAllTransports),
                         [](const auto& one) { return NameOf(one.param); });

// -------------------------------------------------------------- untrusted ends

UniqueFd Memfd(std::int64_t bytes, int seals) {
  UniqueFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(fd.get(), bytes), 0);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}
constexpr int kSealed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

TEST(Attachment, BelievesNoDescriptorBeforeItHasLooked) {
  EXPECT_THAT(Attachment::Adopt(Memfd(4096, kSealed), 4096), IsOk());
  EXPECT_EQ(ReasonOf(Attachment::Adopt(Memfd(4096, kSealed), 8192).status()),
            Reason::kBadUsage);
  EXPECT_EQ(
      ReasonOf(Attachment::Adopt(Memfd(4096, F_SEAL_SHRINK), 4096).status()),
      Reason::kBadUsage);
  EXPECT_EQ(
      ReasonOf(Attachment::Adopt(UniqueFd(open("/dev/zero", O_RDONLY)), 4096)
                   .status()),
      Reason::kBadUsage);
}

// Holes that are read become pages of whoever reads.
TEST(Attachment, OfHolesIsCheckedAgainstTheMemory) {
  constexpr std::int64_t kTooMuch = std::int64_t{1} << 45;
  const auto taken = Attachment::Adopt(Memfd(kTooMuch, kSealed), kTooMuch);
  EXPECT_EQ(ReasonOf(taken.status()), Reason::kOutOfMemory);
}

TEST(Attachment, GivesOnlyWhatLiesWithin) {
  auto made = std::make_shared<Attachment>();
  EXPECT_EQ(made->Add(std::string(100, 'a')), 0);
  EXPECT_EQ(made->Add(std::string(100, 'b')), 128);
  std::string apart;
  for (std::int64_t at = 0; at < made->bytes(); at += 50) {
    made->Append(at, std::min<std::int64_t>(50, made->bytes() - at), apart);
  }
  ASSERT_THAT(made->Share(), IsOk());
  std::string whole;
  made->Append(0, made->bytes(), whole);
  EXPECT_EQ(apart, whole);
  EXPECT_EQ(made->At(128, 100)->view(), std::string(100, 'b'));
  for (const auto& [offset, bytes] :
       {std::pair<std::uint64_t, std::int64_t>{128, 101},
        {192, 37},
        {7, 1},
        {std::uint64_t{0} - 64, 64},
        {256, 0}}) {
    EXPECT_EQ(ReasonOf(made->At(offset, bytes).status()), Reason::kBadUsage)
        << offset << " " << bytes;
  }
}

TEST(AttachmentPieces, AreAnErrorOfTheirFrameAlone) {
  AttachmentPieces pieces;
  pieces.Add(10, "01234");
  pieces.Add(0, "56789");
  auto whole = pieces.Take(10);
  ASSERT_THAT(whole, IsOk());
  EXPECT_EQ((*whole)->At(0, 10)->view(), "0123456789");

  pieces.Add(10, "01234");
  EXPECT_EQ(ReasonOf(pieces.Take(10).status()), Reason::kBadUsage);
  pieces.Add(3, "01234");
  EXPECT_EQ(ReasonOf(pieces.Take(5).status()), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(pieces.Take(5).status()), Reason::kBadUsage);
  pieces.Add(std::uint64_t{1} << 50, "0");
  EXPECT_EQ(ReasonOf(pieces.Take(1).status()), Reason::kOutOfMemory);
  pieces.Add(~std::uint64_t{0}, "0");
  EXPECT_EQ(ReasonOf(pieces.Take(1).status()), Reason::kBadUsage);

  pieces.Add(2, "ok");
  EXPECT_THAT(pieces.Take(2), IsOk());
}

TEST(Outbox, SendsWhatIsAttachedInPiecesBeforeItsFrame) {
  auto attached = std::make_shared<Attachment>();
  attached->Add(std::string(2 * limits::kPieceBytesMax + 1, 'x'));
  Outbox outbox;
  proto::Frame frame;
  frame.mutable_bye();
  outbox.Add(frame);
  outbox.Add(frame, attached);
  outbox.Add(frame);
  std::string told;
  proto::Envelope message;
  while (!outbox.empty()) {
    outbox.Take(message, nullptr);
    for (const proto::Frame& one : message.frames()) {
      absl::StrAppend(
          &told,
          one.has_piece() ? one.piece().data().size() : one.attached_bytes(),
          " ");
    }
    absl::StrAppend(&told, "| ");
  }
  EXPECT_EQ(told, "0 | 1048576 | 1048576 | 1 | 2097153 0 | ");
  EXPECT_EQ(outbox.bytes(), 0);
}

}  // namespace
}  // namespace hearth::testing
