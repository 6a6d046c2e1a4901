"""A NumPy function over the blocks of a matrix: a cluster's workers beside others.

    python bench/python_functions_bench.py [GIB]       (default: 2)

np.exp(block).sum(axis=0) by the Python processes beside two workers, beside one
process's NumPy over the same blocks, hearth.Executor's two processes, joblib's on
views of the same array, and Dask's if it is installed. Then what a block costs that
does nothing. One process's time is taken in turn with each, since others may use
the machine.
"""

import functools
import operator
import statistics
import sys
import time

import joblib
import numpy as np

import hearth
from hearth.functions import blocks_of

ROUNDS = 3


def work(block):
    return np.exp(block).sum(axis=0)


def best(call, rounds=ROUNDS):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - began)
    return min(times), result


def by_dask(m, blocks, beside):
    from dask.distributed import Client, LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as made, \
            Client(made) as client:
        beside("dask on hearth views", lambda: functools.reduce(operator.add, client.gather(
            [client.submit(work, m[a:b], pure=False) for a, b in blocks])))


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
    expected = functools.reduce(operator.add, (work(plain[a:b]) for a, b in blocks))
    print(f"{gib:g} GiB in {len(blocks)} blocks")

    def alone():
        return functools.reduce(operator.add, (work(plain[a:b]) for a, b in blocks))

    def beside(title, call):
        """Five turns of each: the median of the ratios, and the times of the best turns."""
        assert np.allclose(call(), expected)
        turns = [(best(alone, 1)[0], best(call, 1)[0]) for _ in range(5)]
        ratio = statistics.median(one / other for one, other in turns)
        print(f"{title:>28} {min(other for _, other in turns):8.3f} s, one process {min(one for one, _ in turns):8.3f} s:"
              f" {ratio:.2f} times", flush=True)

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
        beside(title, lambda source=source: functools.reduce(operator.add, joblib.Parallel(2)(
            joblib.delayed(work)(source[a:b]) for a, b in blocks)))
    try:
        by_dask(m, blocks, beside)
    except ImportError:
        print("dask: not installed")


if __name__ == "__main__":
    main()
