// Serving: classes of Python's, and a process that others find them in.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/python/native/locked.h"
#include "client/python/native/objects.h"
#include "client/python/native/values.h"
#include "hearth/base/error.h"
#include "hearth/object/call_error.h"
#include "hearth/object/class.h"
#include "hearth/object/convert.h"

namespace hearth::python {
namespace {

using ParameterList = std::vector<std::tuple<std::string, std::string, bool>>;

std::vector<Parameter> ParametersOf(const ParameterList& list) {
  std::vector<Parameter> parameters;
  for (const auto& [name, type, optional] : list) {
    parameters.push_back({name, type, optional});
  }
  return parameters;
}

// Whether what came is what an annotation says, of the types that C++ has too.
template <class T>
bool Fits(Value& value, std::string& fault) {
  T read{};
  if (!Type<T>::Read(value, read, fault)) return false;
  value = Type<T>::Make(std::move(read));
  return true;
}
bool FitsType(const std::string& type, Value& value, std::string& fault) {
  if (type == "float64") return Fits<double>(value, fault);
  if (type == "string") return Fits<std::string>(value, fault);
  if (type == "bool") return Fits<bool>(value, fault);
  if (type == "bytes") return Fits<ValueBytes>(value, fault);
  if (type != "int64" || value.get<std::uint64_t>() != nullptr) return true;
  return Fits<std::int64_t>(value, fault);
}

// Calls what Python has, with `self` before the arguments if there is one.
nb::object CallPython(PyObject* function, PyObject* self,
                      const std::vector<Parameter>& parameters,
                      std::vector<Value>& arguments,
                      const std::shared_ptr<Link>& link, absl::Status& fault) {
  std::vector<nb::object> held;
  std::vector<PyObject*> plain(1, nullptr);  // room for who is called
  if (self != nullptr) plain.push_back(self);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string told;
    if (!FitsType(parameters[i].type, arguments[i], told)) {
      fault = object_internal::ArgumentFault(i, told);
      return nb::object();
    }
    held.push_back(FromValue(std::move(arguments[i]), link));
    plain.push_back(held.back().ptr());
  }
  PyObject* const result = PyObject_Vectorcall(
      function, plain.data() + 1,
      (plain.size() - 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  if (result == nullptr) throw nb::python_error();
  return nb::steal(result);
}

// A link must not keep the classes alive that keep it.
absl::StatusOr<std::shared_ptr<Link>> Alive(const std::weak_ptr<Link>& link) {
  if (auto alive = link.lock()) return alive;
  return Error(Reason::kObjectGone, "call: its process is ending");
}

Method::Invoke InvokeOf(const std::string& what, nb::handle function,
                        const std::vector<Parameter>& parameters,
                        const std::weak_ptr<Link>& link) {
  return [what, held = Hold(function), parameters, link](
             void* object, CallContext&,
             std::vector<Value>& arguments) -> absl::StatusOr<Value> {
    auto alive = Alive(link);
    if (!alive.ok()) return alive.status();
    const Locked locked;
    try {
      absl::Status status;
      const nb::object result =
          CallPython(held.get(), static_cast<PyObject*>(object), parameters,
                     arguments, *alive, status);
      if (!status.ok()) return status;
      Value value;
      std::string fault;
      if (ToResult(result, value, fault)) return value;
      return ResultFault(absl::StrCat("call ", what, ": its result ", fault));
    } catch (nb::python_error& raised) {
      return StatusOf(raised, what);
    }
  };
}

ExposedClass MakeClass(const std::shared_ptr<Link>& link, nb::dict said,
                       nb::handle construct, const nb::list& methods) {
  auto made = std::make_shared<Class>();
  const std::weak_ptr<Link> weak = link;
  made->name = nb::cast<std::string>(said["name"]);
  made->options.doc = nb::cast<std::string>(said["doc"]);
  const auto mode = nb::cast<std::string>(said["mode"]);
  made->options.mode = mode == "session"    ? InstanceMode::kSession
                       : mode == "per-call" ? InstanceMode::kPerCall
                                            : InstanceMode::kSingle;
  made->options.concurrent = nb::cast<bool>(said["concurrent"]);
  made->options.waiting_max = nb::cast<int>(said["waiting_max"]);
  const auto time_max = nb::cast<std::optional<double>>(said["call_time_max"]);
  if (time_max.has_value()) {
    made->options.call_time_max = absl::Seconds(*time_max);
  }
  made->constructor_parameters =
      ParametersOf(nb::cast<ParameterList>(said["parameters"]));
  made->construct =
      [weak, held = Hold(construct), name = made->name,
       parameters = made->constructor_parameters](std::vector<Value>& arguments)
      -> absl::StatusOr<std::shared_ptr<void>> {
    auto alive = Alive(weak);
    if (!alive.ok()) return alive.status();
    const Locked locked;
    try {
      absl::Status status;
      const nb::object object = CallPython(held.get(), nullptr, parameters,
                                           arguments, *alive, status);
      if (!status.ok()) return status;
      return std::shared_ptr<void>(Hold(object));
    } catch (nb::python_error& raised) {
      return StatusOf(raised, name);
    }
  };
  for (const nb::handle one : methods) {
    const auto words = nb::borrow<nb::dict>(one);
    Method method;
    method.name = nb::cast<std::string>(words["name"]);
    method.parameters =
        ParametersOf(nb::cast<ParameterList>(words["parameters"]));
    method.result = nb::cast<std::string>(words["result"]);
    method.marks.doc = nb::cast<std::string>(words["doc"]);
    method.marks.oneway = nb::cast<bool>(words["oneway"]);
    method.marks.idempotent = nb::cast<bool>(words["idempotent"]);
    method.marks.concurrent = nb::cast<bool>(words["concurrent"]);
    method.marks.exactly_once = nb::cast<bool>(words["exactly_once"]);
    method.is_attribute = nb::cast<bool>(words["attribute"]);
    method.invoke =
        InvokeOf(absl::StrCat(made->name, ".", method.name),
                 nb::object(words["function"]), method.parameters, weak);
    made->methods[method.name] = std::move(method);
  }
  return {std::move(made)};
}

// Kind: resource. Threads: under the lock.
class Server {
 public:
  Server(std::shared_ptr<Link> link, ObjectServer server)
      : link_(std::move(link)),
        server_(std::make_shared<ObjectServer>(std::move(server))) {}
  Server(Server&&) noexcept = default;
  ~Server() {
    if (server_ == nullptr) return;
    if (pid_ != getpid()) {
      new std::shared_ptr<ObjectServer>(std::move(server_));
    } else {
      Close();
    }
  }

  std::shared_ptr<ObjectServer> Use() const {
    link_->CheckOpen();
    if (server_ == nullptr) {
      Raise(Error(Reason::kClusterEnded,
                  "serve objects: the server was closed; start another"));
    }
    return server_;
  }
  RemoteObject Serve(const std::string& name, const ExposedClass& of,
                     nb::handle object, const std::vector<std::string>& tags,
                     bool replace) {
    Instance instance{of.of, nullptr};
    if (!object.is_none()) instance.object = Hold(object);
    const auto server = Use();
    return {link_, Take(Interruptible([&] {
              return server->ServeInstance(name, std::move(instance),
                                           {.tags = tags, .replace = replace});
            }))};
  }
  void Close() {
    if (server_ == nullptr || pid_ != getpid()) return;
    std::shared_ptr<ObjectServer> last = std::move(server_);
    server_.reset();
    Unlocked([&] { last.reset(); });
  }

 private:
  pid_t pid_ = getpid();
  std::shared_ptr<Link> link_;
  std::shared_ptr<ObjectServer> server_;
};

Server StartServer(const std::shared_ptr<Link>& link, const std::string& listen,
                   const std::string& advertise, const nb::list& classes) {
  ObjectServerOptions options{.listen = listen, .advertise = advertise};
  for (const nb::handle one : classes) {
    options.classes.push_back(nb::cast<const ExposedClass&>(one).of);
  }
  const Objects objects = link->Use();
  return {link, Take(Interruptible([&] {
            return ObjectServer::Start(objects, std::move(options));
          }))};
}

// What the method that runs in this thread may know of its call; None outside.
nb::object CurrentCall() {
  const CallContext* const call = CallContext::Current();
  if (call == nullptr) return nb::none();
  nb::dict dict;
  nb::dict metadata;
  for (const auto& [key, text] : call->metadata) metadata[key.c_str()] = text;
  dict["metadata"] = metadata;
  dict["correlation"] = call->correlation;
  dict["session"] = absl::StrCat(absl::Hex(call->session.high), "-",
                                 absl::Hex(call->session.low));
  dict["deadline"] = call->deadline == absl::InfiniteFuture()
                         ? nb::object(nb::none())
                         : nb::float_(absl::ToDoubleSeconds(call->deadline -
                                                            absl::UnixEpoch()));
  dict["cancelled"] = call->cancelled();
  return dict;
}

}  // namespace

void BindServing(nb::module_& module) {
  nb::class_<ExposedClass>(module, "ExposedClass")
      .def_static("make", &MakeClass, nb::arg("link"), nb::arg("said"),
                  nb::arg("construct"), nb::arg("methods"))
      .def_prop_ro("name", [](const ExposedClass& of) { return of.of->name; });
  nb::class_<Server>(module, "ObjectServer")
      .def_static("start", &StartServer)
      .def("serve", &Server::Serve, nb::arg("name"), nb::arg("of"),
           nb::arg("object").none(), nb::arg("tags"), nb::arg("replace"))
      .def("unserve",
           [](Server& server, const std::string& name) {
             const auto used = server.Use();
             Check(Interruptible([&] { return used->Unserve(name); }));
           })
      .def("listen_elsewhere",
           [](Server& server) {
             const auto used = server.Use();
             Check(Interruptible([&] { return used->ListenElsewhere(); }));
           })
      .def("close", &Server::Close);
  module.def("expose", [](const std::shared_ptr<Link>& link,
                          const ExposedClass& of, nb::handle object) {
    const Objects objects = link->Use();
    Instance instance{of.of, Hold(object)};
    return RemoteObject(link, Take(Interruptible([&] {
                          return objects.ExposeInstance(std::move(instance));
                        })));
  });
  module.def("create", [](const std::shared_ptr<Link>& link,
                          const std::string& class_name,
                          const nb::list& arguments, nb::dict options) {
    std::vector<Value> values;
    std::string fault;
    for (const nb::handle one : arguments) {
      if (ToValue(one, values.emplace_back(), fault)) continue;
      Raise(Error(Reason::kBadParameter,
                  absl::StrCat("create a ", class_name, ": argument ",
                               values.size(), " ", fault)));
    }
    const CreateOptions create{
        .name = nb::cast<std::string>(options["name"]),
        .tags = nb::cast<std::vector<std::string>>(options["tags"]),
        .replace = nb::cast<bool>(options["replace"]),
        .pid = nb::cast<int>(options["pid"]),
        .machine = nb::cast<std::string>(options["machine"]),
        .near_matrix = nb::cast<std::string>(options["near_matrix"])};
    const Objects objects = link->Use();
    auto made = Interruptible(
        [&] { return objects.Create(class_name, std::move(values), create); });
    if (!made.ok()) RaiseCall(made.status());
    return RemoteObject(link, *std::move(made));
  });
  module.def("current_call", &CurrentCall);
}

}  // namespace hearth::python
