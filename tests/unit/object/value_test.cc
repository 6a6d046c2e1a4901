// Values, conversions, JSON, and calling by name.
#include <gmock/gmock.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/object/call_error.h"
#include "hearth/object/declare.h"
#include "hearth/object/json.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;

struct Point {
  double x = 0;
  double y = 0;
  friend bool operator==(const Point&, const Point&) = default;
};
auto Describe(As<Point>) {
  return Struct("Point", Field("x", &Point::x), Field("y", &Point::y));
}
struct Shape2 {
  std::string name;
  std::vector<Point> corners;
  std::optional<Point> centre;
  friend bool operator==(const Shape2&, const Shape2&) = default;
};
auto Describe(As<Shape2>) {
  return Struct("Shape", Field("name", &Shape2::name),
                Field("corners", &Shape2::corners),
                Field("centre", &Shape2::centre));
}

template <class T>
T Again(T value) {
  Value made = Type<T>::Make(value);
  T out{};
  std::string fault;
  EXPECT_TRUE(Type<T>::Read(made, out, fault)) << fault;
  return out;
}
template <class T>
std::string FaultOf(Value value) {
  T out{};
  std::string fault;
  EXPECT_FALSE(Type<T>::Read(value, out, fault));
  return fault;
}

TEST(Conversion, KeepsWhatItConverts) {
  EXPECT_EQ(Again<std::int8_t>(-7), -7);
  EXPECT_EQ(Again<std::uint64_t>(UINT64_MAX), UINT64_MAX);
  EXPECT_EQ(Again<float>(1.5F), 1.5F);
  EXPECT_EQ(Again(std::string("\0x", 2)), std::string("\0x", 2));
  EXPECT_EQ(Again(std::optional<int>()), std::nullopt);
  EXPECT_EQ(Again(std::map<std::string, std::vector<int>>{{"a", {1, 2}}}),
            (std::map<std::string, std::vector<int>>{{"a", {1, 2}}}));
  EXPECT_EQ(Again(std::tuple(1, std::string("b"), 2.5)),
            std::tuple(1, std::string("b"), 2.5));
  const Shape2 shape{"square", {{0, 0}, {1, 1}}, Point{0.5, 0.5}};
  EXPECT_EQ(Again(shape), shape);
}

TEST(Conversion, RefusesNumbersThatDoNotFit) {
  EXPECT_EQ(FaultOf<std::int8_t>(Value(128)), "expects int8, got int64 128");
  EXPECT_EQ(FaultOf<std::uint32_t>(Value(-1)), "expects uint32, got int64 -1");
  EXPECT_EQ(FaultOf<int>(Value(2.5)), "expects int32, got float64 2.5");
}

TEST(Conversion, SaysWhereInsideSomethingIsWrong) {
  Value shape = Type<Shape2>::Make({"s", {{0, 0}}, {}});
  auto& corners =
      *shape.get<ValueStruct>()->fields[1].second.get<Value::List>();
  corners[0].get<ValueStruct>()->fields[1].second = Value("up");
  EXPECT_EQ(FaultOf<Shape2>(shape),
            "field \"corners\" item 0 field \"y\" expects float64, got string");
}

TEST(Conversion, ReadsAStructFromAMapAsJsonHasIt) {
  Value value = *FromJson(R"({"x": 1, "y": 2.5})");
  Point point;
  std::string fault;
  ASSERT_TRUE(Type<Point>::Read(value, point, fault)) << fault;
  EXPECT_EQ(point, (Point{1, 2.5}));
}

TEST(Conversion, NamesAMissingField) {
  EXPECT_EQ(FaultOf<Point>(*FromJson(R"({"x": 1})")),
            "has no field \"y\" of struct Point");
}

TEST(Json, SaysWhatItReads) {
  const std::string text =
      R"({"a":[1,-2,2.5,true,null,"x"],"b":{"$bytes":"aGk="}})";
  EXPECT_EQ(ToJson(*FromJson(text)), text);
  const std::string array =
      R"({"$array":"float64","shape":[2],"values":[1.0,2.5]})";
  EXPECT_EQ(ToJson(*FromJson(array)), array);
}

TEST(Json, SaysWhatItCanNotRead) {
  EXPECT_EQ(ToJson(Value(MatrixHandle{"m"})), R"({"$matrix":"m"})");
  EXPECT_EQ(ToJson(Value(ObjectHandle{.name = "o", .class_name = "C"})),
            R"({"$object":"o","class":"C"})");
  EXPECT_EQ(ToJson(Value(ValueStream{.id = 7})), R"({"$stream":7})");
  EXPECT_EQ(ToJson(Value(ValueStruct{"P", {{"x", Value(std::nan(""))}}})),
            R"({"x":"nan"})");
  EXPECT_EQ(ToJson(Value(ValueTuple{{Value(1), Value()}})), "[1,null]");
  EXPECT_EQ(ToJson(Value(Value::Map{})), "{}");
  EXPECT_EQ(ToJson(Value(Value::Map{{Value(1), Value("a")}})), R"([[1,"a"]])");
  EXPECT_EQ(ToJson(Value(Value::Map{{"a", Value(1)}, {"a", Value(2)}})),
            R"([["a",1],["a",2]])");
}

