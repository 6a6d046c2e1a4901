"""Clusters: what is published in them, and the jobs on it."""

from __future__ import annotations

import concurrent.futures
import html
import os
import subprocess
import sys
import threading
import uuid
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _native, errors
from ._arguments import argument_of, parameter_kinds, text_of
from ._checks import text, whole
from ._layout import check_known, layout_of, lengths_of, order_of, raw_of
from ._over_blocks import OverBlocks
from ._progress import reporter
from ._waiting import before_end, interruptible
from .array import segment_of
from .job import Job
from .matrix import Matrix
from .sharing import share

if TYPE_CHECKING:
    from .objects import Objects

_open: weakref.WeakSet[Cluster] = weakref.WeakSet()
_SOURCE_OF_NAME: tuple[str, None, int, str] = ("", None, 0, "C")


def local(workers: int | None = None, threads: int | None = None) -> Cluster:
    """Starts a cluster on this machine, which ends with this process.

    Parameters
    ----------
    workers : int, optional
        Processes; one a core by default.
    threads : int, optional
        Of each worker; cores / workers by default, at least 1.

    Returns
    -------
    Cluster
        To be used in a ``with``, or closed.
    """
    counts = [0 if count is None else whole(count, f"start a cluster whose {what} shall be", 1)
              for what, count in (("workers", workers), ("threads", threads))]
    return Cluster(interruptible(_native.Connection.local, *counts), is_own=True)


def connect(address: str | None = None, tls_dir: str | os.PathLike[str] | None = None,
            insecure: bool = False) -> Cluster:
    """Connects to a cluster that runs.

    Parameters
    ----------
    address : str, optional
        What its ready line printed; ``$HEARTH_CLUSTER`` by default.
    tls_dir : path, optional
        The folder with credentials; ``$HEARTH_TLS_DIR``, else
        ``~/.config/hearth/tls``.
    insecure : bool
        Over TCP, without any; the coordinator must say so, too.
    """
    address = address or os.environ.get("HEARTH_CLUSTER")
    if not address:
        raise errors.BadUsage("connect to a cluster: no address was given, and HEARTH_CLUSTER is "
                              "not set; say hearth.connect(\"ADDRESS\"), or hearth.local()")
    address = text(address, "connect to")
    folder = text(os.fsdecode(tls_dir), "connect with the credentials in") if tls_dir is not None else ""
    return Cluster(interruptible(_native.Connection.connect, address, folder, bool(insecure)), folder, insecure)


