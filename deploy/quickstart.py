"""The main job: one matrix, five workers, no copies; then the proof.

Shares a matrix among five worker processes, runs `describe` and `mean axis=0`
on it, checks both against NumPy, and prints what memory all processes together
took while they ran. deploy/quickstart.sh builds what this needs and starts it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from memory_probe import MIB, MemoryProbe, free_memory, meminfo
from quickstart_check import BLOCK_BYTES, Reference, as_table, check, file_blocks

WORKERS = 5
PROCESS_ALLOWANCE = 60 * 10**6  # bytes a process may take beside the matrix
SEED = 1


class Failed(Exception):
    """What a person should read, in one line."""


class Cluster:
    """`hearth local`, from its ready line to its end."""

    def __init__(self, hearth):
        self.hearth = hearth
        began = time.monotonic()
        self.process = subprocess.Popen(
            [hearth, "local", "--workers", str(WORKERS), "--json"],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.seconds = time.monotonic() - began
        if not line:
            raise Failed(f"hearth local ended with status {self.process.wait()}")
        self.ready = json.loads(line)

    def start(self, *arguments):
        return subprocess.Popen(
            [self.hearth, *arguments, "--json"], text=True,
            env={**os.environ, "HEARTH_CLUSTER": self.ready["address"]},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments, probe=None):
        """The command's JSON; its own process is sampled too while it runs."""
        process = self.start(*arguments)
        if probe:
            probe.add_root(process.pid)
        out, error = process.communicate()
        if process.returncode:
            raise Failed(error.strip() or f"hearth {arguments[0]}: status {process.returncode}")
        return json.loads(out)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed("hearth local did not end within 10 s of Ctrl-C") from None


def human(size):
    return f"{size / MIB:,.1f} MiB"


def row(name, seconds, text):
    print(f"  {name:<14} {seconds:>8.2f} s   {text}", flush=True)


def timed(function):
    began = time.monotonic()
    answer = function()
    return answer, time.monotonic() - began


