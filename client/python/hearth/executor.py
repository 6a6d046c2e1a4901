"""Warm Python processes on this host, and functions over the blocks of a matrix."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import functools
import hashlib
import operator
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Callable
from typing import IO, Any, NamedTuple, TypeVar

import cloudpickle
import numpy as np

from . import errors, sharing
from ._beside import joined
from ._blocks import target_for, write_rows
from ._checks import whole
from ._progress import reporter
from ._python_worker import error_of, packed, receive, send
from ._waiting import before_end, refuse_at_end
from .array import Array
from .functions import blocks_of, runs_of
from .matrix import Matrix

T = TypeVar("T")

_FUNCTIONS_MAX, _FUNCTION_BYTES_MAX = 8, 32 << 20  # kept in each process for the tasks to come
_REMEMBERED_BYTES_MAX = 64 << 10  # of code that need not be made anew
_END_SECONDS = 10.0  # for a process to end by itself

_open: weakref.WeakSet[Executor] = weakref.WeakSet()


class Executor(concurrent.futures.Executor):
    """A `concurrent.futures.Executor` of warm Python processes on this host.

    Shared arrays go to them as handles and come back as such; a function is sent
    once to each process, by cloudpickle, so lambdas and functions of a notebook
    will do. It is what it was when it was submitted; each process keeps the 8 that
    it ran last. Processes are exec'ed, never forked, and end with this one, however
    it ends. Ctrl-C raises KeyboardInterrupt in the functions that run, too; where
    it leaves the ``with``, or ends the program, what still runs ends with it.

    Parameters
    ----------
    workers : int, optional
        Processes; one a core by default.
    """

    def __init__(self, workers: int | None = None) -> None:
        refuse_at_end("start Python processes")
        if workers is not None:
            workers = whole(workers, "start Python processes, whose number shall be", 1)
        self._made_in = os.getpid()
        self._tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._codes = _Codes()
        self._lock = threading.Lock()
        self._ended = self._given_up = False
        self._interrupted = False  # a function was, and nothing was submitted since
        self._at_end = False  # of the program
        self._processes = [_Process() for _ in range(workers or os.cpu_count() or 1)]
        self._threads = [threading.Thread(target=self._drive, args=(process,), daemon=True,
                                          name=f"hearth-executor-{process.pid}")
                         for process in self._processes]
        for thread in self._threads:
            thread.start()
        _open.add(self)

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return len(self._processes)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[T]:
        """Runs it in one of the processes."""
        return self._submit(self._define(fn), args, kwargs)

    def map_blocks(self, function: Callable[[np.ndarray], Any], matrix: Any, *,
                   progress: Any = None) -> Array:
        """A new matrix: the function's value of each block of rows, one below the other.

        Parameters
        ----------
        function : callable
            Takes a block, a read-only view of some rows, and gives an array of as
            many rows, or of one number a row.
        matrix : Array, Matrix, path or array_like
            What is not shared yet is shared first.

        Returns
        -------
        Array
            Sealed; the processes wrote their rows straight into it.
        """
        source = _rows_of(matrix)
        blocks = _blocks(source)
        first = self.submit(function, source[slice(*blocks[0])]).result()
        target = target_for(first, blocks[0][1], source.shape[0])
        runs = runs_of(blocks[1:], self.workers)
        defined = self._define(_MapRun(function))
        self._finish([self._submit(defined, (source, target, run), {}) for run in runs],
                     reporter(progress, "map_blocks"))
        return target.seal()

    def map_reduce(self, function: Callable[[np.ndarray], T], matrix: Any,
                   combine: Callable[[T, T], T] = np.add,  # type: ignore[assignment]
                   *, progress: Any = None) -> T:
        """The function's values of all blocks of rows, joined by `combine`.

        Neighbours are joined along one tree that the matrix alone decides, so the
        result has the same bits whatever the number of processes.
        """
        source = _rows_of(matrix)
        runs = runs_of(_blocks(source), self.workers)
        defined = self._define(_ReduceRun(function, combine))
        parts = self._finish([self._submit(defined, (source, run), {}) for run in runs],
                             reporter(progress, "map_reduce"))
        return joined(parts, combine)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes once what was submitted is done; Ctrl-C meanwhile ends them at once."""
        if os.getpid() != self._made_in:
            return  # its processes are not this one's to end, and its lock may be held for ever
        with self._lock:
            self._ended = True
        if cancel_futures:
            self._cancel_waiting()
        for _ in self._processes:  # again: those of an earlier call may just have been taken out
            self._tasks.put(None)
        if wait:
            try:
                for thread in self._threads:
                    thread.join()
            except KeyboardInterrupt:
                self._give_up()
                raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._give_up()
        self.shutdown()

    # ------------------------------------------------------------------ inside

    def _define(self, function: Callable[..., Any]) -> _Function:
        self._refuse_forked()
        with self._lock:
            self._refuse_ended()
        return _Function(function, self._codes.of(function))

    def _submit(self, function: _Function, args: tuple, kwargs: dict) -> concurrent.futures.Future:
        self._refuse_forked()
        future: concurrent.futures.Future = concurrent.futures.Future()
        with self._lock:
            self._refuse_ended()
            self._interrupted = False
            self._tasks.put((future, function, args, kwargs))
        return future

    def _refuse_forked(self) -> None:
        if os.getpid() != self._made_in:
            raise errors.BadUsage(f"use an executor in a forked process: its processes are those of process "
                                  f"{self._made_in}; make one here")

    def _refuse_ended(self) -> None:
        if self._ended:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def _finish(self, futures: list[concurrent.futures.Future], progress: Any) -> list[Any]:
        try:
            for done, future in enumerate(futures):
                future.result()
                if progress is not None:
                    progress(done + 1, len(futures))
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def _drive(self, process: _Process) -> None:
        """One thread a process: hands it tasks, one after the other."""
        while (task := self._tasks.get()) is not None:
            if task[0].set_running_or_notify_cancel():
                self._run(process, *task)
            del task
        process.end()

    def _run(self, process: _Process, future: concurrent.futures.Future, function: _Function, args: tuple,
             kwargs: dict) -> None:
        try:
            if process.has_ended:
                self._start(process)
            ok, *answer = process.call(function.code, args, kwargs)
        except _Lost as lost:
            told = f"run {function.told()}: process {process.pid} ended with {process.end()}; "
            told += "Ctrl-C ended the executor" if self._given_up else "another gets what waits"
            future.set_exception(_caused(errors.WorkerLost(told), lost.__cause__))
            with contextlib.suppress(_Unstarted):  # the next task tries again
                self._start(process)
        except _Unstarted as unstarted:
            told = f"run {function.told()}: process {process.pid} has ended, and no other could be started: " \
                   f"{unstarted.__cause__}; submit it again once one can"
            future.set_exception(_caused(errors.WorkerLost(told), unstarted.__cause__))
        except BaseException as error:  # noqa: BLE001 - arguments that can't travel
            future.set_exception(error)
        else:
            if ok:
                future.set_result(answer[0])
            else:
                raised = _caused(error_of(answer[0], answer[2]), RemoteTraceback(answer[1]))
                self._interrupted |= isinstance(raised, KeyboardInterrupt)
                if self._interrupted and self._at_end:
                    self.shutdown(wait=False, cancel_futures=True)  # what an interrupt ended is followed by nothing
                future.set_exception(raised)
                del raised

    def _start(self, process: _Process) -> None:
        with self._lock:
            if self._given_up:
                return
            try:
                process.start()
            except Exception as error:  # noqa: BLE001 - no memory, no descriptors
                raise _Unstarted from error

    def _give_up(self) -> None:
        """Nobody waits any more: what waits is cancelled, and what runs ends with its process."""
        if os.getpid() != self._made_in:
            return
        with self._lock:
            self._ended = self._given_up = True
            for process in self._processes:
                process.kill()
        self.shutdown(wait=False, cancel_futures=True)

    def _cancel_waiting(self) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return
            if task is not None and task[0].cancel():
                task[0].set_running_or_notify_cancel()  # `wait` and `as_completed` go by that


