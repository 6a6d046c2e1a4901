"""Warm Python processes on this host, and functions over the blocks of a matrix."""

from __future__ import annotations

import concurrent.futures
import itertools
import operator
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import cloudpickle
import numpy as np

from . import errors, sharing
from ._beside import joined
from ._blocks import target_for, write_rows
from ._progress import reporter
from ._python_worker import error_of, receive, send
from ._waiting import before_end, refuse_at_end
from .array import Array
from .cluster import Matrix
from .functions import blocks_of, runs_of

T = TypeVar("T")

_open: weakref.WeakSet[Executor] = weakref.WeakSet()


class Executor(concurrent.futures.Executor):
    """A `concurrent.futures.Executor` of warm Python processes on this host.

    Shared arrays go to them as handles and come back as such; a function is sent
    once to each process, by cloudpickle, so lambdas and functions of a notebook
    will do. Processes are exec'ed, never forked, and end with this one, however
    it ends. Ctrl-C raises KeyboardInterrupt in the functions that run, too; where
    it leaves the ``with``, or ends the program, what still runs ends with it.

    Parameters
    ----------
    workers : int, optional
        Processes; one a core by default.
    """

    def __init__(self, workers: int | None = None) -> None:
        refuse_at_end("start Python processes")
        if workers is not None and operator.index(workers) < 1:
            raise errors.BadUsage(f"start {workers} Python processes: give a whole number, 1 or more")
        self._made_in = os.getpid()
        self._tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._ids = itertools.count()
        self._functions: dict[int, tuple[int, bytes]] = {}
        self._keep: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._ended = self._given_up = False
        self._interrupted = False  # a function was, and nothing was submitted since
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
        number = self._define(_MapRun(function))
        self._finish([self._submit(number, (source, target, run), {}) for run in runs],
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
        number = self._define(_ReduceRun(function, combine))
        parts = self._finish([self._submit(number, (source, run), {}) for run in runs],
                             reporter(progress, "map_reduce"))
        return joined(parts, combine)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes once what was submitted is done; Ctrl-C meanwhile ends them at once."""
        with self._lock:
            self._ended = True
        if os.getpid() != self._made_in:
            return  # its processes are not this one's to end
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

    def _define(self, function: Callable[..., Any]) -> int:
        key = id(function)
        with self._lock:
            self._refuse_ended()
            known = self._functions.get(key)
            if known is None:
                # Kept, so that no other function gets its id meanwhile.
                self._keep[key] = function
                known = self._functions[key] = next(self._ids), cloudpickle.dumps(function)
        return key

    def _submit(self, function: int, args: tuple, kwargs: dict) -> concurrent.futures.Future:
        future: concurrent.futures.Future = concurrent.futures.Future()
        with self._lock:
            self._refuse_ended()
            self._interrupted = False
            self._tasks.put((future, function, args, kwargs))
        return future

    def _refuse_ended(self) -> None:
        if os.getpid() != self._made_in:
            raise errors.BadUsage(f"use an executor in a forked process: its processes are those of process "
                                  f"{self._made_in}; make one here")
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
            future, function, args, kwargs = task
            if future.set_running_or_notify_cancel():
                try:
                    ok, *answer = process.call(self._functions[function], args, kwargs)
                except (EOFError, BrokenPipeError):
                    told = f"run {self._keep[function]!r}: process {process.pid} ended with {process.end()}; "
                    with self._lock:
                        if not self._given_up:
                            process.start()
                    told += "Ctrl-C ended the executor" if self._given_up else \
                        "the executor started another, which gets what waits"
                    future.set_exception(errors.WorkerLost(told))
                except BaseException as error:  # noqa: BLE001 - arguments that can't travel
                    future.set_exception(error)
                else:
                    if ok:
                        future.set_result(answer[0])
                    else:
                        raised = error_of(answer[0], answer[2])
                        raised.__cause__ = RemoteTraceback(answer[1])
                        self._interrupted |= isinstance(raised, KeyboardInterrupt)
                        future.set_exception(raised)
                        del raised
            del task, future, args, kwargs
        process.end()

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
        self._defined: set[int] = set()
        self.pid = self._process.pid

    def call(self, function: tuple[int, bytes], args: tuple, kwargs: dict) -> Any:
        number, code = function
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        if number not in self._defined:
            send(requests, ("define", number, code))
            self._defined.add(number)
        send(requests, ("call", number, args, kwargs))
        return receive(answers)

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> str:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        status = self._process.wait()
        return f"signal {-status}" if status < 0 else f"status {status}"


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
        raise errors.BadUsage(f"go through the blocks of a matrix of shape {array.shape}: it has no rows")
    return array


def _blocks(array: np.ndarray) -> list[tuple[int, int]]:
    return blocks_of(array.shape, array.nbytes)


def _shutdown_all() -> None:
    # What ended the program; in a prompt it may be long past.
    last = None if hasattr(sys, "ps1") else getattr(sys, "last_type", None)
    for executor in list(_open):
        if executor._interrupted or last is not None and issubclass(last, KeyboardInterrupt):
            executor._give_up()
        executor.shutdown(wait=True, cancel_futures=True)


before_end(_shutdown_all)
