"""The Python process beside a worker, in which functions of clients run.

`python -m hearth._host --coordinator ADDRESS --beside PID@KEEPER`: serves one
object, an instance a client, that takes functions and goes through rows with
them. It reads pickles: that is what `--allow-python` allows. It says ``ready``
once it can take work, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import os
import pickle
import signal
import sys
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import errors
from .exposing import expose
from .objects import ObjectServer

PREFIX = "_python."
Run = list[tuple[int, int]]


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


@expose(mode="session", name="PythonFunctions")
class Functions:
    """What one client has sent here: functions by hash, jobs by id."""

    def __init__(self) -> None:
        self._functions: dict[str, Any] = {}
        self._jobs: dict[str, _Job] = {}

    def define(self, digest: str, code: bytes) -> None:
        """Keeps a function, and how its results are joined."""
        self._functions[digest] = pickle.loads(code)

    def begin(self, job: str, digest: str, matrix: Any, target: Any) -> bool:
        """Maps what a job reads and writes, once. False: the function is not known here."""
        if digest not in self._functions:
            return False
        function, combine = self._functions[digest]
        source = matrix if isinstance(matrix, np.ndarray) else matrix.array()
        self._jobs[job] = _Job(function, combine, source, target)
        return True

    def run(self, job: str, rows: list) -> Any:
        """The function over blocks of rows: written to the target, joined, or as they are."""
        found = self._jobs.get(job)
        if found is None:
            raise errors.JobUnknown(f"run blocks of job {job}: this process does not know it; it was started since")
        if found.target is not None:
            for begin, end in rows:
                found.target[begin:end] = found.function(found.source[begin:end])
            return None
        values = [_whole(found.function(found.source[begin:end])) for begin, end in rows]
        return values if found.combine is None else _whole(joined(values, found.combine))

    def end(self, job: str) -> None:
        """Lets go of what a job has mapped."""
        self._jobs.pop(job, None)


def _whole(value: Any) -> Any:
    """A number of NumPy's keeps its type, as an array of no axes."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def main() -> None:
    """Serves until its standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m hearth._host")
    parser.add_argument("--coordinator", required=True)
    parser.add_argument("--beside", required=True)
    parser.add_argument("--tls-dir")
    parser.add_argument("--insecure", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the keeper's to answer
    server = ObjectServer(options.coordinator, tls_dir=options.tls_dir, insecure=options.insecure)
    server.serve(PREFIX + uuid.uuid4().hex, Functions, tags=["python", f"beside:{options.beside}", this_host()])
    os.write(1, b"ready\n")
    os.dup2(2, 1)  # what functions print is the worker's log
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