TEST(Json, SaysLongTextsAndArraysWhole) {
  // They are written in parts, of which none may cut a character.
  for (int shift = 0; shift < 3; ++shift) {
    std::string text(static_cast<std::size_t>(shift), 'a');
    while (text.size() < 200'000) text += "\u20ac";
    EXPECT_EQ(ToJson(Value(text)), '"' + text + '"');
  }
  EXPECT_EQ(ToJson(Value("a\xff\n")), "\"a\xEF\xBF\xBD\\n\"");
  for (const std::int64_t count : {0, 1, 4096, 4097, 10'000}) {
    auto layout = MatrixLayout::Make(ElementType::kUint8, ByteOrder::kNative,
                                     Order::kC, {count});
    const Value array(ValueArray{
        *layout, std::string(static_cast<std::size_t>(count), '\7')});
    const std::string text = ToJson(array);
    EXPECT_EQ(*FromJson(text), array) << count;
    EXPECT_EQ(ToJson(*FromJson(text)), text) << count;
  }
}

TEST(Json, StopsWhereThereIsNoRoom) {
  const Value value =
      *FromJson(R"([{"a":"x","b":[1.5]},{"$bytes":"aGk="},)"
                R"({"$array":"uint8","shape":[3],"values":[1,2,3]}])");
  const std::string text = ToJson(value);
  EXPECT_EQ(ToJson(value, text.size()), text);
  for (std::size_t room = 0; room < text.size(); ++room) {
    EXPECT_EQ(ToJson(value, room), std::nullopt) << room;
  }
  // An array of zeros had taken the coordinator 40 bytes for each.
  auto layout = MatrixLayout::Make(ElementType::kUint8, ByteOrder::kNative,
                                   Order::kC, {1'000'000});
  EXPECT_EQ(ToJson(Value(ValueArray{*layout, std::string(1'000'000, '\0')}),
                   1'500'000),
            std::nullopt);
}

TEST(Json, RefusesWhatIsReadInTwoWays) {
  const auto said = [](const char* text) {
    const auto read = FromJson(text);
    EXPECT_EQ(ReasonOf(read.status()), Reason::kBadUsage) << text;
    return std::string(read.status().message());
  };
  EXPECT_THAT(said("[18446744073709551616]"), HasSubstr("64 bits"));
  EXPECT_THAT(said("-9223372036854775809"), HasSubstr("64 bits"));
  EXPECT_THAT(said(R"({"a": {"b": 1, "b": 2}})"), HasSubstr("\"b\" is given"));
  EXPECT_EQ(*FromJson("18446744073709551615"), Value(UINT64_MAX));
  EXPECT_EQ(*FromJson("-9223372036854775808"), Value(INT64_MIN));
  EXPECT_EQ(*FromJson("18446744073709551616.0"), Value(18446744073709551616.0));
  EXPECT_EQ(*FromJson("1e30"), Value(1e30));
  EXPECT_TRUE(FromJson(R"([{"a": 1}, {"a": {"a": 2}}])").ok());
}

TEST(Json, ReadsAnArrayInTheOrderThatItSays) {
  // It had read Fortran's values as C's, so that an array came back as another.
  const std::string text =
      R"({"$array":"int32","shape":[2,3],"order":"F","values":[0,3,1,4,2,5]})";
  const Value array = *FromJson(text);
  EXPECT_EQ(ToJson(array), text);
  EXPECT_EQ(array.get<ValueArray>()->layout.order, Order::kFortran);
  EXPECT_EQ(
      *FromJson(R"({"$array":"int32","shape":[2],"order":"C","values":[1,2]})"),
      *FromJson(R"({"$array":"int32","shape":[2],"values":[1,2]})"));
  for (const char* more :
       {R"("order":"A")", R"("order":1)", R"("ordre":"F")"}) {
    const auto read = FromJson(absl::StrCat(
        R"({"$array":"int32","shape":[0],"values":[],)", more, "}"));
    EXPECT_EQ(ReasonOf(read.status()), Reason::kBadUsage) << more;
    EXPECT_THAT(read.status().message(), HasSubstr("leave it out")) << more;
  }
}

TEST(Json, SaysWhichNumberOfAnArrayDoesNotFit) {
  const auto said = [](absl::string_view type, absl::string_view values) {
    const auto read = FromJson(absl::StrCat(
        R"({"$array":")", type, R"(","shape":[2],"values":[)", values, "]}"));
    EXPECT_EQ(ReasonOf(read.status()), Reason::kBadUsage) << values;
    return std::string(read.status().message());
  };
  EXPECT_THAT(said("uint8", "1, -1"),
              HasSubstr("number 2 of 2 is -1, which is no uint8"));
  EXPECT_THAT(said("int64", "9223372036854775808, 0"),
              HasSubstr("number 1 of 2 is 9223372036854775808, which is no "
                        "int64"));
  EXPECT_THAT(said("float32", "0, 1e300"),
              HasSubstr("is 1e+300, which is no float32"));
  EXPECT_THAT(said("int32", R"("x", 1)"), HasSubstr("is \"x\", which"));
  EXPECT_THAT(said("int32", "[], 1"), HasSubstr("is an array, which"));
  EXPECT_THAT(said("int32", "1"), HasSubstr("needs 2 numbers, there are 1"));
}

TEST(Json, RefusesArraysOfNoShape) {
  for (const char* shape : {"[-1]", "[4611686018427387904, 4]", "[1.5]"}) {
    const std::string text = std::string(R"({"$array": "int32", "shape": )") +
                             shape + R"(, "values": []})";
    EXPECT_EQ(ReasonOf(FromJson(text).status()), Reason::kBadUsage) << text;
  }
}

TEST(Json, RefusesWhatIsNone) {
  for (const char* text :
       {"", "{", "[1,", "nope", "{\"$odd\": 1}", "{\"$array\": \"float64\"}"}) {
    EXPECT_EQ(ReasonOf(FromJson(text).status()), Reason::kBadUsage) << text;
  }
  EXPECT_EQ(ReasonOf(FromJson(std::string(100'000, '[')).status()),
            Reason::kTooLarge);
}

class Account {
 public:
  explicit Account(double balance) : balance_(balance) {}
  absl::Status Draw(double amount) {
    if (amount > balance_) {
      return TypedError("bank.InsufficientFunds", "not enough");
    }
    balance_ -= amount;
    return absl::OkStatus();
  }
  double balance() const { return balance_; }

 private:
  double balance_;
};
Class Describe(As<Account>) {
  return Declare<Account>("Account", {.doc = "Money."})
      .Constructor<double>({"balance"})
      .Method("draw", &Account::Draw, {.parameters = {"amount"}})
      .Attribute("balance", &Account::balance);
}

absl::StatusOr<Value> Call(const std::shared_ptr<void>& object,
                           const std::string& method,
                           std::vector<Value> arguments) {
  CallContext context;
  const Class& of = *ClassOf<Account>();
  const auto found = FindMethod(of, "mine", method);
  if (!found.ok()) return found.status();
  return Invoke(of, **found, object.get(), context, arguments);
}

TEST(Dispatch, CallsByNameWithCheckedArguments) {
  std::vector<Value> arguments = {Value(10)};
  const auto account = Construct(*ClassOf<Account>(), arguments);
  ASSERT_TRUE(account.ok());
  EXPECT_TRUE(Call(*account, "draw", {Value(4)}).ok());
  EXPECT_EQ(*Call(*account, "balance", {}), Value(6.0));
  EXPECT_EQ(TypeOf(Call(*account, "draw", {Value(7)}).status()),
            "bank.InsufficientFunds");
  EXPECT_THAT(
      std::string(Call(*account, "draw", {Value("all")}).status().message()),
      HasSubstr("parameter \"amount\" expects float64, got string"));
  EXPECT_THAT(std::string(Call(*account, "rob", {}).status().message()),
              HasSubstr("it has balance, draw"));
}

TEST(Dispatch, OptionalParametersAtTheEndMayBeLeftOut) {
  Method method;
  method.name = "add";
  method.parameters = {{"amount", "int64"}, {"times", "int64", true}};
  method.invoke = [](void*, CallContext&, std::vector<Value>& arguments) {
    return Value(static_cast<int>(arguments.size()));
  };
  Class of;
  of.name = "Counter";
  CallContext context;
  const auto given = [&](std::vector<Value> arguments) {
    return Invoke(of, method, nullptr, context, arguments);
  };
  EXPECT_EQ(*given({Value(1)}), Value(1));
  EXPECT_EQ(*given({Value(1), Value(2)}), Value(2));
  EXPECT_THAT(given({}).status().message(),
              HasSubstr("takes 1 to 2 arguments (amount: int64, times: int64 "
                        "(may be left out)), got 0"));
  EXPECT_FALSE(given({Value(1), Value(2), Value(3)}).ok());
}

TEST(Interrupts, AskOfTheInnermostScopeAndKeepItsYes) {
  EXPECT_FALSE(InterruptScope::Any());
  EXPECT_FALSE(InterruptScope::Interrupted());
  int asked = 0;
  const InterruptScope outer([] { return false; });
  {
    const InterruptScope inner([&] { return ++asked == 2; });
    EXPECT_FALSE(InterruptScope::Interrupted());
    EXPECT_TRUE(InterruptScope::Interrupted());
    EXPECT_TRUE(InterruptScope::Interrupted());
  }
  EXPECT_EQ(asked, 2);
  EXPECT_TRUE(InterruptScope::Any());
  EXPECT_FALSE(InterruptScope::Interrupted());
}

TEST(Dispatch, ConstructorsAreCheckedToo) {
  std::vector<Value> arguments = {Value("much")};
  EXPECT_THAT(
      std::string(Construct(*ClassOf<Account>(), arguments).status().message()),
      HasSubstr("parameter \"balance\" expects float64, got string"));
}

}  // namespace
}  // namespace hearth
