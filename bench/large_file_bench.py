"""A file larger than the memory, by five workers, beside bare windowed read loops in the same run.

usage: large_file_bench.py sparse [GIB]       a file of holes, 60 GiB
       large_file_bench.py limited [GIB]      a real file, 3 GiB, in a cgroup (v1) of a third of it
"""

import json
import mmap
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "deploy"))
from memory_probe import meminfo  # noqa: E402

BINARY = os.environ.get("HEARTH_BINARY", ROOT / "build/release/hearth")
WORKERS = 5
COLUMNS = 1024


def by_mappings(file, begin, end):
    """Windows of 16 MiB, mapped and populated ahead, summed, and dropped."""
    total, window = 0.0, 16 << 20
    for offset in range(begin, end, window):
        size = min(window, end - offset)
        view = mmap.mmap(file, size, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ,
                         offset=offset)
        values = np.frombuffer(view, dtype=np.float64)
        total += float(values.sum())
        del values
        view.close()
        os.posix_fadvise(file, offset, size, os.POSIX_FADV_DONTNEED)
    return total


def by_pread(file, begin, end):
    """Pieces of 4 MiB, copied into one buffer, summed, and dropped."""
    total, piece = 0.0, 4 << 20
    buffer = np.empty(piece // 8)
    for offset in range(begin, end, piece):
        size = os.preadv(file, [memoryview(buffer).cast("B")[:end - offset]], offset)
        total += float(buffer[:size // 8].sum())
        os.posix_fadvise(file, offset, size, os.POSIX_FADV_DONTNEED)
    return total


# What a user might write: the best of them is what the others are held against.
BARE = {"mappings": (by_mappings, os.cpu_count()), "pread": (by_pread, os.cpu_count()),
        f"mappings x {WORKERS}": (by_mappings, WORKERS)}


def read_part(arguments):
    way, path, begin, end = arguments
    file = os.open(path, os.O_RDONLY)
    total = BARE[way][0](file, begin, end)
    os.close(file)
    return total


def bare_loop(way, path, size):
    """Bytes a second, each process with a part of its own."""
    processes = BARE[way][1]
    part = -(-size // processes // (16 << 20)) * (16 << 20)
    parts = [(way, path, begin, min(begin + part, size)) for begin in range(0, size, part)]
    with multiprocessing.get_context("fork").Pool(len(parts)) as pool:
        pool.map(abs, range(len(parts)))  # they have started
        began = time.perf_counter()
        pool.map(read_part, parts, chunksize=1)
        return size / (time.perf_counter() - began)


def make_cold(path):
    """Out of the page cache, which gives up only what is on the disk."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


class Watch:
    """The most that Cached grew, and the most own memory of any `hearth` process."""

    def __enter__(self):
        self.cached_before, self.cached, self.own, self.stop = meminfo()["Cached"], 0, 0, False
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.stop:
            self.cached = max(self.cached, meminfo()["Cached"] - self.cached_before)
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    if os.readlink(f"/proc/{pid}/exe") != str(pathlib.Path(BINARY).resolve()):
                        continue
                    with open(f"/proc/{pid}/smaps_rollup") as rollup:
                        own = sum(int(line.split()[1]) for line in rollup
                                  if line.startswith(("Private_Clean", "Private_Dirty"))) << 10
                    self.own = max(self.own, own)
                except (OSError, ValueError):
                    continue
            time.sleep(0.05)

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()


def run_bare(way, path, size, wrap):
    # Under the same limit and the same eyes, in a process of its own.
    make_cold(path)
    with Watch():
        return float(subprocess.run([*wrap, sys.executable, __file__, "bare", path, str(size), way],
                                    check=True, stdout=subprocess.PIPE, text=True).stdout)


def run_hearth(operation, path, wrap):
    """Seconds in the job, seconds with its start, and what was watched."""
    make_cold(path)
    with Watch() as watch:
        began = time.perf_counter()
        out = subprocess.run([*wrap, BINARY, "run", operation[0], path, *operation[1:],
                              "--workers", str(WORKERS), "--json"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        seconds = time.perf_counter() - began
    return json.loads(out)["job"]["seconds"], seconds, watch


def measure(path, size, wrap, rounds):
    """Medians of so many rounds; each runs every way once, from the disk."""
    for operation in (["sum"], ["mean", "axis=0"]):
        bare = {way: [] for way in BARE}
        runs = []
        for _ in range(rounds):
            for way, rates in bare.items():
                rates.append(run_bare(way, path, size, wrap))
            runs.append(run_hearth(operation, path, wrap))
        rate = statistics.median(size / run[0] for run in runs)
        with_start = statistics.median(size / run[1] for run in runs)
        loops = {way: statistics.median(rates) for way, rates in bare.items()}
        print(f"{' '.join(operation):12} {size / 2**30:.1f} GiB: {rate / 1e9:.2f} GB/s in the job, "
              f"{with_start / 1e9:.2f} with its start; bare loops "
              + ", ".join(f"{loop / 1e9:.2f} ({way})" for way, loop in loops.items())
              + f"; ratio {rate / max(loops.values()):.2f}; Cached grew "
              f"{max(run[2].cached for run in runs) / 2**20:.0f} MiB at most; own memory "
              f"{max(run[2].own for run in runs) / 2**20:.0f} MiB at most a process", flush=True)


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "sparse"
    if kind == "bare":
        return print(bare_loop(sys.argv[4], sys.argv[2], int(sys.argv[3])))
    with tempfile.TemporaryDirectory(dir=os.environ.get("HEARTH_BENCH_DIR", ".")) as folder:
        path = os.path.join(folder, "large.npy")
        gib = float(sys.argv[2]) if len(sys.argv) > 2 else (60 if kind == "sparse" else 3)
        rows = int(gib * 2**30) // (8 * COLUMNS)
        size = rows * 8 * COLUMNS
        if kind == "sparse":
            with open(path, "wb") as file:
                np.lib.format.write_array_header_1_0(
                    file, {"descr": "<f8", "fortran_order": False, "shape": (rows, COLUMNS)})
                file.truncate(file.tell() + size)
            return measure(path, size, [], rounds=1)
        subprocess.run([BINARY, "make", path, "--shape", f"{rows},{COLUMNS}"], check=True,
                       stdout=subprocess.DEVNULL)
        group = f"/sys/fs/cgroup/memory/hearth-bench-{os.getpid()}"
        os.mkdir(group)
        try:
            with open(f"{group}/memory.limit_in_bytes", "w") as limit:
                limit.write(str(size // 3))
            measure(path, size, ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"],
                    rounds=5)
        finally:
            time.sleep(0.5)
            os.rmdir(group)
    return None


if __name__ == "__main__":
    main()
