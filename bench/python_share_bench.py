"""From an array in the parent to its first element in a child, and what sharing costs.

    python bench/python_share_bench.py [MIB...]        (default: 1 64 1024 4096)

One run holds everything: Hearth beside SharedMemory, np.memmap, joblib's way (an
array dumped to a file and mapped) and pickling through a Pipe. A child waits on a
Pipe; what is sent is what that way of sharing sends. Medians, in microseconds.
"""

import multiprocessing
import os
import pickle
import statistics
import sys
import tempfile
import time
from multiprocessing import shared_memory

import joblib
import numpy as np

import hearth

ROUNDS = 21
PICKLED_MAX = 256 << 20  # pickling more takes seconds a round, and twice the memory


def open_hearth(sent):
    return pickle.loads(sent)


def open_shared_memory(sent):
    name, shape = sent
    memory = shared_memory.SharedMemory(name)
    return memory, np.ndarray(shape, np.float64, buffer=memory.buf)


def open_memmap(sent):
    path, shape = sent
    return np.memmap(path, np.float64, "r", shape=shape)


def open_joblib(sent):
    return joblib.load(sent, mmap_mode="r")


def serve(pipe, way):
    open_it = globals()[f"open_{way}"] if way != "pickle" else None
    while True:
        data = pipe.recv_bytes()
        if not data:
            return
        sent = pickle.loads(data)
        opened = open_it(sent) if open_it else sent
        array = opened[1] if isinstance(opened, tuple) else opened
        first = float(array[-1])
        now = time.monotonic_ns()
        pipe.send((now, first))
        if isinstance(opened, tuple):
            del array
            memory = opened[0]
            del opened
            memory.close()
        else:
            del array, opened, sent


def median_us(way, message, expected, rounds=ROUNDS):
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=serve, args=(there, way))
    child.start()
    times = []
    for round_number in range(rounds + 3):
        began = time.monotonic_ns()
        here.send_bytes(pickle.dumps(message()))
        ended, first = here.recv()
        assert first == expected
        if round_number >= 3:
            times.append((ended - began) / 1000)
    here.send_bytes(b"")
    child.join()
    return statistics.median(times)


def first_element(mib, folder):
    length = mib << 17
    source = np.ones(length)
    shared = hearth.share(source)
    row = {"hearth": median_us("hearth", lambda: pickle.dumps(shared), 1.0)}

    memory = shared_memory.SharedMemory(create=True, size=source.nbytes)
    np.ndarray(length, np.float64, buffer=memory.buf)[:] = source
    row["SharedMemory"] = median_us("shared_memory", lambda: (memory.name, (length,)), 1.0)
    memory.close()
    memory.unlink()

    path = os.path.join(folder, f"{mib}.raw")
    source.tofile(path)
    row["np.memmap"] = median_us("memmap", lambda: (path, (length,)), 1.0)
    os.unlink(path)

    path = os.path.join(folder, f"{mib}.joblib")
    joblib.dump(source, path)
    row["joblib"] = median_us("joblib", lambda: path, 1.0)
    os.unlink(path)

    if source.nbytes <= PICKLED_MAX:
        row["pickle"] = median_us("pickle", lambda: source, 1.0, rounds=7)
    return row


def best_seconds(work, rounds=3):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        done = work()
        times.append(time.perf_counter() - began)
        done()
    return min(times)


def sharing(mib):
    source = np.ones(mib << 17)

    def by_hearth():
        shared = hearth.share(source)
        return lambda: shared

    def by_shared_memory():
        memory = shared_memory.SharedMemory(create=True, size=source.nbytes)
        array = np.ndarray(source.shape, source.dtype, buffer=memory.buf)
        array[:] = source
        del array

        def end():
            memory.close()
            memory.unlink()
        return end

    return best_seconds(by_hearth), best_seconds(by_shared_memory)


def pickling_from():
    """The smallest size from which a handle is ahead of the data itself."""
    ahead = []
    for kib in (4, 16, 64, 256, 1024):
        source = np.ones(kib << 7)
        shared = hearth.share(source)
        by_handle = median_us("hearth", lambda shared=shared: pickle.dumps(shared), 1.0)
        by_value = median_us("pickle", lambda source=source: source, 1.0)
        ahead.append((kib, by_handle, by_value))
    return ahead


def main():
    sizes = [int(word) for word in sys.argv[1:]] or [1, 64, 1024, 4096]
    folder = tempfile.mkdtemp(prefix="hearth-bench-")
    print("first element, us")
    ways = ["hearth", "SharedMemory", "np.memmap", "joblib", "pickle"]
    print(f"{'MiB':>6} " + " ".join(f"{way:>12}" for way in ways))
    for mib in sizes:
        row = first_element(mib, folder)
        print(f"{mib:>6} " + " ".join(f"{row[way]:12.0f}" if way in row else f"{'-':>12}" for way in ways),
              flush=True)
    print("a handle and the data itself, us")
    for kib, by_handle, by_value in pickling_from():
        print(f"{kib:>6} KiB  {by_handle:8.0f} {by_value:8.0f}", flush=True)
    print("sharing, s: hearth.share, SharedMemory's create and copy")
    for mib in sizes:
        print(f"{mib:>6} MiB  {sharing(mib)[0]:8.4f} {sharing(mib)[1]:8.4f}", flush=True)
    shared = hearth.share(np.zeros((1000, 1000)))
    print(f"queue.put(view[10:20]) moves {len(pickle.dumps(shared[10:20]))} bytes")
    os.rmdir(folder)


if __name__ == "__main__":
    main()
