"""A cancelled job stops all work within a second."""

import os
import time

import numpy as np

from arrays import row_blocks
from hearth_process import Server, assert_one_error_line, finish, wait_until


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sparse_file(path, rows):
    """`rows` rows of a thousand float64 zeros that take no room on the disk."""
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (rows, 1000)})
        file.truncate(file.tell() + rows * 8000)
    return path


def only_job(local):
    jobs = local.succeed("jobs")["jobs"]
    return jobs[0] if jobs else None


def test_cancel(tmp_path):
    path = sparse_file(tmp_path / "long.npy", 250_000_000)
    with Server("local", "--workers", "3") as local:
        workers = [worker["pid"] for worker in local.succeed("workers")["workers"]]
        idle = sum(map(processor_seconds, workers))
        process = local.start("run", "describe", path)
        running = wait_until(lambda: only_job(local), 20, "the job")
        assert running["state"] == "running"
        wait_until(lambda: sum(map(processor_seconds, workers)) > idle + 0.3, 20, "work")

        began = time.monotonic()
        local.succeed("cancel", running["id"])
        wait_until(lambda: only_job(local)["state"] == "cancelled", 1, "the cancelled state")
        result = finish(process, 2)
        assert time.monotonic() - began < 2
        assert result.status == 1, result
        assert_one_error_line(result)
        assert "cancel" in result.err, result

        while time.monotonic() - began < 1:
            time.sleep(0.01)
        before = sum(map(processor_seconds, workers))
        time.sleep(0.5)  # a window in which nothing may happen
        assert sum(map(processor_seconds, workers)) - before <= 0.05

        assert local.succeed("cancel", running["id"]), "repeating it changes nothing"
        small = tmp_path / "small.npy"
        np.save(small, np.ones(10))
        assert local.succeed("run", "sum", small)["result"]["values"] == 10.0


def test_progress_is_seen_while_a_long_job_runs(tmp_path):
    path = sparse_file(tmp_path / "long.npy", 25_000_000)
    with Server("local", "--workers", "2") as local:
        process = local.start("run", "sum", path)
        seen = set()

        def grows():
            job = only_job(local)
            if job and job["state"] == "running":
                assert job["total"] == row_blocks((25_000_000, 1000), 8) and 0 <= job["done"] <= job["total"]
                seen.add(job["done"])
            return len(seen) >= 4

        wait_until(grows, 20, "four different counts of row blocks done")
        process.kill()
        finish(process)
