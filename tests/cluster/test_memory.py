"""The memory proof: five workers and a client hold one matrix, once."""

import mmap
import os
import pathlib
import time

import numpy as np
import pytest

from hearth_process import Server, fail, finish, wait_until
from memory_probe import MIB, MemoryProbe, memory_of, meminfo

PROCESS_ALLOWANCE = 60 * 10**6  # bytes a process may take beside the matrix
SHMEM_ALLOWANCE = 64 * MIB


def run(local, probe, *arguments):
    process = local.start(*arguments, "--json")
    probe.add_root(process.pid)
    result = finish(process, 600)
    assert result.status == 0, result
    return result.json


def prove(tmp_path, size):
    """Samples every 50 ms through put --copy and run, and checks the bounds."""
    path = tmp_path / "a.npy"
    rows = size // 8192
    array = np.lib.format.open_memmap(path, "w+", np.float64, (rows, 1024))
    for first in range(0, rows, 4096):
        array[first:first + 4096] = first
    del array
    with Server("local", "--workers", "5") as local:
        with MemoryProbe([local.process.pid]) as probe:
            info = run(local, probe, "put", "m", path, "--copy")
            copied = 0
            for operation in (["describe"], ["mean", "axis=0"], ["sum", "axis=1"]):
                job = run(local, probe, "run", operation[0], "m", *operation[1:],
                          "-o", tmp_path / "out.npz")["job"]
                copied += job["bytes_copied"]
        assert info["source"] == "memory" and copied == 0
        allowed = probe.processes_max * PROCESS_ALLOWANCE
        print(f"matrix {size / MIB:.0f} MiB, {probe.processes_max} processes, highest sum of PSS "
              f"{probe.pss_max / MIB:.0f} MiB, Shmem grew by {probe.shmem_growth / MIB:.0f} MiB, "
              f"{probe.samples} samples")
        assert probe.samples >= 10 and probe.processes_max >= 6
        assert probe.pss_max >= size, "the matrix itself was never seen: the probe is broken"
        assert probe.pss_max <= size + allowed
        assert probe.shmem_growth <= size + SHMEM_ALLOWANCE
    wait_until(lambda: meminfo()["Shmem"] <= probe.shmem_before + 16 * MIB, 10,
               "the end of the matrix's memory")


def test_half_a_gigabyte(tmp_path):
    prove(tmp_path, 512 * MIB)


@pytest.mark.slow
def test_four_gigabytes(tmp_path):
    prove(tmp_path, 4096 * MIB)


def test_a_removed_matrix_is_free_at_once():
    with Server("local", "--workers", "2") as local:
        before = meminfo()["Shmem"]
        local.succeed("make", "m", "--shape", "16777216")
        local.succeed("run", "sum", "m")
        assert meminfo()["Shmem"] > before + 120 * MIB
        local.succeed("rm", "m")
        wait_until(lambda: meminfo()["Shmem"] < before + 16 * MIB, 3, "the end of its memory")


def test_partials_that_no_memory_holds_are_refused_before_the_job_computes(tmp_path):
    group = pathlib.Path(f"/sys/fs/cgroup/memory/hearth-test-{os.getpid()}")
    if not (group.parent / "memory.limit_in_bytes").exists():
        pytest.skip("no cgroups of version 1 with memory here")
    np.save(tmp_path / "m.npy", np.ones((10, 8000)))
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        (group / "memory.limit_in_bytes").write_text("700M")
        inside = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
        line = fail("run", "gram", tmp_path / "m.npy", "-o", tmp_path / "g.npy", within=inside)
        assert "a task keeps" in line and "memory.limit_in_bytes" in line, line
        assert not (tmp_path / "g.npy").exists()
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), 10, "the end of those in the cgroup")
        group.rmdir()


def test_the_probe_sees_what_a_process_holds():
    """A child with 100 MiB of its own is seen with it."""
    with mmap.mmap(-1, 100 * MIB) as memory:
        child = os.fork()
        if child == 0:
            memory.write(b"x" * (100 * MIB))
            own = mmap.mmap(-1, 100 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            own.write(b"y" * (100 * MIB))
            time.sleep(60)
            os._exit(0)
        try:
            wait_until(lambda: memory_of(child)[1] > 95 * MIB, 30)
            proportional, own = memory_of(child)
            assert proportional >= own > 95 * MIB
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
    assert memory_of(child) is None


def test_a_file_larger_than_half_of_the_memory_is_read_by_windows(tmp_path):
    """60 GB of holes: Cached and the workers' own memory stay where they are."""
    path = pathlib.Path(tmp_path) / "sparse.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (7_500_000, 1000)})
        file.truncate(file.tell() + 60 * 10**9)
    if os.path.getsize(path) < meminfo()["MemTotal"] // 2:
        pytest.skip("this machine has more memory than twice the file")
    with Server("local", "--workers", "2") as local:
        workers = [worker["pid"] for worker in local.succeed("workers")["workers"]]
        with MemoryProbe([local.process.pid]) as probe:
            answer = run(local, probe, "run", "sum", path)
        assert answer["result"]["values"] == 0.0
        job = answer["job"]  # a window is mapped, or read into memory of its own
        assert job["bytes_mapped"] + job["bytes_copied"] == 60 * 10**9
        print(f"{60 / answer['job']['seconds']:.1f} GB/s, Cached grew by "
              f"{probe.cached_growth / MIB:.0f} MiB")
        assert probe.cached_growth <= 1024 * MIB
        assert max(probe.own_max[pid] for pid in workers) <= 200 * MIB