class RemoteTraceback(Exception):
    """Where an error happened, in the process in which it did."""


class _Lost(Exception):
    """The process is gone, or its answer is."""


class _Unstarted(Exception):
    """No process could be started."""


def _caused(error: BaseException, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error


class _Code:
    """What a function is sent as, and its hash. Tasks whose functions have the same share it."""

    def __init__(self, key: bytes, data: bytes) -> None:
        self.key, self.data = key, data


class _Function(NamedTuple):
    function: Callable[..., Any]
    code: _Code

    def told(self) -> str:
        """For a message."""
        try:
            return repr(self.function)
        except BaseException:  # noqa: BLE001 - a task must not lose its end by it
            return f"a {type(self.function).__name__}"


class _Codes:
    """The code of functions, as they are now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: weakref.WeakValueDictionary[bytes, _Code] = weakref.WeakValueDictionary()
        self._remembered: collections.OrderedDict[int, tuple[Any, tuple, _Code]] = collections.OrderedDict()

    def of(self, function: Callable[..., Any]) -> _Code:
        """Made anew, unless nothing that it is made of can have changed."""
        parts = _parts(function)  # before its code: what changes meanwhile is seen the next time
        with self._lock:
            known = self._remembered.get(id(function))
        if known is not None and known[0] is function and _same(known[1], parts):
            return known[2]
        data = packed(function)
        key = hashlib.sha256(data).digest()
        with self._lock:
            code = self._shared.get(key)
            if code is None:
                code = self._shared[key] = _Code(key, data)
            self._remembered.pop(id(function), None)
            if len(data) <= _REMEMBERED_BYTES_MAX and all(map(_is_fixed, parts)):
                self._remembered[id(function)] = function, parts, code
                if len(self._remembered) > _FUNCTIONS_MAX:
                    self._remembered.popitem(last=False)
        return code


_PLAIN = (int, float, complex, bool, str, bytes, type(None), types.CodeType)
_ABSENT = "(none of that name)"
_CHANGING = object()


def _parts(function: Any) -> tuple:
    """What a plain function is made of; of all else, what is not fixed."""
    if type(function) is not types.FunctionType or function.__dict__ or function.__kwdefaults__ or \
            cloudpickle.list_registry_pickle_by_value():
        return (_CHANGING,)
    code, known = function.__code__, function.__globals__
    try:
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # one that is empty yet
        return (_CHANGING,)
    return (len(sys.modules), code, *(function.__defaults__ or ()), *cells,
            *[known.get(name, _ABSENT) for name in _names(code)])


@functools.lru_cache(64)
def _names(code: types.CodeType) -> tuple[str, ...]:
    """Of the globals that it uses, and functions within it do; and some more."""
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return code.co_names + tuple(name for one in inner for name in _names(one))


def _same(before: tuple, now: tuple) -> bool:
    return len(before) == len(now) and before[0] == now[0] and all(map(operator.is_, before[1:], now[1:]))


def _is_fixed(part: Any) -> bool:
    """It never changes, or goes by its name."""
    if type(part) in _PLAIN:
        return True
    if type(part) is tuple:
        return all(map(_is_fixed, part))
    if isinstance(part, types.ModuleType):
        return sys.modules.get(part.__name__) is part
    if not isinstance(part, (types.FunctionType, type, np.ufunc)):
        return False
    home = getattr(part, "__module__", None) or "numpy"  # a ufunc has none
    name = getattr(part, "__qualname__", part.__name__)
    return home != "__main__" and getattr(sys.modules.get(home), name, None) is part


class _Process:
    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        # Blocked until it knows what to do with it: the new process inherits that.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-c", "from hearth._python_worker import main; main()", str(os.getpid())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._defined: collections.OrderedDict[bytes, int] = collections.OrderedDict()
        self.pid = self._process.pid

    @property
    def has_ended(self) -> bool:
        """It was seen to, and no other was started yet."""
        return self._process.returncode is not None and self._streams()[0].closed

    def call(self, code: _Code, args: tuple, kwargs: dict) -> Any:
        """(True, result) or (False, ...), as `_python_worker` has it."""
        request = packed(("call", code.key, args, kwargs))
        requests, answers = self._streams()
        try:
            self._define(code)
            send(requests, request)
            del request
            answer = receive(answers)
        except MemoryError as error:  # what is left of the answer is not the next one's
            raise _Lost from error
        except (EOFError, OSError, ValueError):
            raise _Lost from None
        return pickle.loads(answer)

    def _define(self, code: _Code) -> None:
        requests, defined = self._streams()[0], self._defined
        if code.key not in defined:
            send(requests, packed(("define", code.key, code.data)))
            defined[code.key] = len(code.data)
        defined.move_to_end(code.key)
        while len(defined) > 1 and (len(defined) > _FUNCTIONS_MAX or sum(defined.values()) > _FUNCTION_BYTES_MAX):
            send(requests, packed(("undefine", defined.popitem(last=False)[0])))

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> str:
        """Has it end, and says how it did. It is told to: a fork of ours may hold its line open."""
        with contextlib.suppress(OSError, ValueError):  # it has gone before
            send(self._streams()[0], packed(("end",)))
        for stream in self._streams():
            with contextlib.suppress(OSError):
                stream.close()
        try:
            status = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            status = self._process.wait()
        return f"signal {-status}" if status < 0 else f"status {status}"

    def _streams(self) -> tuple[IO[bytes], IO[bytes]]:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        return requests, answers


class _MapRun:
    def __init__(self, function: Callable[[np.ndarray], Any]) -> None:
        self.function = function

    def __call__(self, source: Array, target: Array, run: list[tuple[int, int]]) -> None:
        for begin, end in run:
            write_rows(target, begin, end, self.function(source[begin:end]))


class _ReduceRun:
    def __init__(self, function: Callable[[np.ndarray], Any], combine: Callable[[Any, Any], Any]) -> None:
        self.function, self.combine = function, combine

    def __call__(self, source: Array, run: list[tuple[int, int]]) -> Any:
        return joined([self.function(source[begin:end]) for begin, end in run], self.combine)


def _rows_of(matrix: Any) -> Array:
    if isinstance(matrix, Matrix):
        array = matrix.array()
    elif isinstance(matrix, (str, os.PathLike)):
        array = sharing.load(matrix)
    elif isinstance(matrix, Array):
        array = matrix
    else:
        array = sharing.share(matrix)
    if array.ndim == 0 or array.shape[0] == 0:
        raise errors.BadParameter(f"go through the blocks of a matrix of shape {array.shape}: it has no rows")
    return array


def _blocks(array: np.ndarray) -> list[tuple[int, int]]:
    return blocks_of(array.shape, array.nbytes)


def _shutdown_all() -> None:
    # What ended the program; in a prompt it may be long past.
    last = None if hasattr(sys, "ps1") else getattr(sys, "last_type", None)
    for executor in list(_open):
        executor._at_end = True
        if executor._interrupted or last is not None and issubclass(last, KeyboardInterrupt):
            executor._give_up()
        executor.shutdown()  # as concurrent.futures: what was submitted is done


before_end(_shutdown_all)
os.register_at_fork(after_in_child=_open.clear)  # they are the parent's to end
