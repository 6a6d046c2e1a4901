"""Scans beside NumPy's: scan_bench's GB/s and ratio to its bare read loop, NumPy's GB/s on a matrix
of the same bytes, the memory NumPy takes meanwhile, and Hearth / NumPy. Both on one thread, by its
processor time, each the median of several runs by turns.

    scan_peer.py SCAN_BENCH [MIB=256] [RUNS=3] [OPERATION[:DTYPE[:AXIS[:ORDER]]] ...]
"""

import mmap
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
import warnings

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402: the variable is read when it loads

COLUMNS = 128
OPERATIONS = {
    "sum": np.sum, "mean": np.mean, "var": np.var, "min": np.min, "max": np.max, "argmin": np.argmin,
    "any": np.any, "count_nonzero": np.count_nonzero, "prod": np.prod, "norm": np.linalg.norm,
}
PLACES = ("none", "0", "1", "0:F", "1:F")


def all_cases():
    return [f"{operation}:{dtype}:{place}" for operation in OPERATIONS
            for dtype in ("float64", "float32", "int32") for place in PLACES]


def fill(mib):
    """What scan_bench fills its memory with: every pattern is a tame number. In memory as it has it and as
    mapped segments are: NumPy would ask for huge pages for an array of its own."""
    i = np.arange(0, mib << 20, 2, dtype=np.int64)
    data = np.frombuffer(mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)
    data[::2] = i * 37 % 251
    data[1::2] = 0x3C + i % 3
    return data


def reduction(case, data):
    words = case.split(":")
    matrix = data.view(words[1]).reshape((-1, COLUMNS), order="F" if words[3:] == ["F"] else "C")
    axis = None if words[2] == "none" else int(words[2])
    if words[0] == "norm" and axis is None:
        matrix = matrix.reshape(-1, order="A")  # all elements: of a matrix it would be the Frobenius norm
    return lambda: OPERATIONS[words[0]](matrix, axis=axis)


def numpy_seconds(work, turns=3):
    best = float("inf")
    for _ in range(turns):
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
    return best


def peak_bytes(work):
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def hearth(program, mib, cases):
    """{case: (GB/s, ratio)}, and the bare loop's GB/s."""
    lines = subprocess.run([program, str(mib), *cases], check=True, capture_output=True, text=True).stdout.splitlines()
    bare = float(lines[0].split()[-2])
    return {name: (float(rate), float(ratio)) for name, rate, _, ratio in map(str.split, lines[1:])}, bare


def main():
    program, mib, runs = sys.argv[1], int((sys.argv + [""] * 2)[2] or 256), int((sys.argv + [""] * 3)[3] or 3)
    cases = sys.argv[4:] or all_cases()
    warnings.simplefilter("ignore")  # products overflow
    data = fill(mib)
    gigabytes = data.nbytes / 1e9
    ours, theirs, bare = {case: [] for case in cases}, {case: [] for case in cases}, []
    for _ in range(runs):
        measured, read = hearth(program, mib, cases)
        bare.append(read)
        for case in cases:
            ours[case].append(measured[case])
            theirs[case].append(gigabytes / numpy_seconds(reduction(case, data)))
    print(f"{mib} MiB, {runs} runs; bare read loop {min(bare):.1f} to {max(bare):.1f} GB/s; NumPy {np.__version__}\n")
    print("| scan | GB/s | of the read loop | NumPy GB/s | NumPy's memory, MiB | Hearth / NumPy |")
    print("|---|---|---|---|---|---|")
    for case in cases:
        rate = statistics.median(r for r, _ in ours[case])
        ratio = statistics.median(r for _, r in ours[case])
        peer = statistics.median(theirs[case])
        memory = peak_bytes(reduction(case, data)) / 2**20
        print(f"| {case} | {rate:.1f} | {ratio:.2f} | {peer:.1f} | {memory:.1f} | {rate / peer:.1f} |")


if __name__ == "__main__":
    main()
