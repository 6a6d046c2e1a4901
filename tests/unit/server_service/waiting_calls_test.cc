// Calls of clients that wait, at the end of a coordinator and of theirs.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

#include "hearth/base/clock.h"
#include "server/service/coordinator_service.h"

namespace hearth::server {
namespace {

// A coordinator without a port, and a client that waits for a worker of it.
class WaitingCalls : public ::testing::Test {
 protected:
  WaitingCalls() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = proto::Coordinator::NewStub(server_->InProcessChannel({}));
  }
  // `given_up`: soon, or when the server has long ended.
  grpc::Status WaitReady(bool given_up) {
    grpc::ClientContext context;
    context.set_deadline(
        std::chrono::system_clock::now() +
        (given_up ? std::chrono::milliseconds(50) : std::chrono::minutes(5)));
    proto::WaitReadyRequest request;
    request.set_workers(1);
    proto::ClusterInfo reply;
    return stub_->WaitReady(&context, request, &reply);
  }

  CoordinatorService service_{CoordinatorOptions(), Clock::Real()};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<proto::Coordinator::Stub> stub_;
};

// The server used to wait for them for ever.
TEST_F(WaitingCalls, AreToldToAskAgainWhenTheCoordinatorEnds) {
  grpc::Status early;
  std::thread waiting([&] { early = WaitReady(false); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  service_.End();
  waiting.join();
  EXPECT_EQ(early.error_code(), grpc::StatusCode::UNAVAILABLE);
  // Such a one is asked again: see CoordinatorClient.
  EXPECT_EQ(early.error_details(), "");
  EXPECT_EQ(WaitReady(false).error_code(), grpc::StatusCode::UNAVAILABLE);
  server_->Shutdown();
}

// They used to stay open: without End, too, the server is to get to its end.
TEST_F(WaitingCalls, EndWithTheirClients) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(WaitReady(true).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  server_->Shutdown();
}

}  // namespace
}  // namespace hearth::server
