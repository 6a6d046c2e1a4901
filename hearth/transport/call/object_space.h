#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/object/proxy.h"
#include "hearth/transport/call/call_target.h"
#include "hearth/transport/call/object_host.h"
#include "hearth/transport/call/object_listener.h"
#include "hearth/transport/call/socket_wire.h"

namespace hearth {

struct ObjectSpaceOptions {
  ObjectHostOptions host;
  CallTargetOptions calls;
  // A channel to that address, within that time. None: only this process.
  std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(
      const std::string& address, absl::Duration within)>
      connect;
  // A connected socket to that address, where gRPC is not needed; an invalid
  // one where it is. None: it always is.
  std::function<absl::StatusOr<PlainSocket>(const std::string& address,
                                            absl::Duration within)>
      connect_plain = nullptr;
  // Where the object of that name is now. None: names lead nowhere.
  std::function<absl::StatusOr<ObjectHandle>(const std::string& name)> find;
  // The matrix of a handle that came as an argument. None: there are none.
  std::function<absl::StatusOr<std::shared_ptr<MatrixSource>>(
      const MatrixHandle& handle)>
      open_matrix = nullptr;
};

// A process's place among objects: what it serves, and the connections by which
// it reaches others, one a process however many proxies there are.
//
// Kind:    resource, shared by the proxies that it gave out. End it before what
//          its options refer to.
// Threads: any. It has one that lets time pass, one a connection that reads
//          while nobody waits, and the crew's.
class ObjectSpace : public Surroundings,
                    public std::enable_shared_from_this<ObjectSpace> {
 public:
  static std::shared_ptr<ObjectSpace> Make(ObjectSpaceOptions options);
  ~ObjectSpace() override;

  // Accepts connections from now on; `addresses`: what handles say.
  absl::Status Listen(ObjectListenerOptions options);
  void StopListening();
  void SetAddresses(std::vector<std::string> addresses);
  std::string tcp_address() const;
  // To itself, through neither socket nor port; null where it does not listen.
  std::shared_ptr<grpc::Channel> InProcessChannel() const;

  ObjectHost& host() { return host_; }
  Proxy Named(const std::string& name);
  // A handle to what this process serves as `key`.
  ObjectHandle HandleOf(const std::string& key, const std::string& name = {});

  std::shared_ptr<Target> Bind(const ObjectHandle& handle) override;
  absl::StatusOr<ObjectHandle> Expose(Instance instance) override;
  absl::StatusOr<std::shared_ptr<MatrixSource>> OpenMatrix(
      const MatrixHandle& handle) override;

  // A connection to the process that has the object.
  // Fails: object-gone when it can't be reached.
  absl::StatusOr<std::shared_ptr<Conversation>> ConversationTo(
      const ObjectHandle& handle, absl::Time deadline);
  absl::StatusOr<ObjectHandle> Find(const std::string& name) const;

  // Breaks all connections, both ways, and ends all calls: cancels them, and
  // waits ten seconds for methods that run. One that does not return by then
  // keeps its thread, and the space its memory, until the process ends.
  void End();
  // For tests: as if every connection that this end has opened had broken.
  void BreakConnections();
  std::size_t connection_count() const;

 private:
  explicit ObjectSpace(ObjectSpaceOptions options);
  void Tick();
  // Of the other process nothing stays: it may never be dialled again.
  void LetGoOfBroken();

  // One process that this one has connected to.
  struct Link {
    std::mutex connecting;
    std::shared_ptr<Conversation> conversation;  // under `connecting`
  };
  absl::StatusOr<std::shared_ptr<Conversation>> Connect(
      Link& link, const std::string& address, const Id& expected,
      absl::Time deadline);
  // Null where that is not how to get there.
  absl::StatusOr<std::shared_ptr<Conversation>> ConnectPlainly(
      const std::string& address, absl::Time until);

  const ObjectSpaceOptions options_;
  CallNumbers numbers_;
  ObjectHost host_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // By address. Shared beyond the map, under the mutex, only to connect.
  std::map<std::string, std::shared_ptr<Link>> links_;
  std::vector<std::string> addresses_;
  std::unique_ptr<ObjectListener> listener_;
  bool ending_ = false;
  std::thread ticker_;
};

}  // namespace hearth
