#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/python/native/status.h"
#include "hearth/base/error.h"
#include "hearth/base/program.h"

namespace hearth::python {
namespace {

std::atomic<bool> ending = false;
std::thread::id last_thread;  // written before `ending`

// The first process of this line of forks that spoke gRPC. What gRPC has of
// threads and locks does not survive a fork: a child that spoke it too would
// wait for ever, now and then.
std::atomic<pid_t> g_speaks_grpc = 0;

}  // namespace

void LetNobodyBack() {
  last_thread = std::this_thread::get_id();
  ending = true;
}

void ComeBack() {
  if (!ending || std::this_thread::get_id() == last_thread) return;
  for (;;) pause();
}

void BeginSpeaking(absl::string_view attempt) {
  pid_t nobody = 0;
  if (g_speaks_grpc.compare_exchange_strong(nobody, getpid())) return;
  const pid_t first = nobody;
  if (first == getpid()) return;
  Raise(Error(
      Reason::kBadUsage,
      absl::StrCat(attempt, ": this process was forked from process ", first,
                   ", which was connected to a cluster, and gRPC does "
                   "not survive a fork; start it with spawn or "
                   "forkserver, or connect after the fork only")));
}

bool IsInterpreterThere() {
  return Py_IsInitialized() != 0 &&
         (!ending || std::this_thread::get_id() == last_thread);
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

void RaiseForked(absl::string_view attempt, pid_t of) {
  Raise(Error(
      Reason::kBadUsage,
      absl::StrCat(attempt, " in a forked process: that is for process ", of,
                   " to do; start this one with spawn or forkserver")));
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
  python::BindObjects(module);
}
