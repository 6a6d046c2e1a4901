"""Functions of one's own over the blocks of a matrix, run beside the data."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import hashlib
import itertools
import os
import queue
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from . import errors
from ._beside import PREFIX, joined, this_host
from ._blocks import target_for, write_rows
from ._progress import reporter
from .array import Array
from .cluster import open_clusters
from .proxy import Call, Proxy

if TYPE_CHECKING:
    from .cluster import Cluster
    from .matrix import Matrix

_BLOCK_BYTES_MIN, _BLOCK_BYTES_MAX, _BLOCKS_AIMED_AT = 1 << 20, 16 << 20, 256
_RUNS_A_PROCESS = 16
_CODE_BYTES_MAX = 63 << 20  # of the 64 MiB of a call
_IN_FLIGHT = 2  # one is on its way while one runs
_ATTEMPTS = 3
_PATIENCE_SECONDS = 10.0  # with nobody left, until one was started again
_LOOK_AGAIN_SECONDS = 0.25
_ABORT_SECONDS = 2.0  # for processes to hear that nobody waits
_parents: list[list[subprocess.Popen]] = []  # of who forked this process: not its own to end or to reap
_LOST = (errors.ObjectGone, errors.OutcomeUnknown, errors.NameUnknown, errors.JobUnknown, errors.ClusterEnded)

Rows = tuple[int, int]


def blocks_of(shape: tuple[int, ...], nbytes: int) -> list[Rows]:
    """Runs of rows, a power of two of them; the matrix alone decides."""
    row_bytes = max(nbytes // shape[0], 1)
    aimed = min(max(nbytes // _BLOCKS_AIMED_AT, _BLOCK_BYTES_MIN), _BLOCK_BYTES_MAX)
    rows = 1 << max((aimed // row_bytes).bit_length() - 1, 0)
    return [(begin, min(begin + rows, shape[0])) for begin in range(0, shape[0], rows)]


def runs_of(blocks: list[Rows], processes: int) -> list[list[Rows]]:
    """Aligned runs of 2^k blocks, some for each process: whole subtrees of one tree."""
    size = 1 << max((len(blocks) // (max(processes, 1) * _RUNS_A_PROCESS)).bit_length() - 1, 0)
    return [blocks[i:i + size] for i in range(0, len(blocks), size)]


def map_blocks(cluster: Cluster, function: Callable[[np.ndarray], Any], matrix: Matrix, progress: Any) -> Array:
    """See `hearth.Cluster.map_blocks`."""
    blocks = _blocks_of(matrix)
    with _Job(cluster, function, None, matrix) as job:
        first = job.go_through([blocks[:1]], None)[0][0]
        job.target = target = target_for(first, blocks[0][1], matrix.shape[0])
        runs = runs_of(blocks[1:], len(job.hosts))
        for run, values in zip(runs, job.go_through(runs, reporter(progress, "map_blocks")), strict=True):
            for (begin, end), value in zip(run, values or (), strict=False):
                write_rows(target, begin, end, value)  # from another host
    return target.seal()


def map_reduce(cluster: Cluster, function: Callable[[np.ndarray], Any], matrix: Matrix,
               combine: Callable[[Any, Any], Any], progress: Any) -> Any:
    """See `hearth.Cluster.map_reduce`."""
    blocks = _blocks_of(matrix)
    with _Job(cluster, function, combine, matrix) as job:
        parts = job.go_through(runs_of(blocks, len(job.hosts)), reporter(progress, "map_reduce"))
    return joined(parts, combine)


def _blocks_of(matrix: Matrix) -> list[Rows]:
    if not matrix.shape or matrix.shape[0] == 0:
        raise errors.BadParameter(f"go through the blocks of a matrix of shape {matrix.shape}: it has no rows")
    return blocks_of(matrix.shape, matrix.nbytes)


class _Host:
    """A Python process beside a worker, and what it was told."""

    def __init__(self, proxy: Proxy, name: str, pid: int, near: str | None, is_here: bool) -> None:
        self.proxy, self.name, self.pid, self.near, self.is_here = proxy, name, pid, near, is_here
        self.began = False
        self.in_flight: dict[Call, int] = {}


class _Job:
    """One function over one matrix: which runs wait, run, and are done, and where."""

    def __init__(self, cluster: Cluster, function: Any, combine: Any, matrix: Matrix) -> None:
        self.cluster, self.matrix = cluster, matrix
        self.id = uuid.uuid4().hex
        self.name = getattr(function, "__qualname__", repr(function))
        self.target: Array | None = None
        self._code = cloudpickle.dumps((function, combine))
        if len(self._code) > _CODE_BYTES_MAX:
            raise errors.TooLarge(f"run {self.name} over blocks of {matrix.name}: the function takes {len(self._code)} "
                                  f"bytes with all that it captures, over the {_CODE_BYTES_MAX} of a call; "
                                  "hearth.share the arrays that it captures, or put them in the cluster and open them in it")
        self._digest = hashlib.sha256(self._code).hexdigest()
        self._answers: queue.SimpleQueue[tuple[_Host, Call]] = queue.SimpleQueue()
        self._stories: dict[int, list[str]] = collections.defaultdict(list)
        self._silent: list[str] = []  # processes that could not be told of the job
        self._gone: dict[str, _Host] = {}
        self._under_way = 0
        self._looked_at = 0.0
        self.hosts = self._find()
        if not self.hosts:
            start_beside(cluster)
            self.hosts = self._find()
        elif any(one.poll() is not None for one in cluster._processes):
            start_beside(cluster, again=True)  # one died after its last job
        self._full_count = max(len(self.hosts), len(cluster._processes))

    def __enter__(self) -> _Job:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._end()
        else:
            self._abort()

    def go_through(self, runs: list[list[Rows]], progress: Any) -> list[Any]:
        """What each run gave, in order."""
        self._end()  # a target may have come since
        self._stories.clear()
        done: dict[int, Any] = {}
        waiting = set(range(len(runs)))
        self._homes = [self._home_of(run) for run in runs]
        patient_until = time.monotonic() + _PATIENCE_SECONDS
        try:
            while len(done) < len(runs):
                self._hand_out(waiting, runs)
                if not self._look_again():
                    if time.monotonic() > patient_until:
                        self._give_up()
                    time.sleep(0.02)
                    continue
                patient_until = time.monotonic() + _PATIENCE_SECONDS
                try:
                    is_full = len(self.hosts) == self._full_count
                    host, call = self._answers.get(timeout=None if is_full else _LOOK_AGAIN_SECONDS)
                except queue.Empty:
                    continue
                self._under_way -= 1
                oldest = next(iter(host.in_flight.values()))
                run = host.in_flight.pop(call)
                error = call.exception()
                if error is None:
                    done[run] = call.result()
                    if progress is not None:
                        progress(len(done), len(runs))
                elif isinstance(error, _LOST) and not isinstance(error, errors.RemoteError):
                    # Of what a process is lost with, only that which it ran may be to blame.
                    if host.name not in self._gone:
                        self._drop(host)
                        self._blame(host, oldest, runs[oldest], error)
                    waiting.add(run)
                else:
                    raise error
        except BaseException:
            for host in self.hosts:
                for call in list(host.in_flight):
                    call.cancel()
                host.in_flight.clear()
            raise
        return [done[run] for run in range(len(runs))]

    def _hand_out(self, waiting: set[int], runs: list[list[Rows]]) -> None:
        """The next runs to whoever has room, by preference those that lie there.

        A run that a process was lost with is tried again alone: should it be to blame,
        the function takes no further process with it than the attempts at this one.
        """
        is_tried = any(run in self._stories for host in (*self.hosts, *self._gone.values())
                       for run in host.in_flight.values())
        suspects = [run for run in self._stories if run in waiting]
        if is_tried:
            return
        if suspects:
            self._retry(max(suspects, key=lambda run: len(self._stories[run])), waiting, runs)
            return
        for _ in range(_IN_FLIGHT):
            for host in self.hosts:
                if not waiting or len(host.in_flight) >= _IN_FLIGHT or not self._begin(host):
                    continue
                run = self._next_for(host, waiting, len(runs))
                if run is not None:
                    self._send(host, run, waiting, runs)

    def _retry(self, run: int, waiting: set[int], runs: list[list[Rows]]) -> None:
        for host in list(self.hosts):
            if not host.in_flight and self._lies_at(host, run) and self._begin(host):
                self._send(host, run, waiting, runs)
                return

    def _send(self, host: _Host, run: int, waiting: set[int], runs: list[list[Rows]]) -> None:
        waiting.remove(run)
        call = host.proxy.run.later(self.id, runs[run])
        host.in_flight[call] = run
        self._under_way += 1
        call._tell(lambda call: self._answers.put((host, call)))

    def _look_again(self) -> bool:
        """Finds processes that were started anew; False when nothing is under way."""
        if len(self.hosts) < self._full_count and time.monotonic() - self._looked_at > _LOOK_AGAIN_SECONDS:
            start_beside(self.cluster, again=True)
            known = {one.name for one in self.hosts}
            self.hosts += [one for one in self._find() if one.name not in known]
        return self._under_way > 0

    def _next_for(self, host: _Host, waiting: set[int], count: int) -> int | None:
        """Of its own share, the same in every job, so that it has touched those pages; else from another's end."""
        at = sorted(one.pid for one in self.hosts).index(host.pid)
        first, last = (-(-share * count // len(self.hosts)) for share in (at, at + 1))
        tried = itertools.chain(range(first, last), reversed(range(count)))
        return next((run for run in tried if run in waiting and self._lies_at(host, run)), None)

    def _home_of(self, run: list[Rows]) -> frozenset[str]:
        """The workers at which its rows lie."""
        return frozenset(worker for shard in self.matrix.info["shards"]
                         if shard["rows"][0] <= run[0][0] < shard["rows"][1] for worker in shard["workers"])

    def _lies_at(self, host: _Host, run: int) -> bool:
        """Whether its rows lie at that host; what lies at none of them goes anywhere."""
        home = self._homes[run]
        return host.near in home or not any(one.near in home for one in self.hosts)

    def _begin(self, host: _Host) -> bool:
        """Makes the job known there; False where nobody answers."""
        if host.began:
            return True
        target = self.target if host.is_here else None
        host.began = True  # from here on it may have to be ended
        try:
            # Others may push it out again before the job begins.
            while not host.proxy.begin(self.id, self._digest, self.matrix, target):
                host.proxy.define(self._digest, self._code)
        except _LOST as error:
            if isinstance(error, errors.RemoteError):
                raise
            host.began = False
            self._silent.append(f"process {host.pid}: {error}")
            self._drop(host)
            return False
        return True

    def _blame(self, host: _Host, run: int, rows: list[Rows], error: Exception) -> None:
        stories = self._stories[run]
        stories.append(f"process {host.pid} beside worker {host.near or '?'}: {error}")
        if len(stories) >= _ATTEMPTS:
            told = "; ".join(f"attempt {number + 1}: {story}" for number, story in enumerate(stories))
            raise errors.TaskFailed(f"run {self.name} over rows [{rows[0][0]}, {rows[-1][1]}) of {self.matrix.name}: "
                                    f"{_ATTEMPTS} attempts failed; {told}") from error

    def _drop(self, host: _Host) -> None:
        """Asked no more; its other calls end as this one did."""
        self._gone[host.name] = host
        if host in self.hosts:
            self.hosts.remove(host)

    def _give_up(self) -> None:
        stories = [*self._silent, *(story for told in self._stories.values() for story in told)]
        raise errors.WorkerLost(f"run {self.name} over blocks of {self.matrix.name}: no Python process is left that "
                                f"could; {'; '.join(stories) or 'none answered'}; try again in a minute: a process "
                                "that ended three times in one is started again after another")

    def _find(self) -> list[_Host]:
        objects = self.cluster.objects
        here = this_host()
        self._looked_at = time.monotonic()
        workers = {f"{one['pid']}@{one['host']}": one["id"] for one in self.cluster.workers()}
        return [_Host(objects.get(one.name)._with(patience=0), one.name, one.pid, workers.get(beside), here in one.tags)
                for one in objects.find(prefix=PREFIX, tags=["python"]) if one.name not in self._gone
                for beside in [tag[7:] for tag in one.tags if tag.startswith("beside:")][:1]]

    def _end(self) -> None:
        told = []
        for host in (*self.hosts, *self._gone.values()):
            if host.began:
                with contextlib.suppress(errors.Error):
                    told.append(host.proxy.end.later(self.id))
            host.began = False
        for call in told:
            with contextlib.suppress(errors.Error):
                call.result()

    def _abort(self) -> None:
        """Nobody waits any more: what runs ends, or its process does."""
        told = [host.proxy._with(timeout=_ABORT_SECONDS, patience=0).abort.later(self.id)
                for host in self.hosts if host.began]
        for call in told:
            with contextlib.suppress(errors.Error, TimeoutError, concurrent.futures.TimeoutError):
                call.result(timeout=_ABORT_SECONDS)


def start_beside(cluster: Cluster, again: bool = False) -> None:
    """Python processes beside the workers of a cluster that this process has started; `again`: where one died."""
    if not cluster._is_own:
        if again:
            return  # its workers do that
        raise errors.NotAllowed("run a function over blocks: no worker of this cluster has a Python process that takes "
                                "functions; start hearth worker with --allow-python, or, where it was, wait a minute: "
                                "processes that end again and again are started again after one")
    with cluster._starting:  # whoever comes meanwhile goes on when they are ready, too
        _start_beside(cluster, again)


def _start_beside(cluster: Cluster, again: bool) -> None:
    workers = [one for one in cluster.workers() if one["state"] == "ready"]
    threads = str(max(1, (os.cpu_count() or 1) // max(1, len(workers))))
    environment = {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, **os.environ,
                   "PYTHONPATH": os.pathsep.join(sys.path)}
    end_processes([one for one in cluster._processes if one.poll() is not None])
    cluster._processes[:] = [one for one in cluster._processes if one.returncode is None]
    beside = {one.args[-1] for one in cluster._processes}  # type: ignore[index]
    started = [subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "hearth._host", "--coordinator", cluster.address, "--beside", place],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        for place in (f"{one['pid']}@{one['host']}" for one in workers) if place not in beside]
    cluster._processes += started
    for process in started if not again else ():
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise errors.WorkerLost(f"start Python beside a worker: process {process.pid} ended with status "
                                    f"{process.wait()} before it was ready")


def _begin_child() -> None:
    for cluster in open_clusters():
        _parents.append(cluster._processes)
        cluster._processes = []


os.register_at_fork(after_in_child=_begin_child)


def end_processes(processes: list[subprocess.Popen]) -> None:
    """Ends what `start_beside` has started."""
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
    processes.clear()
