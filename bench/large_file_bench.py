"""A file larger than the memory, by five workers, beside a bare windowed read loop in the same run.

usage: large_file_bench.py sparse [GIB]       a file of holes, 60 GiB
       large_file_bench.py limited [MIB]      a real file, in a cgroup (v1) of a third of its size
"""

import json
import mmap
import multiprocessing
import os
import pathlib
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
WINDOW = 16 << 20
COLUMNS = 1024


def read_part(arguments):
    """Windows of 16 MiB, mapped and populated ahead, summed, and dropped."""
    path, begin, end = arguments
    file = os.open(path, os.O_RDONLY)
    total = 0.0
    for offset in range(begin, end, WINDOW):
        size = min(WINDOW, end - offset)
        view = mmap.mmap(file, size, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ,
                         offset=offset)
        values = np.frombuffer(view, dtype=np.float64)
        total += float(values.sum())
        del values
        view.close()
        os.posix_fadvise(file, offset, size, os.POSIX_FADV_DONTNEED)
    os.close(file)
    return total


def bare_loop(path, size):
    cores = os.cpu_count()
    part = -(-size // cores // WINDOW) * WINDOW
    parts = [(path, begin, min(begin + part, size)) for begin in range(0, size, part)]
    began = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(len(parts)) as pool:
        pool.map(read_part, parts)
    return size / (time.perf_counter() - began)


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


def measure(path, size, wrap):
    for operation in (["sum"], ["mean", "axis=0"]):
        # Under the same limit, in a process of its own.
        loop = float(subprocess.run([*wrap, sys.executable, __file__, "bare", path, str(size)],
                                    check=True, stdout=subprocess.PIPE, text=True).stdout)
        with Watch() as watch:
            began = time.perf_counter()
            out = subprocess.run([*wrap, BINARY, "run", operation[0], path, *operation[1:],
                                  "--workers", "5", "--json"], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
            seconds = time.perf_counter() - began
        job = json.loads(out)["job"]
        rate = size / job["seconds"]
        print(f"{' '.join(operation):12} {size / 2**30:.1f} GiB: {rate / 1e9:.2f} GB/s in the job, "
              f"{size / seconds / 1e9:.2f} with its start; bare loop {loop / 1e9:.2f}; "
              f"ratio {rate / loop:.2f}; Cached grew {watch.cached / 2**20:.0f} MiB at most; "
              f"own memory {watch.own / 2**20:.0f} MiB at most a process", flush=True)


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "sparse"
    if kind == "bare":
        return print(bare_loop(sys.argv[2], int(sys.argv[3])))
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
            return measure(path, size, [])
        subprocess.run([BINARY, "make", path, "--shape", f"{rows},{COLUMNS}"], check=True,
                       stdout=subprocess.DEVNULL)
        group = f"/sys/fs/cgroup/memory/hearth-bench-{os.getpid()}"
        os.mkdir(group)
        try:
            with open(f"{group}/memory.limit_in_bytes", "w") as limit:
                limit.write(str(size // 3))
            measure(path, size, ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"])
        finally:
            time.sleep(0.5)
            os.rmdir(group)
    return None


if __name__ == "__main__":
    main()
