#include "client/objects.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/handles.h"
#include "client/resolve.h"
#include "client/service/coordinator_client.h"
#include "client/service/objects_link.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/matrix/reference.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/reach/matrix_reader.h"

namespace hearth {
namespace {

using client::ObjectsLink;

proto::NameQuery ToMessage(const ObjectQuery& query) {
  proto::NameQuery message;
  message.set_name(query.name);
  message.set_prefix(query.prefix);
  for (const std::string& tag : query.all_tags) message.add_all_tags(tag);
  for (const std::string& tag : query.any_tags) message.add_any_tags(tag);
  return message;
}

ObjectInfo InfoOf(const proto::NameRecord& record) {
  return {.name = record.name(),
          .class_name = record.class_name(),
          .tags = {record.tags().begin(), record.tags().end()},
          .addresses = {record.addresses().begin(), record.addresses().end()},
          .pid = static_cast<int>(record.pid())};
}

// A matrix that this process mapped by a handle that another one gave out.
class MappedSource final : public MatrixSource {
 public:
  explicit MappedSource(Matrix matrix) : matrix_(std::move(matrix)) {}
  const MatrixLayout& layout() const override { return matrix_.layout(); }
  absl::StatusOr<RowView> Rows(std::int64_t begin, std::int64_t end) override {
    HEARTH_ASSIGN_OR_RETURN(const auto bytes, matrix_.Rows(begin, end));
    mapped_ += std::ssize(bytes);
    return RowView{bytes, std::make_shared<const Matrix>(matrix_)};
  }
  absl::Status ForEachRows(std::int64_t begin, std::int64_t end,
                           const OnRows& on_rows) override {
    HEARTH_ASSIGN_OR_RETURN(const RowView rows, Rows(begin, end));
    return on_rows(begin, rows.bytes);
  }
  MatrixTraffic traffic() const override { return {.mapped = mapped_}; }

