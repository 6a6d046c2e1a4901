// Who is no Hearth: any gRPC client, and whoever sends nonsense.
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <random>

#include "protos/object.grpc.pb.h"
#include "tests/unit/call/two_processes.h"

namespace hearth::testing {
namespace {

struct Item {
  std::string name;
  std::vector<std::optional<std::int32_t>> sizes;
};
auto Describe(As<Item>) {
  return Struct("Item", Field("name", &Item::name),
                Field("sizes", &Item::sizes));
}

class Shelf {
 public:
  std::int64_t Put(const Item& item, double weight) {
    weight_ += weight;
    return std::ssize(item.sizes);
  }
  std::int64_t PutAll(const std::map<std::string, Item>& items) {
    return std::ssize(items);
  }
  double weight() const { return weight_; }
  std::int64_t Double(std::int64_t of) {
    ++doubled_;
    return 2 * of;
  }
  std::int64_t doubled() const { return doubled_; }
  Items<std::int64_t> All() {
    return {[]() -> absl::StatusOr<std::optional<std::int64_t>> {
      return std::nullopt;
    }};
  }

 private:
  double weight_ = 0;
  std::int64_t doubled_ = 0;
};
Class Describe(As<Shelf>) {
  return Declare<Shelf>("Shelf")
      .Method("put", &Shelf::Put, {.parameters = {"item", "weight"}})
      .Method("put_all", &Shelf::PutAll, {.parameters = {"items"}})
      .Method("double", &Shelf::Double, {.exactly_once = true})
      .Method("all", &Shelf::All)
      .Attribute("doubled", &Shelf::doubled)
      .Attribute("weight", &Shelf::weight);
}

class Strangers : public CallTest {
 protected:
  Strangers() {
    serving_.Serve("shelf", std::make_shared<Shelf>());
    const auto handle = serving_.Find("shelf");
    channel_ = *serving_.Connector()(handle->addresses[0], absl::Seconds(5));
  }
  proto::MethodReply CallPlainly(const proto::MethodCall& call) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(5));
    proto::MethodReply reply;
    const grpc::Status status =
        proto::Objects::NewStub(channel_)->Call(&context, call, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }
  static proto::MethodCall Doubling(std::int64_t of) {
    proto::MethodCall call;
    call.set_object("shelf");
    call.set_method("double");
    call.add_arguments()->set_integer(of);
    return call;
  }
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_P(Strangers, AnyGrpcClientCallsWithOneMessage) {
  const auto stub = proto::Objects::NewStub(channel_);
  grpc::ClientContext context;
  proto::MethodCall call;
  call.set_object("shelf");
  call.set_method("weight");
  proto::MethodReply reply;
  ASSERT_TRUE(stub->Call(&context, call, &reply).ok());
  EXPECT_EQ(reply.result().real(), 0);
  EXPECT_TRUE(reply.result().kind_case() == proto::Value::kReal);

  grpc::ClientContext again;
  call.set_method("burn");
  ASSERT_TRUE(stub->Call(&again, call, &reply).ok());
  EXPECT_THAT(reply.error().failure().message(),
              ::testing::HasSubstr("exposes no method \"burn\""));
}

// It used to be answered never, and its server could not end.
TEST_P(Strangers, AOnewayMessageOfAnyGrpcClientIsAnsweredAtOnce) {
  proto::MethodCall call = Doubling(1);
  call.set_id(7);
  call.set_oneway(true);
  const proto::MethodReply reply = CallPlainly(call);
  EXPECT_EQ(reply.id(), 7u);
  EXPECT_FALSE(reply.has_result() || reply.has_error());
  // Calls of one object run in their order.
  EXPECT_EQ(CallPlainly(Doubling(1)).result().integer(), 2);
  EXPECT_EQ(*calling_.Get("shelf").Get<std::int64_t>("doubled"), 2);
}

TEST_P(Strangers, GrpcClientsThatCountAlikeGetTheirOwnResults) {
  for (const std::int64_t of : {1, 2}) {
    proto::MethodCall call = Doubling(of);
    call.set_number(1);
    EXPECT_EQ(CallPlainly(call).result().integer(), 2 * of);
  }
  EXPECT_EQ(serving_.space().host().once_count(), 0u);
}

TEST_P(Strangers, ItemsAreRefusedToWhoHasNoSession) {
  proto::MethodCall call;
  call.set_object("shelf");
  call.set_method("all");
  EXPECT_THAT(CallPlainly(call).error().failure().message(),
              ::testing::HasSubstr("takes a session"));
  EXPECT_EQ(serving_.space().host().stream_count(), 0u);
}

TEST_P(Strangers, AnyGrpcClientListsWhatThereIs) {
  const auto stub = proto::Objects::NewStub(channel_);
  grpc::ClientContext context;
  proto::MethodReply reply;
  ASSERT_TRUE(stub->List(&context, {}, &reply).ok());
  EXPECT_THAT(reply.DebugString(), ::testing::HasSubstr("put_all"));
}

TEST_P(Strangers, HealthIsAnswered) {
  const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check",
                                         grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::ClientContext context;
  grpc::ByteBuffer reply;
  const grpc::Slice empty("", 0);
  const grpc::ByteBuffer request(&empty, 1);
  const grpc::Status status =
      grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
          channel_.get(), method, &context, request, &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  grpc::Slice slice;
  ASSERT_TRUE(reply.DumpToSingleSlice(&slice).ok());
  // HealthCheckResponse{status = SERVING}.
  EXPECT_EQ(
      std::string(reinterpret_cast<const char*>(slice.begin()), slice.size()),
      std::string("\x08\x01"));
}

// Values of every kind, nested anyhow.
class Nonsense {
 public:
  Value Any(int depth) {
    switch (Below(depth > 3 ? 7 : 12)) {
      case 0:
        return Value();
      case 1:
        return Value(Below(2) == 1);
      case 2:
        return Value(static_cast<std::int64_t>(random_()));
      case 3:
        return Value(static_cast<std::uint64_t>(random_()));
      case 4:
        return Value(static_cast<double>(random_()) / 7);
      case 5:
        return Value(Text());
      case 6:
        return Value(ValueBytes{Text()});
      case 7:
        return Value(Many(depth));
      case 8:
        return Value(ValueTuple{Many(depth)});
      case 9: {
        Value::Map map;
        for (Value& key : Many(depth)) {
          map.emplace_back(std::move(key), Any(depth + 1));
        }
        return Value(std::move(map));
      }
      case 10:
        return Value(
            ValueStruct{Below(2) == 1 ? "Item" : Text(),
                        {{"name", Any(depth + 1)}, {"sizes", Any(depth + 1)}}});
      default:
        return Value(ObjectHandle{.name = Text(), .key = Text()});
    }
  }
  std::vector<Value> Many(int depth) {
    std::vector<Value> values;
    for (std::uint64_t i = Below(4); i > 0; --i)
      values.push_back(Any(depth + 1));
    return values;
  }
  std::string Text() {
    std::string text(Below(12), ' ');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

 private:
  std::mt19937_64 random_{20261123};
};

TEST_P(Strangers, NonsenseIsAnErrorEachAndTheHostLives) {
  Nonsense nonsense;
  const Proxy shelf = calling_.Get("shelf");
  const char* const methods[] = {"put", "put_all", "weight", "weight=", ""};
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t chosen = nonsense.Below(6);
    const std::string method = chosen == 5 ? nonsense.Text() : methods[chosen];
    const auto result = shelf.CallValues(method, nonsense.Many(0));
    if (result.ok()) continue;
    ++refused;
    EXPECT_FALSE(result.status().message().empty());
  }
  EXPECT_GT(refused, 1500);
  EXPECT_THAT(shelf.Get<double>("weight"), IsOk());
}

TEST_P(Strangers, TextsOfAnyBytesArriveAsTheyAre) {
  const Item item{.name = "\xff\xfe not UTF-8", .sizes = {1, 2}};
  EXPECT_EQ(*calling_.Get("shelf").Call<std::int64_t>("put", item, 1.0), 2);
}

INSTANTIATE_TEST_SUITE_P(Over, Strangers, ::testing::ValuesIn(kAllTransports),
                         [](const auto& one) { return NameOf(one.param); });

}  // namespace
}  // namespace hearth::testing
