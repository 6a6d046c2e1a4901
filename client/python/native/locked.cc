#include "client/python/native/locked.h"

namespace hearth::python {
namespace {

// Lets go of the interpreter state that a thread of C++ has kept.
struct KeptState {
  bool is_kept = false;
  ~KeptState() {
    if (!is_kept || !IsInterpreterThere()) return;
    PyGILState_Ensure();
    PyGILState_Release(PyGILState_LOCKED);
    PyGILState_Release(PyGILState_UNLOCKED);
  }
};
thread_local KeptState kept_state;

unsigned long main_thread = 0;  // as Python counts them

}  // namespace

Locked::Locked() {
  ComeBack();
  const bool is_new = PyGILState_GetThisThreadState() == nullptr;
  state_ = PyGILState_Ensure();
  if (!is_new) return;
  PyGILState_Ensure();  // one more than are let go of: the state stays
  kept_state.is_kept = true;
}

std::shared_ptr<PyObject> Hold(nb::handle object) {
  Py_XINCREF(object.ptr());
  return {object.ptr(), [](PyObject* held) {
            if (!IsInterpreterThere()) return;
            const Locked locked;
            Py_XDECREF(held);
          }};
}

bool IsMainThread() { return PyThread_get_thread_ident() == main_thread; }

void NoteMainThread() {
  main_thread = nb::cast<unsigned long>(
      nb::module_::import_("threading").attr("main_thread")().attr("ident"));
}

bool HandleSignals() {
  ComeBack();
  const PyGILState_STATE state = PyGILState_Ensure();
  const bool has_thrown = PyErr_CheckSignals() != 0;
  PyGILState_Release(state);
  return has_thrown;
}

}  // namespace hearth::python
