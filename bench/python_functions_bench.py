"""A NumPy function over the blocks of a matrix: Hearth's Executor beside others.

    python bench/python_functions_bench.py [GIB]       (default: 2)

np.exp(block).sum(axis=0) by two processes, beside one process's NumPy over the
same blocks, joblib's two processes on views of the same array, and Dask's if it is
installed. Then what a block costs that does nothing.
"""

import functools
import operator
import sys
import time

import joblib
import numpy as np

import hearth
from hearth.executor import _blocks

ROUNDS = 3


def work(block):
    return np.exp(block).sum(axis=0)


def best(call):
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - began)
    return min(times), result


def by_dask(m, blocks):
    from dask.distributed import Client, LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as made, \
            Client(made) as client:
        return best(lambda: functools.reduce(operator.add, client.gather(
            [client.submit(work, m[a:b], pure=False) for a, b in blocks])))


def main():
    gib = float(sys.argv[1]) if len(sys.argv) > 1 else 2
    rows = int(gib * (1 << 30)) // 8192
    m = hearth.empty((rows, 1024))
    generator = np.random.default_rng(0)
    for begin in range(0, rows, 1 << 13):
        m[begin:begin + (1 << 13)] = generator.random((min(1 << 13, rows - begin), 1024))
    m.seal()
    blocks = _blocks(m)
    plain = np.asarray(m)
    alone, expected = best(lambda: functools.reduce(operator.add, (work(plain[a:b]) for a, b in blocks)))
    print(f"{gib:g} GiB in {len(blocks)} blocks")
    print(f"{'one process':>24} {alone:8.3f} s")
    with hearth.Executor(2) as executor:
        executor.map_reduce(work, m)
        ours, result = best(lambda: executor.map_reduce(work, m))
        assert np.allclose(result, expected)
        print(f"{'map_reduce, two':>24} {ours:8.3f} s, {alone / ours:.2f} times", flush=True)
        mapped, _ = best(lambda: executor.map_blocks(np.sqrt, m))
        print(f"{'map_blocks sqrt, two':>24} {mapped:8.3f} s, the new matrix touched for the first time")
        began = time.perf_counter()
        futures = [executor.submit(len, m[a:b]) for a, b in blocks * 4]
        for future in futures:
            future.result()
        each = (time.perf_counter() - began) / len(futures)
        print(f"{'a block that does nothing':>24} {each * 1e6:8.0f} us")
    joblibs, result = best(lambda: functools.reduce(operator.add, joblib.Parallel(2)(
        joblib.delayed(work)(m[a:b]) for a, b in blocks)))
    assert np.allclose(result, expected)
    print(f"{'joblib on hearth views':>24} {joblibs:8.3f} s, {alone / joblibs:.2f} times", flush=True)
    joblibs, _ = best(lambda: functools.reduce(operator.add, joblib.Parallel(2)(
        joblib.delayed(work)(plain[a:b]) for a, b in blocks)))
    print(f"{'joblib on its own':>24} {joblibs:8.3f} s, {alone / joblibs:.2f} times", flush=True)
    try:
        dasks, result = by_dask(m, blocks)
    except ImportError:
        print("dask: not installed")
    else:
        assert np.allclose(result, expected)
        print(f"{'dask on hearth views':>24} {dasks:8.3f} s, {alone / dasks:.2f} times", flush=True)


if __name__ == "__main__":
    main()
