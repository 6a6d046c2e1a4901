"""Five processes on one matrix: what the memory of all of them together is.

    python bench/python_memory_bench.py [GIB]          (default: 4)

Under each start method, five processes map one shared matrix and read all of it;
their proportional memory (PSS) and the parent's stands beside that of five
processes that import NumPy alone.
"""

import multiprocessing
import sys
import time

import numpy as np

import hearth

PROCESSES = 5


def pss_kib(pid="self"):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def read(array, answers, go):
    total = 0.0 if array is None else float(array[:, ::512].sum())  # every page
    answers.put(total)
    go.wait()
    answers.put(pss_kib())
    go.wait()


def all_of(method, array):
    context = multiprocessing.get_context(method)
    answers, go = context.Queue(), context.Barrier(PROCESSES + 1)
    processes = [context.Process(target=read, args=(array, answers, go)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    totals = {answers.get() for _ in processes}
    assert len(totals) == 1
    go.wait()
    together = sum(answers.get() for _ in processes) + pss_kib()
    go.wait()
    for process in processes:
        process.join()
    return together


def main():
    gib = float(sys.argv[1]) if len(sys.argv) > 1 else 4
    rows = int(gib * (1 << 30)) // 8192
    print(f"{gib:g} GiB, {PROCESSES} processes and their parent; PSS of all, MiB")
    bare = {method: all_of(method, None) for method in ("fork", "spawn", "forkserver")}
    began = time.perf_counter()
    array = hearth.empty((rows, 1024))
    step = 1 << 13
    for begin in range(0, rows, step):
        array[begin:begin + step] = begin
    array.seal()
    print(f"filled and sealed in {time.perf_counter() - began:.1f} s")
    for method, without in bare.items():
        with_it = all_of(method, array)
        own = (with_it - without) / 1024 - array.nbytes / (1 << 20)
        print(f"{method:>10}  bare {without / 1024:8.1f}  with the matrix {with_it / 1024:8.1f}  "
              f"beyond both: {own / PROCESSES:6.1f} a process", flush=True)


if __name__ == "__main__":
    main()
