// Two processes' worth of objects in one, joined by one of the transports: what
// every feature of calls is tried over.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"
#include "hearth/object/declare.h"
#include "hearth/object/proxy.h"
#include "hearth/transport/call/connector.h"
#include "hearth/transport/call/object_space.h"
#include "hearth/transport/control/channel.h"
#include "tests/support/status_matchers.h"

namespace hearth::testing {

// Between two of ours on one host, or over TCP without TLS, gRPC is left out.
enum class Transport { kMemory, kUnix, kTcp, kGrpcUnix, kGrpcTcp };

inline constexpr Transport kAllTransports[] = {
    Transport::kMemory, Transport::kUnix, Transport::kTcp, Transport::kGrpcUnix,
    Transport::kGrpcTcp};

inline std::string NameOf(Transport transport) {
  switch (transport) {
    case Transport::kMemory:
      return "Memory";
    case Transport::kUnix:
      return "Unix";
    case Transport::kTcp:
      return "Tcp";
    case Transport::kGrpcUnix:
      return "GrpcUnix";
    case Transport::kGrpcTcp:
      return "GrpcTcp";
  }
  return "";
}

// A serving process. It may move: close its door and open another one.
class Serving {
 public:
  explicit Serving(Transport transport, ObjectHostOptions options = {})
      : transport_(transport) {
    options.process = "server";
    space_ = ObjectSpace::Make(
        {.host = options,
         .connect = Connector(),
         .connect_plain = PlainConnector(),
         .find = [this](const std::string& name) { return Find(name); }});
    Open();
  }
  ~Serving() { space_->End(); }

  // Where a client finds it now.
  absl::StatusOr<ObjectHandle> Find(const std::string& name) const {
    if (!space_->host().Has(name)) {
      return Error(Reason::kNameUnknown, absl::StrCat("no object ", name));
    }
    return space_->HandleOf(name, name);
  }

  void Open() {
    ObjectListenerOptions options;
    std::string address = absl::StrCat("memory:", ++doors_);
    if (is_unix()) {
      const Address fresh = RandomAbstractAddress();
      options.local = *ListenUnix(fresh, SocketType::kStream);
      address = fresh.ToString();
    } else if (is_tcp()) {
      options.tcp = "127.0.0.1:0";
      options.credentials = grpc::InsecureServerCredentials();
      options.is_tcp_plain = true;
    }
    EXPECT_THAT(space_->Listen(std::move(options)), IsOk());
    if (is_tcp()) address = space_->tcp_address();
    space_->SetAddresses({address});
  }
  // Every connection breaks; the objects stay. Back on another address.
  void Move() {
    space_->StopListening();
    Open();
  }

  template <class T>
  void Serve(const std::string& name, std::shared_ptr<T> object) {
    ASSERT_THAT(space_->host().Add(name, InstanceOf(std::move(object))),
                IsOk());
  }
  ObjectSpace& space() { return *space_; }

  std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(
      const std::string&, absl::Duration)>
  Connector() {
    return [this](const std::string& address, absl::Duration within)
               -> absl::StatusOr<std::shared_ptr<grpc::Channel>> {
      if (address.starts_with("memory:")) {
        if (address != absl::StrCat("memory:", doors_)) {
          return Error(Reason::kObjectGone, "it moved");
        }
        return space_->InProcessChannel();
      }
      HEARTH_ASSIGN_OR_RETURN(const Address parsed, Address::Parse(address));
      return ConnectChannel(
          parsed, {.tcp = {.credentials = grpc::InsecureChannelCredentials()},
                   .deadline = within,
                   .once = true});
    };
  }

  // None for those that go by gRPC.
  std::function<absl::StatusOr<PlainSocket>(const std::string&, absl::Duration)>
  PlainConnector() const {
    if (transport_ != Transport::kUnix && transport_ != Transport::kTcp) {
      return nullptr;
    }
    return PlainConnectorFor({.insecure = true});
  }

 private:
  bool is_unix() const {
    return transport_ == Transport::kUnix || transport_ == Transport::kGrpcUnix;
  }
  bool is_tcp() const {
    return transport_ == Transport::kTcp || transport_ == Transport::kGrpcTcp;
  }

  const Transport transport_;
  int doors_ = 0;
  std::shared_ptr<ObjectSpace> space_;
};

// A calling process.
class Calling {
 public:
  explicit Calling(Serving& serving, ObjectSpaceOptions options = {}) {
    options.host.process = "client";
    options.connect = serving.Connector();
    options.connect_plain = serving.PlainConnector();
    options.find = [&serving](const std::string& name) {
      return serving.Find(name);
    };
    space_ = ObjectSpace::Make(std::move(options));
  }
  ~Calling() { space_->End(); }
  Proxy Get(const std::string& name) { return space_->Named(name); }
  // An object of this process, for others to call back.
  template <class T>
  Proxy Expose(std::shared_ptr<T> object) {
    return Proxy(space_->Bind(*space_->Expose(InstanceOf(std::move(object)))));
  }
  ObjectSpace& space() { return *space_; }

 private:
  std::shared_ptr<ObjectSpace> space_;
};

class CallTest : public ::testing::TestWithParam<Transport> {
 protected:
  Serving serving_{GetParam()};
  Calling calling_{serving_};
};

}  // namespace hearth::testing
