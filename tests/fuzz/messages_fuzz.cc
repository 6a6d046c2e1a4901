// What workers and clients say to a coordinator, read and then acted upon; the
// first byte says which message it is.
#include "server/core/coordinator_core.h"
#include "server/service/wire.h"
#include "tests/fuzz/target.h"

namespace {

using hearth::fuzz::Require;
namespace server = hearth::server;
namespace proto = hearth::proto;

// One worker with one job to plan, and whoever says something next.
class Coordinator {
 public:
  Coordinator() {
    server::WorkerIdentity identity;
    identity.host = "a";
    identity.slot = "0";
    identity.incarnation = {1, 1};
    identity.thread_count = 2;
    Tell(server::WorkerJoined{1, identity});
    server::MatrixRecord matrix;
    matrix.layout.shape = {1000, 8};
    matrix.source = server::FileSource{.path = "/x.npy"};
    Submit({.operation = "sum", .matrix = matrix});
  }

  void Submit(server::JobSpec spec) {
    Tell(server::SubmitJob{2, "key", std::move(spec)});
  }
  void Put(server::MatrixRecord record) {
    Tell(server::PutMatrix{3, std::move(record), false});
  }
  void Report(std::vector<server::Report> reports) {
    for (server::Report& report : reports) {  // time may pass between them
      Tell(
          server::WorkerReported{worker_, 1, ++sequence_, {std::move(report)}});
      Tell(server::TimePassed{});
    }
  }

 private:
  void Tell(server::Event event) {
    now_ += absl::Milliseconds(100);
    for (const auto& action : core_.Handle(std::move(event), now_)) {
      if (const auto* welcome = std::get_if<server::Welcome>(&action)) {
        worker_ = welcome->worker;
      } else if (const auto* brief = std::get_if<server::Brief>(&action)) {
        server::ToWire(*brief, core_.members());
      } else if (const auto* assign = std::get_if<server::Assign>(&action)) {
        Require(assign->tasks.size() < 100'000);
        for (const auto& task : assign->tasks) {
          server::ToWire(task, core_.members());
        }
      }
    }
  }

  server::CoordinatorCore core_;
  server::WorkerId worker_{};
  std::uint64_t sequence_ = 0;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
};

template <class Message>
auto Read(absl::string_view input) {
  Message message;
  const bool is_one =
      message.ParseFromArray(input.data(), static_cast<int>(input.size()));
  return is_one ? server::FromWire(message)
                : absl::InvalidArgumentError("not a message");
}

}  // namespace

HEARTH_FUZZ_TARGET(messages) {
  if (input.empty()) return;
  const char kind = input[0];
  input.remove_prefix(1);
  Coordinator coordinator;
  if (kind == 'm') {
    auto record = Read<proto::MatrixRecord>(input);
    if (record.ok()) coordinator.Put(*std::move(record));
  } else if (kind == 's') {
    auto spec = Read<proto::SubmitRequest>(input);
    if (spec.ok()) coordinator.Submit(*std::move(spec));
  } else {
    auto reports = Read<proto::Reports>(input);
    if (reports.ok()) coordinator.Report(*std::move(reports));
  }
}
