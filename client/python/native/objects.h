#pragma once

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "client/objects.h"
#include "client/python/native/status.h"

namespace hearth::python {

// A process's connection to the objects of a cluster.
//
// Kind:    resource, shared by what came by it. Threads: under the lock.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(Objects objects, std::string address)
      : address_(std::move(address)), objects_(std::move(objects)) {}
  ~Link();

  const std::string& address() const { return address_; }
  bool closed() const { return !objects_.has_value(); }
  // Throws in a forked child, and once it was closed.
  void CheckOpen() const;
  const Objects& Use() const {
    CheckOpen();
    return *objects_;
  }
  void Close();

 private:
  const pid_t pid_ = getpid();
  const std::string address_;
  std::optional<Objects> objects_;
};

// What stands for an object elsewhere.
//
// Kind: value-like handle. Threads: any that has the lock.
class RemoteObject {
 public:
  RemoteObject(std::shared_ptr<Link> link, Proxy proxy)
      : link_(std::move(link)), proxy_(std::move(proxy)) {}
  RemoteObject(RemoteObject&&) noexcept = default;
  ~RemoteObject();

  const std::shared_ptr<Link>& link() const { return link_; }
  const Proxy& proxy() const { return proxy_; }

 private:
  pid_t pid_ = getpid();
  std::shared_ptr<Link> link_;
  Proxy proxy_;
};

// The items of a method that gives them one by one.
//
// Kind: resource; letting go of it frees them at the other end.
class RemoteItems {
 public:
  RemoteItems(std::shared_ptr<ItemSource> source, std::shared_ptr<Link> link,
              Surroundings* surroundings)
      : source_(Own(std::move(source))),
        link_(std::move(link)),
        surroundings_(surroundings) {}
  RemoteItems(RemoteItems&&) noexcept = default;
  ~RemoteItems();
  // Throws StopIteration after the last, and BadUsage in a forked child.
  nb::object Next();
  void Close();

 private:
  Own<std::shared_ptr<ItemSource>> source_;
  std::shared_ptr<Link> link_;
  Surroundings* surroundings_;
};

// A class of Python's, as others may call it.
struct ExposedClass {
  std::shared_ptr<const Class> of;
};

void BindProxies(nb::module_& module);
void BindServing(nb::module_& module);

}  // namespace hearth::python
