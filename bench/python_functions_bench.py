"""A NumPy function over the blocks of a matrix: a cluster's workers beside others.

    python bench/python_functions_bench.py [GIB]       (default: 2)

np.exp(block).sum(axis=0) by the Python processes beside two workers, beside one
process's NumPy over the same blocks. What two cores can do at all is two forked
processes that wait at a pipe with the matrix mapped, a half each; then
hearth.Executor's two processes, joblib's, Dask's and Ray's, where they are
installed. One process's time is taken in turn with each, since others may use the
machine. After the turns each runs once more while the proportional memory of all
its processes is watched: what stands beside is the peak beyond the matrix.
"""

import contextlib
import functools
import multiprocessing
import operator
import os
import statistics
import sys
import threading
import time

import joblib
import numpy as np

import hearth
from hearth.functions import blocks_of

ROUNDS = 3


def work(block):
    return np.exp(block).sum(axis=0)


def added(parts):
    return functools.reduce(operator.add, parts)


def best(call, rounds=ROUNDS):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - began)
    return min(times), result


def family():
    """This process and all that descend from it."""
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            children.setdefault(int(file.read().rpartition(")")[2].split()[1]), []).append(int(pid))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found


def pss_mib():
    total = 0
    for pid in family():
        with contextlib.suppress(OSError, StopIteration), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / 1024


def peak_mib(call):
    """Of all processes together, while `call` runs; looked at all the time."""
    peak, ended = [pss_mib()], threading.Event()

    def look():
        while not ended.is_set():
            peak.append(pss_mib())

    thread = threading.Thread(target=look)
    thread.start()
    call()
    ended.set()
    thread.join()
    return max(peak)


@contextlib.contextmanager
def two_bare_processes(plain, blocks):
    """The limit: forked, mapped and warm, told to go and asked for a sum."""
    context = multiprocessing.get_context("fork")

    def half(end, mine):
        while end.recv():
            end.send(added(work(plain[a:b]) for a, b in mine))

    ends, processes = [], []
    for mine in blocks[::2], blocks[1::2]:
        ours, theirs = context.Pipe()
        processes.append(context.Process(target=half, args=(theirs, mine), daemon=True))
        processes[-1].start()
        ends.append(ours)

    def call():
        for end in ends:
            end.send(True)
        return added(end.recv() for end in ends)

    yield call
    for end, process in zip(ends, processes):
        end.send(False)
        process.join()


@contextlib.contextmanager
def on_dask(m, blocks):
    from dask.distributed import Client, LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as made, \
            Client(made) as client:
        yield lambda: added(client.gather([client.submit(work, m[a:b], pure=False) for a, b in blocks]))


@contextlib.contextmanager
def on_ray(plain, blocks):
    import ray
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=plain.nbytes + (1 << 30),
             log_to_driver=False, logging_level="error")
    try:
        began = time.perf_counter()
        stored = ray.put(plain)
        print(f"{'ray.put':>28} {time.perf_counter() - began:8.3f} s, a copy of the matrix in its store")
        remote = ray.remote(lambda array, a, b: work(array[a:b]))
        yield lambda: added(ray.get([remote.remote(stored, a, b) for a, b in blocks]))
    finally:
        ray.shutdown()


def main():
    gib = float(sys.argv[1]) if len(sys.argv) > 1 else 2
    rows = int(gib * (1 << 30)) // 8192
    m = hearth.empty((rows, 1024))
    generator = np.random.default_rng(0)
    for begin in range(0, rows, 1 << 13):
        m[begin:begin + (1 << 13)] = generator.random((min(1 << 13, rows - begin), 1024))
    m.seal()
    blocks = blocks_of(m.shape, m.nbytes)
    plain = np.asarray(m)
    expected = added(work(plain[a:b]) for a, b in blocks)
    print(f"{gib:g} GiB in {len(blocks)} blocks")

    def alone():
        return added(work(plain[a:b]) for a, b in blocks)

    def beside(title, call):
        """Five turns of each: the median of the ratios, and the times of the best turns."""
        assert np.allclose(call(), expected)
        turns = [(best(alone, 1)[0], best(call, 1)[0]) for _ in range(5)]
        ratio = statistics.median(one / other for one, other in turns)
        beyond = peak_mib(call) - m.nbytes / (1 << 20)
        print(f"{title:>28} {min(other for _, other in turns):8.3f} s, one process {min(one for one, _ in turns):8.3f} s:"
              f" {ratio:.2f} times, {beyond:+8.0f} MiB", flush=True)

    with two_bare_processes(plain, blocks) as call:
        beside("two bare processes", call)
    with hearth.local(workers=2) as cluster:
        matrix = cluster.put("m", m)
        beside("map_reduce, two workers", lambda: cluster.map_reduce(work, matrix))
        mapped, _ = best(lambda: cluster.map_blocks(np.sqrt, matrix))
        print(f"{'map_blocks sqrt, two workers':>28} {mapped:8.3f} s, the new matrix touched for the first time")
        nothing, _ = best(lambda: cluster.map_reduce(lambda block: 0, matrix, lambda a, b: 0))
        print(f"{'a block that does nothing':>28} {nothing / len(blocks) * 1e6:8.0f} us")
    with hearth.Executor(2) as executor:
        beside("hearth.Executor, two", lambda: executor.map_reduce(work, m))
    for title, source in ("joblib on hearth views", m), ("joblib on its own", plain):
        beside(title, lambda source=source: added(joblib.Parallel(2)(
            joblib.delayed(work)(source[a:b]) for a, b in blocks)))
    for title, peer in ("dask on hearth views", on_dask(m, blocks)), ("ray", on_ray(plain, blocks)):
        try:
            with peer as call:
                beside(title, call)
        except ImportError as missing:
            print(f"{title}: {missing}")


if __name__ == "__main__":
    main()
