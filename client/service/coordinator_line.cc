#include "client/service/coordinator_line.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/channel.h"
#include "hearth/transport/security/identity.h"

namespace hearth::client {
namespace {

constexpr absl::Duration kConnectTime = absl::Seconds(5);
// One with a journal comes back; over a network, others may only have been cut
// off for a moment. On this machine, one that is gone is gone.
constexpr absl::Duration kPatienceForDurable = absl::Seconds(60);
constexpr absl::Duration kPatienceOverTcp = absl::Seconds(10);
constexpr absl::Duration kPause = absl::Milliseconds(100);

// Clients that lost the same coordinator don't come back all at once.
absl::Duration Jittered(absl::Duration pause) {
  return pause * (1 + static_cast<double>(Id::Random().low % 1024) / 1024);
}

}  // namespace

CoordinatorLine::CoordinatorLine(Address address, TcpSecurityOptions security)
    : address_(std::move(address)), security_(std::move(security)) {}

absl::StatusOr<std::unique_ptr<CoordinatorLine>> CoordinatorLine::Open(
    const std::string& address, const TcpSecurityOptions& security) {
  HEARTH_ASSIGN_OR_RETURN(Address parsed, Address::Parse(address));
  std::unique_ptr<CoordinatorLine> line(
      new CoordinatorLine(std::move(parsed), security));
  HEARTH_ASSIGN_OR_RETURN(auto stub, line->Connect(kConnectTime));
  MutexLock lock(line->mutex_);
  line->stub_ = std::move(stub);
  return line;
}

absl::StatusOr<std::shared_ptr<CoordinatorLine::Stub>> CoordinatorLine::Connect(
    absl::Duration deadline) const {
  ChannelOptions options;
  options.deadline = deadline;
  if (!address_.local()) {
    HEARTH_ASSIGN_OR_RETURN(const TcpSecurity tcp,
                            TcpSecurity::Open(security_));
    options.tcp = {
        .credentials = tcp.ForChannel(),
        .server_name = kClusterName,
        .explain = [tcp, address = address_] { return tcp.Explain(address); }};
  }
  HEARTH_ASSIGN_OR_RETURN(auto channel, ConnectChannel(address_, options));
  return std::shared_ptr<Stub>(proto::Coordinator::NewStub(std::move(channel)));
}

void CoordinatorLine::NoteDurable(bool is_durable) {
  MutexLock lock(mutex_);
  is_durable_ = is_durable;
}

absl::Duration CoordinatorLine::patience() const {
  MutexLock lock(mutex_);
  if (is_durable_) return kPatienceForDurable;
  return address_.local() ? absl::ZeroDuration() : kPatienceOverTcp;
}

std::shared_ptr<CoordinatorLine::Stub> CoordinatorLine::stub() {
  MutexLock lock(mutex_);
  return stub_;
}

absl::Status CoordinatorLine::Reopen(const std::shared_ptr<Stub>& broken,
                                     absl::Time deadline,
                                     const absl::Status& why) {
  while (absl::Now() < deadline) {
    absl::SleepFor(Jittered(kPause));
    if (stub() != broken) return absl::OkStatus();  // another thread did
    auto stub =
        Connect(std::clamp(deadline - absl::Now(), kPause, kConnectTime));
    if (!stub.ok() && ReasonOf(stub.status()) != Reason::kClusterUnreachable) {
      return stub.status();
    }
    if (!stub.ok()) continue;
    MutexLock lock(mutex_);
    if (stub_ == broken) stub_ = *std::move(stub);
    return absl::OkStatus();
  }
  return why;
}

}  // namespace hearth::client
