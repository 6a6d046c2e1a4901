// Calling: proxies, calls that are waited for later, batches, items.
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/python/native/locked.h"
#include "client/python/native/objects.h"
#include "client/python/native/values.h"
#include "hearth/base/error.h"

namespace hearth::python {
namespace {

// A switch that ends calls.
struct Switch {
  Own<Cancellation> cancellation{Cancellation()};
};

// The arguments of a call; what can't travel is told by the parameter's name,
// where `names` has it, else by its place.
std::vector<Value> ArgumentsOf(const RemoteObject& object,
                               const std::string& method,
                               const nb::tuple& arguments,
                               const nb::handle& names) {
  std::vector<Value> values;
  values.reserve(arguments.size());
  std::string fault;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (ToValue(arguments[i], values.emplace_back(), fault)) continue;
    const ObjectHandle handle = object.proxy().handle();
    const bool is_named = !names.is_none() && i < nb::len(names);
    const std::string parameter =
        is_named ? absl::StrCat("\"", nb::cast<std::string>(names[i]), "\"")
                 : absl::StrCat(i + 1);
    Raise(Error(
        Reason::kBadParameter,
        absl::StrCat("call ", handle.name.empty() ? handle.key : handle.name,
                     ".", method, ": parameter ", parameter, " ", fault)));
  }
  return values;
}

nb::object ResultOf(absl::StatusOr<Value> value, const RemoteObject& object) {
  if (!value.ok()) RaiseCall(value.status());
  const SurroundingsScope scope(object.proxy().surroundings());
  return FromValue(*std::move(value), object.link());
}

nb::object Call(const RemoteObject& object, const std::string& method,
                const nb::tuple& arguments, const nb::handle& names) {
  object.link()->CheckOpen();
  std::vector<Value> values = ArgumentsOf(object, method, arguments, names);
  return ResultOf(Interruptible([&] {
                    return object.proxy().CallValues(method, std::move(values));
                  }),
                  object);
}

void Send(const RemoteObject& object, const std::string& method,
          const nb::tuple& arguments, const nb::handle& names) {
  object.link()->CheckOpen();
  std::vector<Value> values = ArgumentsOf(object, method, arguments, names);
  const absl::Status status = Interruptible(
      [&] { return object.proxy().SendValues(method, std::move(values)); });
  if (!status.ok()) RaiseCall(status);
}

// `done` is called with a result and None, or with None and an exception.
Switch Later(const std::shared_ptr<RemoteObject>& object,
             const std::string& method, const nb::tuple& arguments,
             const nb::handle& names, nb::handle done) {
  object->link()->CheckOpen();
  std::vector<Value> values = ArgumentsOf(*object, method, arguments, names);
  const auto tell = [object, held = Hold(done)](absl::StatusOr<Value> value) {
    const Locked locked;
    const nb::handle callback(held.get());
    try {
      nb::object result = nb::none();
      nb::object error = nb::none();
      try {
        const SurroundingsScope scope(object->proxy().surroundings());
        if (value.ok()) {
          result = FromValue(*std::move(value), object->link());
        } else {
          error = ExceptionOf(value.status());
        }
      } catch (nb::python_error& raised) {  // it can't be one of Python's
        error = nb::borrow(raised.value());
      }
      callback(result, error);
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("the result of a call");
    }
  };
  Switch made;
  Unlocked([&] {
    // Python's own futures are quick; what users hang on them is moved aside
    // there.
    object->proxy().BeginThen(method, std::move(values), *made.cancellation,
                              tell, /*done_is_quick=*/true);
  });
  return made;
}

// The results of the steps before the first that failed, and its exception.
nb::tuple CallAll(const RemoteObject& object, const nb::list& steps) {
  object.link()->CheckOpen();
  Batch batch = object.proxy().Batch();
  for (const nb::handle step : steps) {
    const auto pair = nb::borrow<nb::tuple>(step);
    auto method = nb::cast<std::string>(pair[0]);
    std::vector<Value> values =
        ArgumentsOf(object, method, nb::borrow<nb::tuple>(pair[1]), nb::none());
    batch.AddValues(std::move(method), std::move(values));
  }
  BatchResult result = Interruptible([&] { return batch.Run(); });
  const SurroundingsScope scope(object.proxy().surroundings());
  nb::list values;
  for (Value& value : result.values) {
    values.append(FromValue(std::move(value), object.link()));
  }
  return nb::make_tuple(values, result.status.ok()
                                    ? nb::object(nb::none())
                                    : ExceptionOf(result.status));
}

RemoteObject With(const RemoteObject& object, std::optional<double> timeout,
                  std::map<std::string, std::string> metadata,
                  std::string correlation, std::optional<double> patience) {
  CallOptions options{.metadata = std::move(metadata),
                      .correlation = std::move(correlation)};
  if (timeout.has_value()) options.timeout = absl::Seconds(*timeout);
  if (patience.has_value()) options.patience = absl::Seconds(*patience);
  return {object.link(), object.proxy().With(std::move(options))};
}

}  // namespace