def cluster_blocks(cluster, name, info, folder):
    """A matrix that only the cluster holds, read back some rows at a time."""
    rows = info["shape"][0]
    step = max(1, BLOCK_BYTES * rows // max(1, info["bytes"]))
    part = os.path.join(folder, "rows.npy")
    for first in range(0, rows, step):
        last = min(rows, first + step)
        cluster.run("get", name, "--rows", f"{first}:{last}", "-o", part)
        yield 0, as_table(np.load(part))
        os.unlink(part)


def compare(info, blocks, described, mean):
    """One line on how far the answers are from NumPy's; fails when too far."""
    dtype, shape = np.dtype(info["dtype"]), info["shape"]
    parts = ["real", "imag"] if dtype.kind == "c" else ["real"]
    references = {part: Reference(shape, dtype) for part in parts}
    for first, block in blocks:
        for part in parts:
            references[part].add(first, getattr(block, part))
    flat = mean.reshape(-1, order=info["order"])
    worst = [check(references[part], described, getattr(flat, part)) for part in parts]
    tolerance = 1e-9
    mean_tolerance = max(tolerance, 2 * float(np.finfo(mean.dtype).eps))
    describe_off = max(pair[0] for pair in worst)
    mean_off = max(pair[1] for pair in worst)
    sampled = len(references["real"].sampled)
    of = "all" if sampled == references["real"].columns else f"{sampled} of the"
    text = f"mean within {mean_off:.0e}"
    if described is not None:
        text = f"describe within {describe_off:.0e} (quartiles: {of} columns), {text}"
    if describe_off > tolerance or mean_off > mean_tolerance:
        raise Failed(f"the answers differ from NumPy's: {text}")
    return text


def memory_report(size, probe, copied):
    allowed = size + PROCESS_ALLOWANCE * probe.processes_max
    beside = max(0, probe.pss_max - size) / max(1, probe.processes_max)
    lines = [
        ("the matrix", human(size)),
        (f"all {probe.processes_max} processes together (PSS, at most)", human(probe.pss_max)),
        ("beside the matrix, a process", human(beside)),
        ("Shmem grew by", human(probe.shmem_growth)),
        ("matrix bytes copied", human(copied)),
    ]
    print(f"  memory, sampled {probe.samples} times in {probe.seconds:.1f} s")
    for name, value in lines:
        print(f"    {name:<44} {value:>14}")
    if probe.pss_max > allowed:
        raise Failed(f"{human(probe.pss_max)} in all is more than the matrix and "
                     f"60 MB a process, {human(allowed)}")


def main_job(cluster, name, publish, blocks_of, folder):
    """Publishes with `publish`, computes twice, checks, proves; then drops it."""
    files = {op: os.path.join(folder, file)
             for op, file in (("describe", "describe.npz"), ("mean", "mean.npy"))}
    jobs = []
    with MemoryProbe([cluster.process.pid]) as probe:
        info, seconds = timed(lambda: cluster.run(*publish, probe=probe))
        row(publish[0], seconds, f"{info['source']}, {info['row_blocks']} row blocks, "
            f"pages of {info['page_bytes'] // 1024} KiB")

        def compute(operation, *arguments):
            answer = cluster.run("run", operation, name, *arguments, "-o",
                                 files[operation], probe=probe)
            job = answer["job"]
            jobs.append(job)
            rate = info["bytes"] / max(job["seconds"], 1e-9) / 1e9
            row(" ".join((operation, *arguments)), job["seconds"],
                f"{rate:.1f} GB/s, {job['workers']} workers")

        described = None
        if np.dtype(info["dtype"]).kind != "c" and len(info["shape"]) <= 2:
            compute("describe")
            described = np.load(files["describe"])
        else:
            print("  describe: left out, it is for tables of real numbers")
        compute("mean", "axis=0")
    text, seconds = timed(lambda: compare(info, blocks_of(info), described,
                                          np.load(files["mean"])))
    row("NumPy agrees", seconds, text)
    memory_report(info["bytes"], probe, sum(job["bytes_copied"] for job in jobs))
    cluster.run("rm", name)


def digits(cluster, folder):
    from sklearn.datasets import load_digits
    data = load_digits().data
    path = os.path.join(folder, "digits.npy")
    np.save(path, data)
    print(f"\ndigits: {data.shape[0]} x {data.shape[1]} {data.dtype}, from scikit-learn")
    main_job(cluster, "digits", ("put", "digits", path), lambda _: file_blocks(path), folder)


def seeded(cluster, folder):
    size = min(4 << 30, free_memory() // 4)
    columns = 1024
    rows = max(1, size // (8 * columns))
    print(f"\nseeded: {rows} x {columns} float64, {human(rows * columns * 8)}, "
          f"made in memory from seed {SEED}")
    main_job(cluster, "seeded",
             ("make", "seeded", "--shape", f"{rows},{columns}", "--seed", str(SEED)),
             lambda info: cluster_blocks(cluster, "seeded", info, folder), folder)


def given(cluster, folder, path):
    array = np.load(path, mmap_mode="r")
    print(f"\n{path}: {array.shape} {array.dtype}, {human(array.nbytes)}")
    if array.ndim == 0:
        raise Failed(f"{path} is 0-d: there is no axis 0 to take the mean along")
    main_job(cluster, "given", ("put", "given", os.path.abspath(path)),
             lambda _: file_blocks(path), folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--hearth", required=True, help="the binary")
    parser.add_argument("file", nargs="?", help="a .npy file of your own")
    options = parser.parse_args()

    shmem = meminfo()["Shmem"]
    cluster = Cluster(options.hearth)
    try:
        print(f"\n{WORKERS} workers on this machine, ready in {cluster.seconds:.2f} s")
        with tempfile.TemporaryDirectory(prefix="hearth-quickstart-") as folder:
            if options.file:
                given(cluster, folder, options.file)
            else:
                digits(cluster, folder)
                seeded(cluster, folder)
    finally:
        status = cluster.end()
    print(f"\nended by Ctrl-C (status {status}); Shmem is "
          f"{human(max(0, meminfo()['Shmem'] - shmem))} above where it was")


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        print(f"quickstart: {failure}", file=sys.stderr)
        sys.exit(1)
