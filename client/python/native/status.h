// Statuses to exceptions, and waiting without the interpreter's lock.
#pragma once

#include <nanobind/nanobind.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hearth::python {

namespace nb = nanobind;

// Throws the exception of hearth.errors that belongs to the status's reason.
[[noreturn]] void Raise(const absl::Status& status);

// Throws BadUsage: what belongs to process `of` was used in a child of it.
[[noreturn]] void RaiseForked(absl::string_view attempt, pid_t of);

inline void Check(const absl::Status& status) {
  if (!status.ok()) Raise(status);
}

template <class T>
T Take(absl::StatusOr<T> result) {
  if (!result.ok()) Raise(result.status());
  return *std::move(result);
}

// From now on, no other thread than this one comes back from an Unlocked call:
// the interpreter would end it in the midst of our frames, and so the process.
void LetNobodyBack();
// Where a thread comes back; doesn't return if it may not.
void ComeBack();
// Whether this thread may still use the interpreter.
bool IsInterpreterThere();

// Without the interpreter's lock, for the time of its life.
class Released {
 public:
  Released() : state_(PyEval_SaveThread()) {}
  ~Released() {
    ComeBack();
    PyEval_RestoreThread(state_);
  }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  PyThreadState* const state_;
};

// Runs `work` while other Python threads go on. It touches no Python object.
template <class Work>
auto Unlocked(Work work) {
  const Released released;
  return work();
}

// What talks to a server: a process's own. In a forked child its threads are
// missing and its socket is the parent's, so the child does nothing with it,
// and leaves it as it is.
//
// Kind: resource. Threads: T's.
template <class T>
class Own {
 public:
  explicit Own(T of) : of_(std::move(of)) {}
  Own(Own&&) noexcept = default;
  ~Own() {
    if (is_forked()) new T(std::move(of_));  // never ended from here
  }

  bool is_forked() const { return made_in_ != getpid(); }
  // Throws BadUsage in a forked child.
  void CheckOwn(absl::string_view attempt) const {
    if (is_forked()) RaiseForked(attempt, made_in_);
  }
  T& operator*() { return of_; }
  const T& operator*() const { return of_; }
  const T* operator->() const { return &of_; }

 private:
  pid_t made_in_ = getpid();
  T of_;
};

void BindSegment(nb::module_& module);
void BindCluster(nb::module_& module);
void BindObjects(nb::module_& module);

// Refuses gRPC to a child that was forked from a process that speaks it.
void BeginSpeaking(absl::string_view attempt);

}  // namespace hearth::python