class Cluster(OverBlocks):
    """A connection to a cluster, and the cluster itself if `local` started it.

    A context manager; safe from many threads. A pickled cluster connects anew
    where it is unpickled. A forked child can use no cluster at all once its
    parent was connected to one: gRPC does not survive a fork. Start processes
    that need one with spawn or forkserver.
    """

    def __init__(self, native: _native.Connection, tls_dir: str = "", insecure: bool = False,
                 is_own: bool = False) -> None:
        self._native = native
        self._is_own = is_own
        self._processes: list[subprocess.Popen] = []
        self._starting = threading.Lock()  # of those
        self._security = tls_dir, insecure
        _open.add(self)

    @property
    def address(self) -> str:
        """What another process connects to."""
        return self._native.address

    def close(self) -> None:
        """Lets go of the connection; a cluster of one's own ends."""
        # Found, not imported: in a `__del__` at the interpreter's end nothing can be imported any more.
        functions, objects = (sys.modules.get(f"hearth.{name}") for name in ("functions", "objects"))
        if functions is not None and self._processes:
            functions.end_processes(self._processes)
        if objects is not None and self._is_own:  # others may go on with what they have of one that lives on
            objects.close_at(self.address)
        self._native.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        return connect, (self.address, *self._security)

    @property
    def objects(self) -> Objects:
        """Its remote objects: see `hearth.Objects`."""
        from .objects import Objects
        return Objects(self)

    # ---------------------------------------------------------------- matrices

    def put(self, name: str, matrix: Any, *, copy: bool = False, replace: bool = False,
            replicas: int = 1, dtype: npt.DTypeLike | None = None, shape: int | tuple[int, ...] | None = None,
            offset: int = 0, order: str = "C") -> Matrix:
        """Publishes a matrix.

        Parameters
        ----------
        name : str
            What it is called from now on.
        matrix : array_like or path
            An array is copied into shared memory, unless it lies there already; a
            file is mapped where it lies, unless `copy` says otherwise.
        replace : bool
            In place of what has that name.
        replicas : int
            Hosts that hold its bytes in memory.
        dtype, shape, offset, order
            Of a raw file, as `hearth.load` has them; ``"bfloat16"``, too.
        """
        name = text(name, "put a matrix named")
        options = bool(replace), whole(replicas, f"put {name}: its replicas shall be", 1)
        raw = raw_of(f"put {name}", dtype, shape, offset, order)
        if isinstance(matrix, (str, os.PathLike)):
            source: _native.Source = (_file_text(matrix), *_SOURCE_OF_NAME)
            if raw is not None:
                source = (source[0], _element_text(dtype, f"put {name}: elements"), list(raw[0]), *raw[1:])
            info = interruptible(self._native.put_file, name, source, bool(copy), *options)
        elif raw is not None:
            raise errors.BadUsage(f"put {name}: dtype and shape are those of a raw file, and this is no path; give an "
                                  "array of that type and shape")
        else:
            array = _computable(matrix)
            segment = segment_of(array)
            layout = layout_of(array.dtype, "C" if array.flags.c_contiguous else "F", array.shape)
            assert segment is not None  # shared it is
            if segment.kind == "file":
                file = (segment.file, layout.dtype, list(layout.shape), segment.identity[2], layout.order)
                info = interruptible(self._native.put_file, name, file, bool(copy), *options)
            else:
                info = interruptible(self._native.put_segment, name, segment, layout[:3], *options)
        return Matrix(self, info)

    def make(self, name: str, shape: int | tuple[int, ...], dtype: npt.DTypeLike = float,
             seed: int = 1, order: str = "C", replicas: int = 1) -> Matrix:
        """A matrix of random numbers, filled in place by the workers."""
        name = text(name, "make a matrix named")
        lengths = lengths_of(shape, f"make {name}: a matrix")
        seed = whole(seed, f"make {name}: the seed", 0, 2**64 - 1)
        replicas = whole(replicas, f"make {name}: its replicas shall be", 1)
        wanted = np.dtype(dtype)
        check_known(wanted, f"make {name}: elements")
        layout = layout_of(wanted, order_of(order, f"make {name}"), lengths)
        return Matrix(self, interruptible(self._native.make, name, layout[:3], seed, replicas))

    def ls(self) -> list[Matrix]:
        """All that is published."""
        return [Matrix(self, info) for info in self._native.ls()]

    def get(self, name: str) -> Matrix:
        """What has that name."""
        return Matrix(self, self._native.info(text(name, "find a matrix named")))

    __getitem__ = get

    def __iter__(self) -> Iterator[str]:
        """The names of all that is published."""
        return iter([matrix.name for matrix in self.ls()])

    def __contains__(self, name: object) -> bool:
        try:
            self._native.info(text(name, "find a matrix named"))
        except (errors.NameUnknown, errors.BadUsage):  # or what can be no name
            return False
        return True

    def rm(self, name: str) -> None:
        """Lets go of a matrix; who still reads it keeps what he has."""
        self._native.rm(text(name, "remove a matrix named"))

    # -------------------------------------------------------------------- jobs

    def submit(self, operation: str, matrix: Any, *, workers: int = 0, progress: Any = None,
               **arguments: Any) -> Job:
        """Starts a computation and returns at once.

        Parameters
        ----------
        operation : str
            ``"mean"``, ``"quantile"``, ...: what `hearth operations` lists.
        matrix : Matrix, name, path or array_like
            Arrays are shared first, unless they are already.
        workers : int
            At most so many; 0: all.
        progress : bool or callable
            True: a bar, in a terminal or a notebook; a function is called with
            blocks done and blocks in all, about ten times a second.
        **arguments
            As the operation has them: ``axis=0``, ``q=[0.1, 0.9]``.

        Returns
        -------
        Job
            A `concurrent.futures.Future` that can be awaited, too.
        """
        operation, workers = _checked(operation, workers)
        borrowed: list[str] = []
        try:
            source = self._source(matrix, borrowed)
            said = self._arguments(operation, arguments, borrowed)
            native = interruptible(self._native.submit, operation, source, said, workers)
        except BaseException:
            self._give_back(borrowed)
            raise
        return Job(native, operation, reporter(progress, operation),
                   lambda: self._give_back(borrowed))

    def run(self, operation: str, matrix: Any, **options: Any) -> Any:
        """Computes, and waits for the result; see `submit`."""
        job = self.submit(operation, matrix, **options)
        try:
            return job.wait()
        except concurrent.futures.CancelledError:  # it is nobody's future: by the interpreter's end, in a thread
            raise errors.JobCancelled(f"run {operation}: job {job.id} was cancelled") from None

    def explain(self, operation: str, matrix: Any, *, workers: int = 0, **arguments: Any) -> dict:
        """Where every byte of a computation would come from; computes nothing."""
        operation, workers = _checked(operation, workers)
        borrowed: list[str] = []
        try:
            said = self._arguments(operation, arguments, borrowed)
            return self._native.explain(operation, self._source(matrix, borrowed), said, workers)
        finally:
            self._give_back(borrowed)

    def jobs(self) -> list[dict]:
        """Jobs that run, and those that ended not long ago."""
        return self._native.jobs()

    def cancel(self, job: str) -> None:
        """Stops a job by its id."""
        self._native.cancel(text(job, "cancel the job"))

    def workers(self) -> list[dict]:
        """Workers: their state, memory and, of those that were lost, their story."""
        return self._native.workers()

    def drain(self, worker: str) -> int:
        """Empties a worker and lets it go; returns the bytes that moved."""
        return interruptible(self._native.drain, text(worker, "drain the worker"))

    def _source(self, matrix: Any, borrowed: list[str]) -> tuple:
        if isinstance(matrix, Matrix):
            return (matrix.name, *_SOURCE_OF_NAME)
        if isinstance(matrix, os.PathLike):
            return (_file_text(matrix), *_SOURCE_OF_NAME)
        if isinstance(matrix, str):
            return (text(matrix, "find the matrix"), *_SOURCE_OF_NAME)
        return (self._lend(matrix, borrowed), *_SOURCE_OF_NAME)

    def _arguments(self, operation: str, arguments: dict[str, Any],
                   borrowed: list[str]) -> dict[str, str]:
        kinds = parameter_kinds().get(operation, {})
        return {key: self._matrix_text(value, borrowed) if kinds.get(key) == "matrix"
                else text_of(argument_of(value, kinds.get(key, ""), operation))
                for key, value in arguments.items() if value is not None}

    def _matrix_text(self, value: Any, borrowed: list[str]) -> str:
        if isinstance(value, Matrix):
            return value.name
        if isinstance(value, os.PathLike):
            return _file_text(value)
        return text(value, "find the matrix") if isinstance(value, str) else self._lend(value, borrowed)

    def _lend(self, array: Any, borrowed: list[str]) -> str:
        name = f"_lent_{uuid.uuid4().hex}"
        self.put(name, array)
        borrowed.append(name)
        return name

    def _give_back(self, borrowed: list[str]) -> None:
        while borrowed:
            try:
                self._native.rm(borrowed.pop())
            except errors.Error:  # the cluster has ended, and they with it
                return

    def __repr__(self) -> str:
        if self._native.closed:
            return f"<hearth.Cluster {self.address} closed>"
        return f"<hearth.Cluster {self.address}>"

    def _repr_html_(self) -> str:
        if self._native.closed:
            return html.escape(repr(self))
        rows = "".join(
            f"<tr><td>{html.escape(w['id'])}</td><td>{html.escape(w['host'])}</td><td>{w['pid']}</td>"
            f"<td>{html.escape(w['state'])}</td></tr>" for w in self.workers())
        return (f"<b>hearth.Cluster</b> {html.escape(self.address)}"
                f"<table><tr><th>worker</th><th>host</th><th>pid</th><th>state</th></tr>{rows}</table>")


