#include "client/python/native/objects.h"

#include <nanobind/stl/function.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/python/native/locked.h"
#include "client/python/native/values.h"
#include "hearth/base/error.h"

namespace hearth::python {
namespace {

nb::dict DictOf(const ObjectInfo& info) {
  nb::dict dict;
  dict["name"] = info.name;
  dict["class"] = info.class_name;
  dict["tags"] = info.tags;
  dict["addresses"] = info.addresses;
  dict["pid"] = info.pid;
  return dict;
}

// A watch of the directory. Kind: resource; letting go of it ends it.
class DirectoryWatch {
 public:
  explicit DirectoryWatch(std::shared_ptr<void> watch)
      : watch_(Own(std::move(watch))) {}
  DirectoryWatch(DirectoryWatch&&) noexcept = default;
  ~DirectoryWatch() { Close(); }
  void Close() {
    if (*watch_ == nullptr || watch_.is_forked()) return;
    Unlocked([&] { (*watch_).reset(); });
  }

 private:
  Own<std::shared_ptr<void>> watch_;
};

DirectoryWatch Watch(const Link& link, const ObjectQuery& query,
                     nb::handle on_change) {
  const Objects objects = link.Use();
  const auto tell = [held = Hold(on_change)](const ObjectChange& change) {
    const Locked locked;
    try {
      nb::handle(held.get())(DictOf(change.object), change.left);
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("a watch of objects");
    }
  };
  return DirectoryWatch(Unlocked([&] { return objects.Watch(query, tell); }));
}

ObjectQuery QueryOf(const std::string& name, const std::string& prefix,
                    const std::vector<std::string>& all_tags,
                    const std::vector<std::string>& any_tags) {
  return {.name = name,
          .prefix = prefix,
          .all_tags = all_tags,
          .any_tags = any_tags};
}

std::shared_ptr<Link> Connect(const std::string& address,
                              const std::string& tls_dir, bool insecure) {
  BeginSpeaking("connect to the objects of a cluster");
  return std::make_shared<Link>(
      Take(Interruptible([&] {
        return Objects::Connect(address,
                                {.tls_dir = tls_dir, .insecure = insecure});
      })),
      address);
}

}  // namespace

// In a forked child it belongs to the parent, whose threads it has.
Link::~Link() {
  if (!objects_.has_value()) return;
  if (pid_ != getpid()) {
    new Objects(*std::move(objects_));
  } else {
    Close();
  }
}

void Link::CheckOpen() const {
  if (pid_ != getpid()) {
    Raise(Error(
        Reason::kBadUsage,
        absl::StrCat("use objects in a forked process: the connection "
                     "is process ",
                     pid_, "'s; start this one with spawn or forkserver")));
  }
  if (closed()) {
    Raise(Error(Reason::kClusterEnded,
                absl::StrCat("use the objects of the cluster at ", address_,
                             ": the connection was closed; connect again")));
  }
}

void Link::Close() {
  if (pid_ != getpid() || !objects_.has_value()) return;
  std::optional<Objects> last = std::move(objects_);
  objects_.reset();
  Unlocked([&] { last.reset(); });
}

void BindObjects(nb::module_& module) {
  NoteMainThread();
  module.def("note_main_thread", &NoteMainThread);
  BindValues(module);
  nb::class_<DirectoryWatch>(module, "DirectoryWatch",
                             nb::is_weak_referenceable())
      .def("close", &DirectoryWatch::Close);
  nb::class_<Link>(module, "ObjectsLink")
      .def_static("connect", &Connect)
      .def_prop_ro("address", &Link::address)
      .def_prop_ro("closed", &Link::closed)
      .def("close", &Link::Close)
      .def("get",
           [](const std::shared_ptr<Link>& link, const std::string& name) {
             return RemoteObject(link, link->Use().Get(name));
           })
      .def("find",
           [](const Link& link, const std::string& name,
              const std::string& prefix,
              const std::vector<std::string>& all_tags,
              const std::vector<std::string>& any_tags) {
             const Objects objects = link.Use();
             nb::list list;
             for (const ObjectInfo& info : Take(Interruptible([&] {
                    return objects.Find(
                        QueryOf(name, prefix, all_tags, any_tags));
                  }))) {
               list.append(DictOf(info));
             }
             return list;
           })
      .def("watch",
           [](const Link& link, const std::string& name,
              const std::string& prefix,
              const std::vector<std::string>& all_tags,
              const std::vector<std::string>& any_tags, nb::handle on_change) {
             return Watch(link, QueryOf(name, prefix, all_tags, any_tags),
                          on_change);
           })
      .def("remove", [](const Link& link, const std::string& name) {
        const Objects objects = link.Use();
        Check(Interruptible([&] { return objects.Remove(name); }));
      });
  BindProxies(module);
  BindServing(module);
}

}  // namespace hearth::python
