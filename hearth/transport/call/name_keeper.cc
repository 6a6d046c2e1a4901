#include "hearth/transport/call/name_keeper.h"

#include <algorithm>
#include <utility>

#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {

absl::StatusOr<std::unique_ptr<NameKeeper>> NameKeeper::Start(
    DirectoryClient& directory, proto::HostRecord record) {
  std::unique_ptr<NameKeeper> keeper(
      new NameKeeper(directory, std::move(record)));
  HEARTH_RETURN_IF_ERROR(keeper->Renew());
  keeper->thread_ = std::thread([self = keeper.get()] { self->Run(); });
  return keeper;
}

NameKeeper::~NameKeeper() {
  if (!thread_.joinable()) return;
  {
    std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
  directory_.EndHost(record_).IgnoreError();
}

void NameKeeper::Run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, every_, [this] { return ending_; })) {
    lock.unlock();
    Renew().IgnoreError();  // asked again in a moment
    lock.lock();
  }
}

absl::Status NameKeeper::Renew() {
  std::scoped_lock asking(asking_);
  return RenewNow();
}

absl::Status NameKeeper::RenewNow() {
  proto::HostRecord record;
  {
    std::scoped_lock lock(mutex_);
    record = record_;
    for (const auto& [name, request] : bound_) record.add_names(name);
  }
  HEARTH_ASSIGN_OR_RETURN(const proto::RenewReply reply,
                          directory_.Renew(record));
  std::vector<proto::BindRequest> again;
  {
    std::scoped_lock lock(mutex_);
    every_ = std::chrono::milliseconds(
        std::clamp<std::int64_t>(reply.lease_ms() / 3, 50, 10'000));
    for (const std::string& name : reply.taken()) bound_.erase(name);
    for (const std::string& name : reply.unknown()) {
      const auto found = bound_.find(name);
      if (found != bound_.end()) again.push_back(found->second);
    }
  }
  for (proto::BindRequest& request : again) {
    request.set_replace(false);  // somebody else may have taken it meanwhile
    const absl::Status bound = directory_.Bind(request);
    if (ReasonOf(bound) != Reason::kNameTaken) continue;
    std::scoped_lock lock(mutex_);
    bound_.erase(request.record().name());
  }
  return absl::OkStatus();
}

absl::Status NameKeeper::Bind(const std::string& name, const std::string& key,
                              const std::string& class_name,
                              const BindOptions& options) {
  std::scoped_lock asking(asking_);
  proto::BindRequest request;
  request.set_replace(options.replace);
  proto::NameRecord& record = *request.mutable_record();
  record.set_name(name);
  for (const std::string& tag : options.tags) record.add_tags(tag);
  record.set_key(key);
  record.set_class_name(class_name);
  {
    std::scoped_lock lock(mutex_);
    *record.mutable_host() = record_.host();
  }
  absl::Status bound = directory_.Bind(request);
  if (ReasonOf(bound) == Reason::kObjectGone) {  // it forgot us
    HEARTH_RETURN_IF_ERROR(RenewNow());
    bound = directory_.Bind(request);
  }
  HEARTH_RETURN_IF_ERROR(bound);
  std::scoped_lock lock(mutex_);
  bound_[name] = std::move(request);
  return absl::OkStatus();
}

absl::Status NameKeeper::Unbind(const std::string& name) {
  std::scoped_lock asking(asking_);
  proto::Token host;
  {
    std::scoped_lock lock(mutex_);
    bound_.erase(name);
    host = record_.host();
  }
  return directory_.Unbind(name, host).status();
}

absl::Status NameKeeper::SetAddresses(
    const std::vector<std::string>& addresses) {
  {
    std::scoped_lock lock(mutex_);
    record_.clear_addresses();
    for (const std::string& address : addresses) {
      record_.add_addresses(address);
    }
  }
  return Renew();
}

}  // namespace hearth