def _computable(matrix: Any) -> np.ndarray:
    """On shared, sealed bytes, whole and of a type that operations know."""
    array = matrix if isinstance(matrix, np.ndarray) else np.asarray(matrix)
    check_known(array.dtype, "publish an array")
    segment = segment_of(array)
    if segment is not None and segment.kind in ("sealed", "file") \
            and array.nbytes == segment.nbytes and _contiguous(array):
        return array
    if segment is not None and segment.kind == "open":
        raise errors.BadUsage("publish an open array: others may still write to it; seal() it first")
    return share(np.array(array, subok=False) if segment is not None else array)


def _contiguous(array: np.ndarray) -> bool:
    return array.flags.c_contiguous or array.flags.f_contiguous


def _element_text(dtype: Any, attempt: str) -> str:
    if isinstance(dtype, str) and dtype == "bfloat16":  # which NumPy has not
        return dtype
    wanted = np.dtype(dtype)
    check_known(wanted, attempt)
    return wanted.str


def _file_text(path: str | os.PathLike[str]) -> str:
    said = text(os.fsdecode(path), "open the file")
    return said if "/" in said else f"./{said}"


def _checked(operation: Any, workers: Any) -> tuple[str, int]:
    return text(operation, "run the operation"), whole(workers, f"run {operation}: the workers shall be")


def open_clusters() -> list[Cluster]:
    """Those of this process that were not closed."""
    return [one for one in list(_open) if not one._native.closed]


def _close_all() -> None:
    for cluster in list(_open):
        cluster.close()


before_end(_close_all)
