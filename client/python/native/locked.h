// The interpreter's lock on threads that are not Python's, and Python objects
// that C++ keeps.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "client/python/native/status.h"
#include "hearth/object/call_context.h"

namespace hearth::python {

// Holds the interpreter's lock, on any thread, for the time of its life. A
// thread keeps its interpreter state until it ends: making one costs more than
// a call.
class Locked {
 public:
  Locked();
  ~Locked() { PyGILState_Release(state_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  PyGILState_STATE state_;
};

// A reference that any thread may let go of, with or without the lock. What is
// let go of after the interpreter's end is the kernel's to free.
std::shared_ptr<PyObject> Hold(nb::handle object);

// Whether signals are this thread's to handle; Note, when the module is loaded,
// and in a forked child, whose main thread is the one that forked.
bool IsMainThread();
void NoteMainThread();
// Runs Python's handlers of the signals that came; true: one has thrown.
bool HandleSignals();

// Runs `work` without the lock. In the main thread, a wait for remote objects
// in it ends at a Ctrl-C, whose exception is thrown.
template <class Work>
auto Interruptible(const Work& work) {
  if (!IsMainThread()) return Unlocked(work);
  auto result = Unlocked([&] {
    const InterruptScope scope(&HandleSignals);
    return work();
  });
  if (PyErr_Occurred() != nullptr) throw nb::python_error();
  return result;
}

}  // namespace hearth::python
