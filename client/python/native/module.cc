#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "client/python/native/status.h"
#include "hearth/base/error.h"
#include "hearth/base/program.h"

namespace hearth::python {

void Raise(const absl::Status& status) {
  const nb::object error =
      nb::module_::import_("hearth.errors")
          .attr("error_of")(std::string(InfoOf(ReasonOf(status)).name),
                            std::string(status.message()));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())),
                  error.ptr());
  throw nb::python_error();
}

}  // namespace hearth::python

NB_MODULE(_native, module) {
  namespace python = hearth::python;
  // What lives until the interpreter's end is freed by the kernel then.
  nanobind::set_leak_warnings(false);
  module.def("name_program", &hearth::NameHearthProgram);
  module.def("find_program",
             [] { return python::Take(hearth::FindHearthProgram()); });
  python::BindSegment(module);
  python::BindCluster(module);
}
