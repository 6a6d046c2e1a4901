"""local, coordinator and worker: ready lines, Ctrl-C, and what is left behind."""

import os
import signal
import time
import uuid

import numpy as np
import pytest

from hearth_process import (Server, alive, assert_one_error_line, environment, finish, run, start,
                            succeed, wait_until)


def test_the_ready_line_of_a_local_cluster(tmp_path):
    env = environment(TMPDIR=tmp_path)
    with Server("local", "--workers", "3", env=env) as local:
        assert set(local.ready) == {"address", "pid", "pids"}
        assert local.pids[0] == local.ready["pid"] == local.process.pid
        assert len(local.pids) == len(set(local.pids)) >= 4
        assert all(map(alive, local.pids))
        workers = local.succeed("workers")["workers"]
        assert len(workers) == 3
        assert [worker["state"] for worker in workers] == ["ready"] * 3
        assert os.listdir(tmp_path) == [], "a local cluster creates no file"
        pids = local.pids
    wait_until(lambda: not any(map(alive, pids)), 10, "the end of all processes")
    assert os.listdir(tmp_path) == []


def test_the_ready_line_for_people():
    process = start("local", "--workers", "1")
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    result = finish(process, 20)
    assert line.startswith("ready ") and line.count(" ") == 1, line
    assert result.out == "" and result.status in (0, 130), result


def test_memory_is_a_limit_for_matrices():
    with Server("local", "--workers", "1", "--memory", "64MiB") as local:
        local.succeed("make", "small", "--shape", "4000000")
        line = local.fail("make", "large", "--shape", "40000000", status=1)
        assert "64" in line, line
        local.succeed("rm", "small")


def test_memory_is_looked_at_before_a_copy(tmp_path):
    """A matrix there is no room for costs neither its time nor its memory."""
    path = tmp_path / "large.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (2**30,)})
        file.truncate(file.tell() + 8 * 2**30)
    with Server("local", "--workers", "1", "--memory", "64MiB") as local:
        began = time.monotonic()
        line = local.fail("put", "large", path, "--copy", status=1)
        assert "64" in line and time.monotonic() - began < 1.0, line
        assert local.succeed("ls")["matrices"] == []


def test_sigterm_ends_a_local_cluster():
    with Server("local", "--workers", "2") as local:
        local.process.send_signal(signal.SIGTERM)
        result = finish(local.process, 20)
        assert result.status in (0, 130, 143), result
        wait_until(lambda: not any(map(alive, local.pids)), 10)
        local.killed = True


def test_a_coordinator_and_workers_of_their_own(square):
    address = f"unix-abstract:hearth-test-{uuid.uuid4().hex}"
    with Server("coordinator", "--listen", address) as coordinator:
        assert coordinator.address == address
        assert coordinator.pids == [coordinator.process.pid]
        with Server("worker", "--coordinator", address, "--workers", "2") as worker:
            assert len(worker.pids) >= 3 and worker.pids[0] == worker.process.pid
            assert len(coordinator.succeed("workers")["workers"]) == 2
            answer = coordinator.succeed("run", "sum", square)
            assert answer["result"]["values"] == 15.0
            pids = worker.pids
        wait_until(lambda: not any(map(alive, pids)), 10)
        wait_until(lambda: all(each["state"] == "lost" for each in
                               coordinator.succeed("workers")["workers"]), 10)


def test_a_worker_without_a_coordinator_is_an_error():
    result = run("worker", "--coordinator", "unix-abstract:hearth-nobody-listens", timeout=60)
    assert result.status == 1, result
    assert_one_error_line(result)


def test_an_address_that_is_taken_is_an_error():
    address = f"unix-abstract:hearth-test-{uuid.uuid4().hex}"
    with Server("coordinator", "--listen", address):
        result = run("coordinator", "--listen", address, timeout=30)
        assert result.status == 1, result
        assert_one_error_line(result)


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "cluster"])
def test_ctrl_c_is_130_and_stops_the_job(cluster, tmp_path, embedded):
    path = tmp_path / "long.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (250_000_000, 1000)})
        file.truncate(file.tell() + 2 * 10**12)
    address = None if embedded else cluster.address
    process = start("run", "sum", path, "--workers", "2", cluster=address)
    if embedded:
        children = wait_until(lambda: descendants(process.pid), 10, "the cluster's processes")
    else:
        wait_until(lambda: [job for job in cluster.succeed("jobs")["jobs"]
                            if job["matrix"] == str(path) and job["state"] == "running"], 20)
    process.send_signal(signal.SIGINT)
    result = finish(process, 5)
    assert result.status == 130, result
    assert result.out == "" and result.err.count("\n") <= 1, result
    if embedded:
        wait_until(lambda: not any(map(alive, children)), 10, "the end of all processes")
    else:
        wait_until(lambda: [job["state"] for job in cluster.succeed("jobs")["jobs"]
                            if job["matrix"] == str(path)] == ["cancelled"], 3)


def test_a_killed_embedded_client_takes_its_cluster_along(tmp_path):
    path = tmp_path / "long.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (250_000_000, 1000)})
        file.truncate(file.tell() + 2 * 10**12)
    process = start("run", "sum", path, "--workers", "2", env=environment(TMPDIR=tmp_path))
    children = wait_until(lambda: descendants(process.pid), 10)
    process.kill()
    finish(process)
    wait_until(lambda: not any(map(alive, children)), 10, "the end of all processes")
    assert os.listdir(tmp_path) == ["long.npy"]


def test_a_second_embedded_run_is_not_disturbed(square):
    first = start("run", "sum", square, "--json")
    second = succeed("run", "sum", square)
    assert finish(first).json["result"] == second["result"]


def descendants(pid):
    """Everything below a process: at least three of them, or nothing."""
    from memory_probe import children_of
    below = children_of([pid]) - {pid}
    return below if len(below) >= 3 else None
