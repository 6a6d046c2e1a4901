#include "hearth/transport/call/served_process.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

// What others may ask of a process that creates objects.
class Factory {
 public:
  explicit Factory(ServedProcess& process) : process_(process) {}
  absl::StatusOr<ObjectHandle> Create(const std::string& class_name,
                                      std::vector<Value> arguments,
                                      const std::string& name,
                                      const std::vector<std::string>& tags,
                                      bool replace) {
    return process_.Create(class_name, std::move(arguments), name, tags,
                           replace);
  }
  absl::Status Remove(const std::string& name) {
    return process_.Unserve(name);
  }

 private:
  ServedProcess& process_;
};

Class Describe(As<Factory>) {
  return Declare<Factory>("Factory",
                          {.doc = "Creates objects here.", .concurrent = true})
      .Method("create", &Factory::Create,
              {.parameters = {"class", "arguments", "name", "tags", "replace"},
               .exactly_once = true})
      .Method("remove", &Factory::Remove,
              {.parameters = {"name"}, .idempotent = true});
}

// Keys that a process gave out itself: no name takes their place.
bool IsOwnKey(const std::string& key) {
  return key == kFactoryKey || key.starts_with('#');
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServedProcess>> ServedProcess::Start(
    std::shared_ptr<ObjectSpace> space, DirectoryClient& directory,
    ServedProcessOptions options) {
  std::unique_ptr<ServedProcess> process(new ServedProcess);
  process->space_ = std::move(space);
  process->options_ = std::move(options);
  HEARTH_RETURN_IF_ERROR(process->Listen());
  HEARTH_RETURN_IF_ERROR(process->space_->host().Add(
      kFactoryKey, InstanceOf(std::make_shared<Factory>(*process))));
  proto::HostRecord record;
  *record.mutable_host() = ToProto(process->space_->host().id());
  record.set_machine(process->options_.machine);
  record.set_pid(getpid());
  for (const std::string& address : process->addresses_) {
    record.add_addresses(address);
  }
  for (const auto& of : process->options_.classes) {
    record.add_classes(of->name);
  }
  HEARTH_ASSIGN_OR_RETURN(process->names_,
                          NameKeeper::Start(directory, std::move(record)));
  return process;
}

absl::Status ServedProcess::Listen() {
  ObjectListenerOptions listener;
  const Address local = RandomAbstractAddress();
  HEARTH_ASSIGN_OR_RETURN(listener.local,
                          ListenUnix(local, SocketType::kStream));
  if (options_.listen.has_value()) {
    listener.tcp = options_.listen->ToString();
    listener.credentials = options_.credentials;
    listener.is_tcp_plain = options_.is_tcp_plain;
  }
  HEARTH_RETURN_IF_ERROR(space_->Listen(std::move(listener)));
  addresses_ = {local.ToString()};
  if (options_.listen.has_value()) {
    HEARTH_ASSIGN_OR_RETURN(Address told,
                            Address::Parse(space_->tcp_address()));
    const auto advertised = Address::Parse(options_.advertise);
    if (advertised.ok()) {
      told = *advertised;
    } else if (!options_.advertise.empty()) {
      told.name = options_.advertise;
    }
    addresses_.push_back(told.ToString());
  }
  space_->SetAddresses(addresses_);
  return absl::OkStatus();
}

absl::Status ServedProcess::ListenElsewhere() {
  space_->StopListening();
  HEARTH_RETURN_IF_ERROR(Listen());
  return names_->SetAddresses(addresses_);
}

absl::Status ServedProcess::ServeAs(const std::string& name, Instance instance,
                                    const NameOptions& options) {
  ObjectHost& host = space_->host();
  const std::string class_name = instance.of->name;
  if (options.replace && !IsOwnKey(name) && host.Has(name)) {
    // The directory first: where it refuses, what is there stays.
    HEARTH_RETURN_IF_ERROR(names_->Bind(name, name, class_name, options));
    return host.Replace(name, std::move(instance));
  }
  HEARTH_RETURN_IF_ERROR(host.Add(name, std::move(instance)));
  absl::Status bound = names_->Bind(name, name, class_name, options);
  if (!bound.ok()) host.Remove(name).IgnoreError();
  return bound;
}

absl::StatusOr<Proxy> ServedProcess::Serve(const std::string& name,
                                           Instance instance,
                                           const NameOptions& options) {
  HEARTH_RETURN_IF_ERROR(ServeAs(name, std::move(instance), options));
  return Proxy(space_->Bind(space_->HandleOf(name, name)));
}

absl::Status ServedProcess::Unserve(const std::string& name) {
  HEARTH_RETURN_IF_ERROR(space_->host().Remove(name));
  return names_->Unbind(name);
}

absl::StatusOr<ObjectHandle> ServedProcess::Create(
    const std::string& class_name, std::vector<Value> arguments,
    const std::string& name, const std::vector<std::string>& tags,
    bool replace) {
  std::shared_ptr<const Class> of;
  for (const auto& known : options_.classes) {
    if (known->name == class_name) of = known;
  }
  if (of == nullptr) {
    return Error(
        Reason::kNameUnknown,
        absl::StrCat("create a ", Quoted(class_name),
                     ": this process has no such class; it has ",
                     absl::StrJoin(options_.classes, ", ",
                                   [](std::string* out, const auto& known) {
                                     out->append(known->name);
                                   })));
  }
  Instance instance{of, nullptr};
  if (of->options.mode == InstanceMode::kSingle) {
    HEARTH_ASSIGN_OR_RETURN(instance.object, Construct(*of, arguments));
  }
  if (name.empty()) return space_->Expose(std::move(instance));
  HEARTH_RETURN_IF_ERROR(
      ServeAs(name, std::move(instance), {.tags = tags, .replace = replace}));
  return space_->HandleOf(name, name);
}

}  // namespace hearth
