"""A cancelled job stops all work within a second."""

import os
import time

import numpy as np

from hearth_process import Server, assert_one_error_line, finish, wait_until


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_cancel(tmp_path):
    path = tmp_path / "long.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (250_000_000, 1000)})
        file.truncate(file.tell() + 2 * 10**12)
    with Server("local", "--workers", "3") as local:
        workers = [worker["pid"] for worker in local.succeed("workers")["workers"]]
        process = local.start("run", "sum", path)

        def job():
            jobs = local.succeed("jobs")["jobs"]
            return jobs[0] if jobs and jobs[0]["done"] > 0 else None

        running = wait_until(job, 20, "the job's first row blocks")
        assert running["state"] == "running" and running["done"] < running["total"]
        busy = sum(map(processor_seconds, workers))
        wait_until(lambda: sum(map(processor_seconds, workers)) > busy, 5, "work")

        began = time.monotonic()
        local.succeed("cancel", running["id"])
        wait_until(lambda: job()["state"] == "cancelled", 1, "the cancelled state")
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
