// Calls of clients that wait, at the end of a coordinator and of theirs.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

#include "hearth/base/clock.h"
#include "hearth/matrix/element_type.h"
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

// They used to wait for ever: there was nothing left to show.
TEST_F(WaitingCalls, OfAJobThatIsForgottenAtItsEndAreToldSo) {
  proto::SubmitRequest order;
  order.set_operation("sum");
  order.mutable_record()->mutable_file()->set_path("/data/x.npy");
  order.mutable_record()->mutable_layout()->set_element_type(
      static_cast<std::uint32_t>(ElementType::kFloat64));
  order.mutable_record()->mutable_layout()->add_shape(8);
  proto::JobId job;
  grpc::ClientContext submitting;
  ASSERT_TRUE(stub_->Submit(&submitting, order, &job).ok());
  grpc::ClientContext watching;
  watching.set_deadline(std::chrono::system_clock::now() +
                        std::chrono::seconds(20));
  const auto watch = stub_->Watch(&watching, job);
  proto::JobUpdate update;
  ASSERT_TRUE(watch->Read(&update));
  grpc::ClientContext forgetting;
  proto::JobId forgotten;
  ASSERT_TRUE(stub_->ForgetJob(&forgetting, job, &forgotten).ok());
  grpc::ClientContext cancelling;
  proto::JobSummary summary;
  stub_->CancelJob(&cancelling, job, &summary);
  while (watch->Read(&update)) {
  }
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  server_->Shutdown();
}

}  // namespace
}  // namespace hearth::server
