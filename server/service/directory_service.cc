#include "server/service/directory_service.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/codec.h"

namespace hearth::server {
namespace {

std::vector<std::string> Texts(
    const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

ObjectQuery FromMessage(const proto::NameQuery& message) {
  return {.name = message.name(),
          .prefix = message.prefix(),
          .all_tags = Texts(message.all_tags()),
          .any_tags = Texts(message.any_tags()),
          .host = FromProto(message.host())};
}
ObjectHostRecord FromMessage(const proto::HostRecord& message) {
  return {.host = FromProto(message.host()),
          .addresses = Texts(message.addresses()),
          .machine = message.machine(),
          .pid = message.pid(),
          .classes = Texts(message.classes())};
}
proto::HostRecord HostMessage(const ObjectHostRecord& record) {
  proto::HostRecord message;
  *message.mutable_host() = ToProto(record.host);
  for (const auto& address : record.addresses) message.add_addresses(address);
  message.set_machine(record.machine);
  message.set_pid(record.pid);
  for (const auto& name : record.classes) message.add_classes(name);
  return message;
}
ObjectRecord FromMessage(const proto::NameRecord& message) {
  return {.name = message.name(),
          .tags = Texts(message.tags()),
          .host = FromProto(message.host()),
          .key = message.key(),
          .class_name = message.class_name()};
}
proto::NameRecord NameMessage(const ObjectRecord& record) {
  proto::NameRecord message;
  message.set_name(record.name);
  for (const std::string& tag : record.tags) message.add_tags(tag);
  *message.mutable_host() = ToProto(record.host);
  message.set_key(record.key);
  message.set_class_name(record.class_name);
  return message;
}

void PumpAll(const std::vector<std::shared_ptr<NameWatch>>& pumps) {
  for (const auto& watch : pumps) watch->Pump();
}

}  // namespace

absl::Status DirectoryService::Resume(std::unique_ptr<Journal> journal) {
  HEARTH_ASSIGN_OR_RETURN(const auto rows, journal->Read());
  DirectoryRecovered past;
  for (const Journal::Row& row : rows) {
    proto::HostRecord host;
    proto::NameRecord name;
    if (row.kind == Journal::Kind::kObjectHost &&
        host.ParseFromString(row.value)) {
      past.hosts.push_back(FromMessage(host));
    } else if (row.kind == Journal::Kind::kObjectName &&
               name.ParseFromString(row.value)) {
      past.names.push_back(FromMessage(name));
    } else {
      return Error(
          Reason::kBadFile,
          absl::StrCat("read the journal of names: row ", Quoted(row.key),
                       " is damaged; move the file "
                       "away to start with nothing"));
    }
  }
  MutexLock lock(mutex_);
  core_.Handle(past, clock_.Now());
  journal_ = std::move(journal);
  return absl::OkStatus();
}

void DirectoryService::Tick() {
  Pumps pumps;
  {
    MutexLock lock(mutex_);
    Ask(DirectoryTimePassed{}, pumps).IgnoreError();
  }
  PumpAll(pumps);
}

absl::Status DirectoryService::Ask(const DirectoryEvent& event, Pumps& pumps) {
  absl::Status answer;
  std::vector<Journal::Change> changes;
  using Kind = Journal::Kind;
  for (const DirectoryAction& action : core_.Handle(event, clock_.Now())) {
    if (const auto* answered = std::get_if<BindAnswered>(&action)) {
      answer = answered->status;
    } else if (const auto* came = std::get_if<NameCame>(&action)) {
      changes.push_back({Kind::kObjectName, came->record.name,
                         NameMessage(came->record).SerializeAsString()});
      Show(came->record, /*left=*/false, pumps);
    } else if (const auto* left = std::get_if<NameLeft>(&action)) {
      changes.push_back({Kind::kObjectName, left->record.name, std::nullopt});
      Show(left->record, /*left=*/true, pumps);
    } else if (const auto* host = std::get_if<HostCame>(&action)) {
      changes.push_back({Kind::kObjectHost, host->record.host.ToString(),
                         HostMessage(host->record).SerializeAsString()});
    } else if (const auto* gone = std::get_if<HostLeft>(&action)) {
      changes.push_back(
          {Kind::kObjectHost, gone->host.ToString(), std::nullopt});
    }
  }
  if (journal_ == nullptr || changes.empty()) return answer;
  const absl::Status kept =
      journal_->Write(changes, Journal::Survives::kProcess);
  if (!kept.ok()) {
    std::fprintf(stderr, "hearth coordinator: %s\n",
                 std::string(kept.message()).c_str());
    if (answer.ok() && std::holds_alternative<NameBound>(event)) answer = kept;
  }
  return answer;
}

void DirectoryService::Show(const ObjectRecord& record, bool left,
                            Pumps& pumps) {
  for (const Watcher& watcher : watchers_) {
    if (!Matches(watcher.query, record)) continue;
    proto::NameChange change;
    *change.mutable_record() = ToMessage(record);
    change.set_left(left);
    watcher.watch->Add(std::move(change));
    pumps.push_back(watcher.watch);
  }
}

proto::NameRecord DirectoryService::ToMessage(
    const ObjectRecord& record) const {
  proto::NameRecord message = NameMessage(record);
  if (const ObjectHostRecord* host = core_.FindHost(record.host)) {
    for (const std::string& address : host->addresses) {
      message.add_addresses(address);
    }
    message.set_pid(host->pid);
  }
  return message;
}

grpc::ServerUnaryReactor* DirectoryService::RenewHost(
    grpc::CallbackServerContext* context, const proto::HostRecord* request,
    proto::RenewReply* reply) {
  Pumps pumps;
  {
    MutexLock lock(mutex_);
    Ask(HostRenewed{FromMessage(*request), Texts(request->names())}, pumps)
        .IgnoreError();
    reply->set_lease_ms(absl::ToInt64Milliseconds(core_.options().lease));
    const Id host = FromProto(request->host());
    for (const std::string& name : request->names()) {
      if (core_.HasLost(host, name)) {
        reply->add_taken(name);
      } else if (core_.Find({.name = name, .host = host}).empty()) {
        reply->add_unknown(name);
      }
    }
  }
  PumpAll(pumps);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* DirectoryService::EndHost(
    grpc::CallbackServerContext* context, const proto::HostRecord* request,
    proto::RenewReply*) {
  Pumps pumps;
  {
    MutexLock lock(mutex_);
    Ask(HostEnded{FromProto(request->host())}, pumps).IgnoreError();
  }
  PumpAll(pumps);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* DirectoryService::BindName(
    grpc::CallbackServerContext* context, const proto::BindRequest* request,
    proto::NameRecord* reply) {
  Pumps pumps;
  absl::Status status;
  {
    MutexLock lock(mutex_);
    status = Ask(NameBound{.call = 1,
                           .record = FromMessage(request->record()),
                           .replace = request->replace()},
                 pumps);
    *reply = request->record();
  }
  PumpAll(pumps);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerUnaryReactor* DirectoryService::UnbindName(
    grpc::CallbackServerContext* context, const proto::NameQuery* request,
    proto::NameList* reply) {
  Pumps pumps;
  {
    MutexLock lock(mutex_);
    // By name and host alone: an empty query would be all there are.
    const ObjectQuery query{.name = request->name(),
                            .host = FromProto(request->host())};
    if (!query.name.empty()) {
      for (const ObjectRecord& record : core_.Find(query)) {
        *reply->add_names() = ToMessage(record);
      }
      Ask(NamesUnbound{query}, pumps).IgnoreError();
    }
  }
  PumpAll(pumps);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* DirectoryService::FindNames(
    grpc::CallbackServerContext* context, const proto::NameQuery* request,
    proto::NameList* reply) {
  {
    MutexLock lock(mutex_);
    for (const ObjectRecord& record : core_.Find(FromMessage(*request))) {
      *reply->add_names() = ToMessage(record);
    }
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<proto::NameChange>* DirectoryService::WatchNames(
    grpc::CallbackServerContext*, const proto::NameQuery* request) {
  auto watch = NameWatch::Open([this](NameWatch* gone) {
    MutexLock lock(mutex_);
    std::erase_if(watchers_, [gone](const Watcher& watcher) {
      return watcher.watch.get() == gone;
    });
  });
  {
    MutexLock lock(mutex_);
    const ObjectQuery query = FromMessage(*request);
    for (const ObjectRecord& record : core_.Find(query)) {
      proto::NameChange change;
      *change.mutable_record() = ToMessage(record);
      watch->Add(std::move(change));
    }
    watchers_.push_back({query, watch});
  }
  watch->Pump();
  return watch.get();
}

grpc::ServerUnaryReactor* DirectoryService::FindHosts(
    grpc::CallbackServerContext* context, const proto::HostQuery* request,
    proto::HostList* reply) {
  {
    MutexLock lock(mutex_);
    for (const auto& record : core_.FindHosts(request->class_name())) {
      *reply->add_hosts() = HostMessage(record);
    }
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace hearth::server
