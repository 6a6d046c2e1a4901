// A coordinator whose journal's disk is full.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "hearth/base/clock.h"
#include "hearth/matrix/element_type.h"
#include "server/service/coordinator_service.h"

namespace hearth::server {
namespace {

// While one is there, files do not grow.
class FullDisk {
 public:
  FullDisk() {
    before_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit none{1, limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit limit_{};
  void (*before_)(int) = nullptr;
};

class FullJournal : public ::testing::Test {
 protected:
  FullJournal() {
    char name[] = "/tmp/full-journal-test-XXXXXX";
    directory_ = mkdtemp(name);
    auto journal = Journal::Open(directory_ / "state");
    EXPECT_TRUE(journal.ok()) << journal.status();
    EXPECT_TRUE(service_.Resume(*std::move(journal), {}).ok());
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = proto::Coordinator::NewStub(server_->InProcessChannel({}));
  }
  ~FullJournal() override {
    server_->Shutdown();
    std::filesystem::remove_all(directory_);
  }

  static proto::MatrixRecord Numbers(std::int64_t count) {
    proto::MatrixRecord record;
    record.mutable_file()->set_path("/data/x.npy");
    record.mutable_layout()->set_element_type(
        static_cast<std::uint32_t>(ElementType::kFloat64));
    record.mutable_layout()->add_shape(count);
    record.set_sealed(true);
    return record;
  }
  bool Put(const std::string& name, std::int64_t count) {
    grpc::ClientContext context;
    proto::PutMatrixRequest request;
    *request.mutable_record() = Numbers(count);
    request.mutable_record()->set_name(name);
    request.set_replace(true);
    proto::MatrixInfo reply;
    return stub_->PutMatrix(&context, request, &reply).ok();
  }
  // How many numbers it has; 0 where there is no such matrix.
  std::int64_t Count(const std::string& name) {
    grpc::ClientContext context;
    proto::MatrixName request;
    request.set_name(name);
    proto::MatrixInfo reply;
    if (!stub_->GetMatrix(&context, request, &reply).ok()) return 0;
    return reply.record().layout().shape(0);
  }
  bool Submit() {
    grpc::ClientContext context;
    proto::SubmitRequest request;
    request.set_operation("sum");
    *request.mutable_record() = Numbers(8);
    proto::JobId reply;
    return stub_->Submit(&context, request, &reply).ok();
  }

  std::filesystem::path directory_;
  CoordinatorService service_{CoordinatorOptions(), Clock::Real()};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<proto::Coordinator::Stub> stub_;
};

TEST_F(FullJournal, LeavesAMatrixThatCouldNotBeReplaced) {
  ASSERT_TRUE(Put("m", 8));
  {
    const FullDisk full;
    EXPECT_FALSE(Put("m", 16));
    EXPECT_EQ(Count("m"), 8);
    EXPECT_FALSE(Put("new", 16));
    EXPECT_EQ(Count("new"), 0);
  }
  EXPECT_TRUE(Put("m", 16));
  EXPECT_EQ(Count("m"), 16);
}

// A matrix that waited to be written made every later answer an error, and what
// was asked for happened all the same.
TEST_F(FullJournal, RefusesNoJobForAMatrixThatCouldNotBeWritten) {
  ASSERT_TRUE(Put("m", 8));
  const FullDisk full;
  EXPECT_FALSE(Put("m", 16));
  EXPECT_TRUE(Submit());
}

}  // namespace
}  // namespace hearth::server
