#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "client/python/native/status.h"
#include "hearth/base/error.h"
#include "hearth/base/program.h"

namespace hearth::python {
namespace {

std::atomic<bool> ending = false;
std::thread::id last_thread;  // written before `ending`

}  // namespace

void LetNobodyBack() {
  last_thread = std::this_thread::get_id();
  ending = true;
}

void ComeBack() {
  if (!ending || std::this_thread::get_id() == last_thread) return;
  for (;;) pause();
}

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
  module.def("let_nobody_back", &python::LetNobodyBack);
  python::BindSegment(module);
  python::BindCluster(module);
}