RemoteObject::~RemoteObject() {
  if (pid_ != getpid()) {
    new Proxy(std::move(proxy_));  // its parts are the parent's
  } else if (proxy_) {
    Unlocked([&] { proxy_ = Proxy(); });
  }
}

RemoteItems::~RemoteItems() { Close(); }

void RemoteItems::Close() {
  if (*source_ == nullptr || source_.is_forked()) return;
  // Taken out under the interpreter's lock: others look at it.
  std::shared_ptr<ItemSource> source = std::move(*source_);
  Unlocked([&] { source.reset(); });
}

nb::object RemoteItems::Next() {
  if (*source_ == nullptr) throw nb::stop_iteration();
  source_.CheckOwn("take items of a remote call");
  const std::shared_ptr<ItemSource> source = *source_;
  auto item = Interruptible([&] { return (*source)(); });
  if (!item.ok() || !item->has_value()) Close();
  if (!item.ok()) RaiseCall(item.status());
  if (!item->has_value()) throw nb::stop_iteration();
  const SurroundingsScope scope(surroundings_);
  return FromValue(**std::move(item), link_);
}

void BindProxies(nb::module_& module) {
  nb::class_<Switch>(module, "Switch").def("cancel", [](const Switch& of) {
    of.cancellation.CheckOwn("cancel a call");
    Unlocked([&] { of.cancellation->Cancel(); });
  });
  nb::class_<RemoteItems>(module, "RemoteItems")
      .def("__iter__", [](nb::handle self) { return nb::borrow(self); })
      .def("__next__", &RemoteItems::Next)
      .def("close", &RemoteItems::Close);
  nb::class_<RemoteObject>(module, "RemoteObject")
      .def_prop_ro("link", &RemoteObject::link)
      .def_prop_ro("handle",
                   [](const RemoteObject& object) {
                     const ObjectHandle handle = object.proxy().handle();
                     return nb::make_tuple(handle.name, handle.key,
                                           handle.class_name);
                   })
      .def("call", &Call, nb::arg("method"), nb::arg("arguments"),
           nb::arg("names").none())
      .def("send", &Send, nb::arg("method"), nb::arg("arguments"),
           nb::arg("names").none())
      .def("later", &Later, nb::arg("method"), nb::arg("arguments"),
           nb::arg("names").none(), nb::arg("done"))
      .def("call_all", &CallAll)
      .def("with_options", &With, nb::arg("timeout").none(),
           nb::arg("metadata"), nb::arg("correlation"),
           nb::arg("patience").none() = nb::none())
      .def("describe", [](const RemoteObject& object) {
        object.link()->CheckOpen();
        return ResultOf(
            Interruptible([&] { return object.proxy().Describe(); }), object);
      });
}

}  // namespace hearth::python
