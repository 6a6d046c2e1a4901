#include "hearth/transport/call/directory_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/codec.h"
#include "protos/coordinator.grpc.pb.h"
#include "protos/directory.grpc.pb.h"

namespace hearth {
namespace {

constexpr absl::Duration kConnectTime = absl::Seconds(5);
constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr std::chrono::seconds kCallTime(10);

bool IsBroken(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         status.error_details().empty();
}

}  // namespace

struct DirectoryClient::Line {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<proto::Directory::Stub> directory;
  std::unique_ptr<proto::Coordinator::Stub> coordinator;

  // The stub that has a method.
  proto::Directory::Stub& Of(const proto::Directory::Stub*) const {
    return *directory;
  }
  proto::Coordinator::Stub& Of(const proto::Coordinator::Stub*) const {
    return *coordinator;
  }
};

namespace {

template <class Stub, class... Arguments>
const Stub* OwnerOf(grpc::Status (Stub::*)(Arguments...)) {
  return nullptr;
}

}  // namespace

// Kind: resource; its destructor ends the thread.
class DirectoryClient::Watch {
 public:
  Watch(DirectoryClient& client, proto::NameQuery query,
        std::function<void(const proto::NameChange&)> on_change)
      : thread_([this, &client, query = std::move(query),
                 on_change = std::move(on_change)] {
          Run(client, query, on_change);
        }) {}
  ~Watch() {
    {
      std::scoped_lock lock(mutex_);
      ended_ = true;
      if (context_ != nullptr) context_->TryCancel();
    }
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

 private:
  void Run(DirectoryClient& client, const proto::NameQuery& query,
           const std::function<void(const proto::NameChange&)>& on_change) {
    std::shared_ptr<Line> broken;
    while (!ended_) {
      const auto line = client.OpenLine(broken);
      if (!line.ok()) {
        absl::SleepFor(kPause);
        continue;
      }
      grpc::ClientContext context;
      {
        std::scoped_lock lock(mutex_);
        if (ended_) return;
        context_ = &context;
      }
      const auto reader = (*line)->directory->WatchNames(&context, query);
      proto::NameChange change;
      while (reader->Read(&change)) on_change(change);
      const bool is_broken = IsBroken(reader->Finish());
      {
        std::scoped_lock lock(mutex_);
        context_ = nullptr;
      }
      broken = is_broken ? *line : nullptr;
      if (!ended_) absl::SleepFor(kPause);
    }
  }

  std::mutex mutex_;
  grpc::ClientContext* context_ = nullptr;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

DirectoryClient::DirectoryClient(ConnectFunction connect, std::string address)
    : connect_(std::move(connect)), address_(std::move(address)) {}
DirectoryClient::~DirectoryClient() = default;

absl::StatusOr<std::shared_ptr<DirectoryClient::Line>>
DirectoryClient::OpenLine(const std::shared_ptr<Line>& broken) {
  {
    MutexLock lock(mutex_);
    if (line_ != nullptr && line_ != broken) return line_;
  }
  HEARTH_ASSIGN_OR_RETURN(auto channel, connect_(address_, kConnectTime));
  auto line = std::make_shared<Line>();
  line->directory = proto::Directory::NewStub(channel);
  line->coordinator = proto::Coordinator::NewStub(channel);
  line->channel = std::move(channel);
  MutexLock lock(mutex_);
  line_ = line;
  return line;
}

template <class Request, class Reply, class Method>
absl::StatusOr<Reply> DirectoryClient::Call(Method method,
                                            const Request& request,
                                            absl::Duration patience) {
  const absl::Time give_up = absl::Now() + patience;
  std::shared_ptr<Line> broken;
  while (true) {
    const auto line = OpenLine(broken);
    absl::Status why = line.status();
    if (line.ok()) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kCallTime);
      Reply reply;
      const grpc::Status status =
          ((*line)->Of(OwnerOf(method)).*method)(&context, request, &reply);
      if (status.ok()) return reply;
      if (!IsBroken(status)) return FromGrpc(status);
      broken = *line;
      why = Error(Reason::kClusterEnded,
                  absl::StrCat("ask the directory: the connection broke (",
                               status.error_message(),
                               "); the cluster has ended or is out of reach"));
    } else if (ReasonOf(why) != Reason::kClusterUnreachable) {
      return why;
    }
    if (absl::Now() >= give_up || broken == nullptr) return why;
    absl::SleepFor(kPause);
  }
}

using Stub = proto::Directory::Stub;

absl::StatusOr<proto::RenewReply> DirectoryClient::Renew(
    const proto::HostRecord& record) {
  return Call<proto::HostRecord, proto::RenewReply>(&Stub::RenewHost, record);
}
absl::Status DirectoryClient::EndHost(const proto::HostRecord& record) {
  return Call<proto::HostRecord, proto::RenewReply>(&Stub::EndHost, record,
                                                    absl::ZeroDuration())
      .status();
}
absl::Status DirectoryClient::Bind(const proto::BindRequest& request) {
  return Call<proto::BindRequest, proto::NameRecord>(&Stub::BindName, request)
      .status();
}
absl::StatusOr<proto::NameList> DirectoryClient::Unbind(
    const std::string& name, const proto::Token& host) {
  proto::NameQuery query;
  query.set_name(name);
  *query.mutable_host() = host;
  return Call<proto::NameQuery, proto::NameList>(&Stub::UnbindName, query);
}
absl::StatusOr<proto::NameList> DirectoryClient::Find(
    const proto::NameQuery& query) {
  return Call<proto::NameQuery, proto::NameList>(&Stub::FindNames, query);
}
absl::StatusOr<proto::MatrixInfo> DirectoryClient::FindMatrix(
    const std::string& name) {
  proto::MatrixName query;
  query.set_name(name);
  return Call<proto::MatrixName, proto::MatrixInfo>(
      &proto::Coordinator::Stub::GetMatrix, query);
}

absl::StatusOr<proto::HostList> DirectoryClient::FindHosts(
    const std::string& class_name) {
  proto::HostQuery query;
  query.set_class_name(class_name);
  return Call<proto::HostQuery, proto::HostList>(&Stub::FindHosts, query);
}

absl::StatusOr<ObjectHandle> DirectoryClient::FindHandle(
    const std::string& name) {
  proto::NameQuery query;
  query.set_name(name);
  HEARTH_ASSIGN_OR_RETURN(const proto::NameList list, Find(query));
  if (list.names().empty()) {
    return Error(Reason::kNameUnknown,
                 absl::StrCat("look up ", Quoted(name),
                              ": no object has that name; \"hearth objects\" "
                              "lists those there are"));
  }
  return HandleOf(list.names(0));
}

std::shared_ptr<DirectoryClient::Watch> DirectoryClient::WatchNames(
    proto::NameQuery query,
    std::function<void(const proto::NameChange&)> on_change) {
  return std::make_shared<Watch>(*this, std::move(query), std::move(on_change));
}

ObjectHandle HandleOf(const proto::NameRecord& record) {
  return {.name = record.name(),
          .key = record.key(),
          .server = FromProto(record.host()),
          .class_name = record.class_name(),
          .addresses = {record.addresses().begin(), record.addresses().end()}};
}

}  // namespace hearth