 private:
  const Matrix matrix_;
  std::atomic<std::int64_t> mapped_ = 0;
};

absl::StatusOr<std::shared_ptr<MatrixSource>> OpenMatrixOf(
    const MatrixHandle& handle, MatrixOpener& cluster) {
  if (CheckMatrixName(handle.text).ok()) return cluster.Open(handle.text);
  HEARTH_ASSIGN_OR_RETURN(
      client::OpenedHandle opened,
      client::OpenHandle(handle.text, client::HandleFrom::kCall));
  HEARTH_ASSIGN_OR_RETURN(Matrix matrix, client::MapOpened(std::move(opened)));
  return std::make_shared<MappedSource>(std::move(matrix));
}

// The keepers of the hosts that have a matrix.
absl::StatusOr<std::vector<std::string>> MachinesOf(ObjectsLink& link,
                                                    const std::string& matrix) {
  HEARTH_ASSIGN_OR_RETURN(
      const auto coordinator,
      client::CoordinatorClient::Connect(link.address(), link.security()));
  HEARTH_ASSIGN_OR_RETURN(const proto::MatrixInfo info,
                          coordinator->Get(matrix));
  std::vector<std::string> machines;
  for (const auto& replica : info.record().segment().replicas()) {
    machines.push_back(replica.host());
  }
  return machines;
}

}  // namespace

absl::StatusOr<Objects> Objects::Connect(absl::string_view address,
                                         ConnectOptions options) {
  const TcpSecurityOptions security{.tls_dir = options.tls_dir,
                                    .insecure = options.insecure};
  HEARTH_ASSIGN_OR_RETURN(
      auto link, ObjectsLink::Connect(
                     std::string(address), security,
                     [&](const std::shared_ptr<DirectoryClient>& directory) {
                       const auto matrices = MatrixOpener::Make(
                           [directory](const std::string& name) {
                             return directory->FindMatrix(name);
                           },
                           Address(), security);
                       return [matrices](const MatrixHandle& handle) {
                         return OpenMatrixOf(handle, *matrices);
                       };
                     }));
  return Objects(std::move(link));
}

Proxy Objects::Get(absl::string_view name) const {
  return link_->space()->Named(std::string(name));
}

absl::StatusOr<std::vector<ObjectInfo>> Objects::Find(
    const ObjectQuery& query) const {
  HEARTH_ASSIGN_OR_RETURN(const proto::NameList list,
                          link_->directory().Find(ToMessage(query)));
  std::vector<ObjectInfo> found;
  for (const auto& record : list.names()) found.push_back(InfoOf(record));
  return found;
}

std::shared_ptr<void> Objects::Watch(
    const ObjectQuery& query,
    std::function<void(const ObjectChange&)> on_change) const {
  // The watch ends before the link that it uses.
  struct Both {
    std::shared_ptr<ObjectsLink> link;
    std::shared_ptr<DirectoryClient::Watch> watch;
  };
  auto both = std::make_shared<Both>();
  both->link = link_;
  both->watch = link_->directory().WatchNames(
      ToMessage(query),
      [on_change = std::move(on_change)](const proto::NameChange& change) {
        on_change({InfoOf(change.record()), change.left()});
      });
  return both;
}

absl::StatusOr<Proxy> Objects::Create(absl::string_view class_name,
                                      std::vector<Value> arguments,
                                      const CreateOptions& options) const {
  HEARTH_ASSIGN_OR_RETURN(
      const proto::HostList list,
      link_->directory().FindHosts(std::string(class_name)));
  std::vector<std::string> near;
  if (!options.near_matrix.empty()) {
    HEARTH_ASSIGN_OR_RETURN(near, MachinesOf(*link_, options.near_matrix));
  }
  std::vector<proto::HostRecord> fitting;
  for (const proto::HostRecord& host : list.hosts()) {
    if (options.pid != 0 && host.pid() != options.pid) continue;
    if (!options.machine.empty() && host.machine() != options.machine) continue;
    fitting.push_back(host);
  }
  if (fitting.empty()) {
    return Error(Reason::kNameUnknown,
                 absl::StrCat("create a ", Quoted(class_name),
                              ": no process that fits has that class; start "
                              "workers with --plugin, or an ObjectServer that "
                              "is given it"));
  }
  // Anywhere is somewhere else each time; near a matrix goes before that.
  const auto start =
      static_cast<std::ptrdiff_t>(Id::Random().low % fitting.size());
  std::rotate(fitting.begin(), fitting.begin() + start, fitting.end());
  std::stable_partition(fitting.begin(), fitting.end(), [&](const auto& host) {
    return std::find(near.begin(), near.end(), host.machine()) != near.end();
  });
  const proto::HostRecord& host = fitting.front();
  const Proxy factory(link_->space()->Bind(
      {.key = kFactoryKey,
       .server = FromProto(host.host()),
       .class_name = "Factory",
       .addresses = {host.addresses().begin(), host.addresses().end()}}));
  return factory.Call<Proxy>("create", std::string(class_name),
                             std::move(arguments), options.name, options.tags,
                             options.replace);
}

absl::Status Objects::Remove(absl::string_view name) const {
  HEARTH_ASSIGN_OR_RETURN(ObjectHandle handle,
                          link_->directory().FindHandle(std::string(name)));
  handle.key = kFactoryKey;
  handle.name.clear();
  return Proxy(link_->space()->Bind(handle))
      .Call<void>("remove", std::string(name));
}

absl::StatusOr<Proxy> Objects::ExposeInstance(Instance instance) const {
  HEARTH_ASSIGN_OR_RETURN(const ObjectHandle handle,
                          link_->space()->Expose(std::move(instance)));
  return Proxy(link_->space()->Bind(handle));
}

// -------------------------------------------------------------------- serving

struct ObjectServer::State {
  std::shared_ptr<ObjectsLink> link;
  std::unique_ptr<ServedProcess> process;
};

ObjectServer::ObjectServer(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
ObjectServer::ObjectServer(ObjectServer&&) noexcept = default;
ObjectServer& ObjectServer::operator=(ObjectServer&&) noexcept = default;
ObjectServer::~ObjectServer() = default;

absl::StatusOr<ObjectServer> ObjectServer::Start(const Objects& objects,
                                                 ObjectServerOptions options) {
  auto state = std::make_unique<State>();
  state->link = objects.link_;
  HEARTH_ASSIGN_OR_RETURN(
      state->process, objects.link_->Serve(options.listen, options.advertise,
                                           std::move(options.classes)));
  return ObjectServer(std::move(state));
}

absl::StatusOr<Proxy> ObjectServer::ServeInstance(absl::string_view name,
                                                  Instance instance,
                                                  const ServeOptions& options) {
  return state_->process->Serve(
      std::string(name), std::move(instance),
      {.tags = options.tags, .replace = options.replace});
}

absl::Status ObjectServer::Unserve(absl::string_view name) {
  return state_->process->Unserve(std::string(name));
}

absl::Status ObjectServer::ListenElsewhere() {
  return state_->process->ListenElsewhere();
}

}  // namespace hearth
