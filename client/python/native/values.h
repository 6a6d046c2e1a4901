// Python objects as values of remote calls, and back.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/python/native/objects.h"
#include "hearth/object/value.h"

namespace hearth::python {

// Makes a Value of what Python has; false, and in `fault` what of it can't
// travel: "item 3 is a set, ...". Anything but plain values is asked of
// hearth._values.
bool ToValue(nb::handle from, Value& out, std::string& fault);
// The result of a method, which may be a generator: a stream of items.
bool ToResult(nb::handle from, Value& out, std::string& fault);
// Of a result that can't travel: the method's own mistake, as its TypeError
// would be, and not its caller's.
absl::Status ResultFault(absl::string_view sentence);

// `link` is where handles of matrices and objects lead to.
nb::object FromValue(Value value, const std::shared_ptr<Link>& link);

// The status of what a method has raised; `what` is Class.method.
absl::Status StatusOf(nb::python_error& raised, const std::string& what);
// The exception of a call's status: type, stack and correlation are attributes.
nb::object ExceptionOf(const absl::Status& status);
[[noreturn]] void RaiseCall(const absl::Status& status);

void BindValues(nb::module_& module);

}  // namespace hearth::python
