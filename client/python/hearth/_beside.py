"""What runs functions of clients in the Python process beside a worker.

It reads pickles: that is what `--allow-python` allows. Nothing else does, and no
process serves this that was not started for it: see `_host`.
"""

from __future__ import annotations

import collections
import os
import pickle
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import errors
from ._blocks import write_rows
from .array import segment_of
from .exposing import expose
from .matrix import Matrix

PREFIX = "_python."
_LOOK_EVERY_SECONDS, _KEEP_SECONDS = 1.0, 60.0
_ABORT_SECONDS = 3.0  # for a function to end that nobody waits for
_LET_GO_STATUS = 75  # as worker/service/python_host.cc has it: no crash
_FUNCTIONS_MAX, _FUNCTION_BYTES_MAX = 8, 32 << 20  # kept for the jobs to come


class _Job(NamedTuple):
    function: Callable[[np.ndarray], Any]
    combine: Callable[[Any, Any], Any] | None
    source: np.ndarray
    target: np.ndarray | None


def this_host() -> str:
    """The same text for all processes that can hand each other a segment."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return f"at:{file.read().strip()}.{os.readlink('/proc/self/ns/net')[5:-1]}.{os.getuid()}"


def joined(parts: list[Any], combine: Callable[[Any, Any], Any]) -> Any:
    """Neighbours joined, level by level: aligned runs give what the whole tree does."""
    while len(parts) > 1:
        parts = [combine(*parts[i:i + 2]) if i + 1 < len(parts) else parts[i]
                 for i in range(0, len(parts), 2)]
    return parts[0]


class _Mapped:
    """What jobs have mapped of matrices, kept for the next one: pages are touched once.

    A matrix that was removed or replaced since is let go of within a second, and
    one that no job asked for within a minute.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Matrix, np.ndarray, float]] = {}
        self._thread: threading.Thread | None = None

    def array(self, matrix: Matrix) -> np.ndarray:
        """All of it; the mapping of an earlier job, if it has the same bytes."""
        array = matrix.array()
        with self._lock:
            self._kept[matrix.name] = matrix, array, time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._sweep, name="hearth-mapped", daemon=True)
                self._thread.start()
        return array

    def _sweep(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY_SECONDS)
            with self._lock:
                kept = list(self._kept.items())
            for name, (matrix, array, asked) in kept:
                if time.monotonic() - asked < _KEEP_SECONDS and _is_still(matrix, array):
                    continue
                with self._lock:
                    if self._kept.get(name, (None, None, 0))[2] == asked:
                        del self._kept[name]
            kept.clear()
            del name, matrix, array  # or this thread would keep the last
            with self._lock:
                if not self._kept:
                    self._thread = None
                    return


def _is_still(matrix: Matrix, array: np.ndarray) -> bool:
    mine = segment_of(array)
    try:
        here = matrix.cluster._native.here(matrix.name)
    except errors.Error:
        return False
    return here is not None and mine is not None and here[0].identity == mine.identity


class _Functions:
    """The functions that were used last, by hash."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[str, tuple[Any, int]] = collections.OrderedDict()

    def add(self, digest: str, function: Any, size: int) -> None:
        """Keeps it, and lets go of what was not used for longest, down to the bounds."""
        with self._lock:
            self._kept[digest] = function, size
            self._kept.move_to_end(digest)
            while len(self._kept) > 1 and (len(self._kept) > _FUNCTIONS_MAX or
                                           sum(size for _, size in self._kept.values()) > _FUNCTION_BYTES_MAX):
                self._kept.popitem(last=False)

    def get(self, digest: str) -> Any:
        """The function and how its results are joined; None where it is not known any more."""
        with self._lock:
            found = self._kept.get(digest)
            if found is None:
                return None
            self._kept.move_to_end(digest)
            return found[0]


@expose(mode="session", name="PythonFunctions")
class Functions:
    """What one client has sent here: functions by hash, jobs by id.

    One run at a time; all else is answered meanwhile.
    """

    def __init__(self) -> None:
        self._mapped = _Mapped()
        self._functions = _Functions()
        self._jobs: dict[str, _Job] = {}
        self._running: tuple[str, threading.Event] | None = None

    @expose(concurrent=True)
    def define(self, digest: str, code: bytes) -> None:
        """Keeps a function, and how its results are joined; not for ever."""
        self._functions.add(digest, pickle.loads(code), len(code))

    @expose(concurrent=True)
    def begin(self, job: str, digest: str, matrix: Any, target: Any) -> bool:
        """Maps what a job reads and writes, once. False: the function is not known here."""
        known = self._functions.get(digest)
        if known is None:
            return False
        function, combine = known
        source = matrix if isinstance(matrix, np.ndarray) else self._mapped.array(matrix)
        self._jobs[job] = _Job(function, combine, source, target)
        return True

    def run(self, job: str, rows: list) -> Any:
        """The function over blocks of rows: written to the target, joined, or as they are."""
        running = self._running = job, threading.Event()
        try:
            found = self._job(job)
            values = []
            for begin, end in rows:
                value = found.function(found.source[begin:end])
                self._job(job)  # or nobody waits for it any more
                if isinstance(value, types.GeneratorType):  # a result of its own would be streamed, over one block only
                    raise errors.BadParameter("run a function over blocks: it gave a generator; give a list of its items")
                if found.target is not None:
                    write_rows(found.target, begin, end, value)
                else:
                    values.append(_whole(value))
            if found.target is not None:
                return None
            return values if found.combine is None else _whole(joined(values, found.combine))
        finally:
            self._running = None
            running[1].set()

    @expose(concurrent=True)
    def end(self, job: str) -> None:
        """Lets go of what a job has mapped."""
        self._jobs.pop(job, None)

    @expose(concurrent=True)
    def abort(self, job: str) -> None:
        """Nobody waits for a job: a function of it that does not end takes this process with it."""
        self._jobs.pop(job, None)
        running = self._running
        if running is not None and running[0] == job:
            threading.Thread(target=_ends_or_we_do, args=(running[1],), name="hearth-abort", daemon=True).start()

    def _job(self, job: str) -> _Job:
        found = self._jobs.get(job)
        if found is None:
            raise errors.JobUnknown(f"run blocks of job {job}: this process does not know it; it was started since, "
                                    "or the job was given up; begin it again")
        return found


def _ends_or_we_do(ended: threading.Event) -> None:
    if not ended.wait(_ABORT_SECONDS):
        sys.stderr.write(f"hearth: Python process {os.getpid()} ends: a function of a job that was given up did not "
                         f"end within {_ABORT_SECONDS:.0f} s\n")
        sys.stderr.flush()
        os._exit(_LET_GO_STATUS)


def _whole(value: Any) -> Any:
    """A number of NumPy's keeps its type, as an array of no axes."""
    return np.asarray(value) if isinstance(value, np.generic) else value
