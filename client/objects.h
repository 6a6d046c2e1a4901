// Remote objects for C++ programs: call them by name, and serve your own.
//
//   auto objects = hearth::Objects::Connect(address);
//   hearth::Proxy counter = objects->Get("counter");
//   absl::StatusOr<int64_t> sum = counter.Call<int64_t>("add", 5);
//
//   auto server = hearth::ObjectServer::Start(*objects);
//   server->Serve("counter", std::make_shared<Counter>());
//
// A class becomes remote by a declaration beside it: hearth/object/declare.h.
// docs/pyro.md shows every feature in two lines.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/hearth.h"
#include "hearth/object/declare.h"
#include "hearth/object/matrix_view.h"
#include "hearth/object/proxy.h"

namespace hearth {

namespace client {
class ObjectsLink;
}

// All that is given must hold; nothing given: every object.
struct ObjectQuery {
  std::string name = {};
  std::string prefix = {};
  std::vector<std::string> all_tags = {};
  std::vector<std::string> any_tags = {};
};
struct ObjectInfo {
  std::string name;
  std::string class_name;
  std::vector<std::string> tags;
  std::vector<std::string> addresses;
  int pid = 0;
};
struct ObjectChange {
  ObjectInfo object;
  bool left = false;  // else it came, or is there already
};

struct CreateOptions {
  std::string name = {};  // empty: found by its proxy alone
  std::vector<std::string> tags = {};
  bool replace = false;
  // Where: at a process of that pid or machine; near a matrix; else anywhere.
  int pid = 0;
  std::string machine = {};
  std::string near_matrix = {};
};

// A process's way to the objects of a cluster. One connection a process that
// has some, whatever the number of proxies.
//
// Kind:    value-like handle; the last copy, proxies included, ends it.
// Threads: any.
class Objects {
 public:
  static absl::StatusOr<Objects> Connect(absl::string_view address,
                                         ConnectOptions options = {});

  // Looked up when it is first called, and again when it has moved.
  Proxy Get(absl::string_view name) const;
  absl::StatusOr<std::vector<ObjectInfo>> Find(const ObjectQuery& query) const;
  // `on_change` is called, from another thread, with what is there and with
  // what comes and leaves, until the result is let go of.
  std::shared_ptr<void> Watch(
      const ObjectQuery& query,
      std::function<void(const ObjectChange&)> on_change) const;

  // Makes an object in a process that has the class: a worker with --plugin, or
  // an ObjectServer that was given it.
  absl::StatusOr<Proxy> Create(absl::string_view class_name,
                               std::vector<Value> arguments,
                               const CreateOptions& options = {}) const;
  // Takes away an object that Create or Serve has named.
  absl::Status Remove(absl::string_view name) const;

  // A proxy of an object of this process, to be passed along for callbacks:
  // they come through the connection that this process has made.
  template <class T>
  absl::StatusOr<Proxy> Expose(std::shared_ptr<T> object) const {
    return ExposeInstance(InstanceOf(std::move(object)));
  }
  absl::StatusOr<Proxy> ExposeInstance(Instance instance) const;

 private:
  friend class ObjectServer;
  explicit Objects(std::shared_ptr<client::ObjectsLink> link)
      : link_(std::move(link)) {}
  std::shared_ptr<client::ObjectsLink> link_;
};

struct ObjectServerOptions {
  // For other machines, host:port; empty: as the coordinator's own address asks
  // for. Processes of this machine use a Unix socket in any case.
  std::string listen = {};
  std::string advertise = {};
  // That others may create objects of, here.
  std::vector<std::shared_ptr<const Class>> classes = {};
};
struct ServeOptions {
  std::vector<std::string> tags = {};
  bool replace = false;
};

// Objects of this process, for others to find by name.
//
// Kind:    resource; moves. Its destructor lets their names leave.
// Threads: any.
class ObjectServer {
 public:
  static absl::StatusOr<ObjectServer> Start(const Objects& objects,
                                            ObjectServerOptions options = {});
  ObjectServer(ObjectServer&&) noexcept;
  ObjectServer& operator=(ObjectServer&&) noexcept;
  ~ObjectServer();

  template <class T>
  absl::StatusOr<Proxy> Serve(absl::string_view name, std::shared_ptr<T> object,
                              const ServeOptions& options = {}) {
    return ServeInstance(name, InstanceOf(std::move(object)), options);
  }
  // A class whose mode makes instances: one for all, a session or a call.
  template <class T>
  absl::StatusOr<Proxy> ServeClass(absl::string_view name,
                                   const ServeOptions& options = {}) {
    return ServeInstance(name, {ClassOf<T>(), nullptr}, options);
  }
  absl::StatusOr<Proxy> ServeInstance(absl::string_view name, Instance instance,
                                      const ServeOptions& options = {});
  absl::Status Unserve(absl::string_view name);
  // Leaves its port for another one: objects stay, and callers find them.
  absl::Status ListenElsewhere();

 private:
  struct State;
  explicit ObjectServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth
