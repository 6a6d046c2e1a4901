"""Matrices on several hosts: what a host that goes takes along, and what it doesn't."""

import signal
import time

import numpy as np
import pytest

from conftest import ClusterOfHosts
from hearth_process import (alive, assert_one_error_line, environment, finish, kill, succeed,
                            wait_until)
from memory_probe import MIB, meminfo

ROWS, COLUMNS = 16_384, 512  # 64 MiB
BYTES = ROWS * COLUMNS * 8


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    path = tmp_path_factory.mktemp("matrix") / "m.npy"
    np.save(path, np.random.default_rng(7).standard_normal((ROWS, COLUMNS)))
    return path


@pytest.fixture(scope="module")
def expected(matrix, tmp_path_factory):
    out = tmp_path_factory.mktemp("expected") / "out.npy"
    bits = {}
    for operation in [("gram",), ("sum", "axis=1"), ("mean", "axis=0")]:
        succeed("run", operation[0], matrix, *operation[1:], "-o", out)
        bits[operation] = np.load(out).tobytes()
    return bits


def workers_by_host(cluster):
    hosts = {}
    for worker in cluster.succeed("workers")["workers"]:
        if worker["state"] != "lost":
            hosts.setdefault(worker["host"], set()).add(worker["id"])
    return hosts


def holders(cluster, name="m"):
    """The hosts whose workers can map the matrix."""
    def now():  # a worker that was started again joins in between, perhaps
        before = workers_by_host(cluster)
        listed = set(cluster.succeed("info", name)["shards"][0]["workers"])
        return (before, listed) if workers_by_host(cluster) == before else None

    by_host, listed = wait_until(now, 10, "the same workers twice")
    found = {host for host, workers in by_host.items() if workers & listed}
    assert listed == set().union(*(by_host[host] for host in found))
    return found


def number_of(cluster, host):
    """Which of the cluster's hosts a keeper's name belongs to."""
    address = next(worker["address"] for worker in cluster.succeed("workers")["workers"]
                   if worker["host"] == host and worker["state"] != "lost")
    return int(address.rpartition(":")[0].rpartition(".")[2]) - 1


def kill_host(cluster, number):
    for pid in cluster.workers[number].pids:
        kill(pid)
    cluster.workers[number].killed = True


@pytest.mark.parametrize("operation", [("gram",), ("sum", "axis=1")], ids=" ".join)
def test_with_two_replicas_a_host_may_die_in_the_middle(cluster, matrix, expected, tmp_path,
                                                        operation):
    out = tmp_path / "out.npy"
    cluster.succeed("put", "m", matrix, "--copy", "--replicas", 2, at=1)
    assert len(holders(cluster)) == 2
    process = cluster.start("run", operation[0], "m", *operation[1:], "-o", out, "--json")
    time.sleep(0.05)  # the moment is what this test is about
    kill_host(cluster, 1)
    result = finish(process, 60)
    assert result.status == 0, result
    assert np.load(out).tobytes() == expected[operation]
    got = tmp_path / "got.npy"
    cluster.succeed("get", "m", "-o", got)
    assert got.read_bytes()[-BYTES:] == matrix.read_bytes()[-BYTES:]
    # The third host takes the dead one's place.
    wait_until(lambda: len(holders(cluster)) == 2, 20, "a second replica")


def test_with_one_replica_the_error_names_the_rows(cluster, matrix, tmp_path):
    cluster.succeed("put", "m", matrix, "--copy", at=1)
    for pid in cluster.workers[1].pids[1:]:  # the job is not over before they are
        kill(pid, signal.SIGSTOP)
    process = cluster.start("run", "gram", "m", "-o", tmp_path / "out.npy")
    wait_until(lambda: cluster.succeed("jobs")["jobs"], 30, "the job")
    kill_host(cluster, 1)
    running = finish(process, 30)
    for result in [running, cluster.run("run", "sum", "m"),
                   cluster.run("get", "m", "-o", tmp_path / "got.npy")]:
        assert result.status == 1
        assert_one_error_line(result)
        assert f'rows 0:{ROWS} of "m" were only on the host of w' in result.err
        assert "put it again" in result.err


def test_more_replicas_than_hosts_leave_nothing_behind(cluster, matrix):
    before = meminfo()["Shmem"]
    result = cluster.run("put", "m", matrix, "--copy", "--replicas", 4)
    assert result.status == 1
    assert_one_error_line(result)
    assert "4 replicas need 4 hosts; 3 are ready" in result.err
    assert cluster.succeed("ls")["matrices"] == []
    wait_until(lambda: meminfo()["Shmem"] < before + 16 * MIB, 5)
    result = cluster.run("put", "m", matrix, "--replicas", 2)
    assert result.status == 2 and "--copy" in result.err


def test_a_worker_that_dies_while_it_copies_leaves_nothing_behind(hosts, matrix, tmp_path):
    before, once = meminfo()["Shmem"], tmp_path / "once"
    cluster = ClusterOfHosts(hosts, env=environment(HEARTH_CRASH_AT="worker.copy@20",
                                                    HEARTH_CRASH_ONCE=once))
    with cluster.stack:
        cluster.succeed("put", "m", matrix, "--copy", "--replicas", 2)
        assert once.exists()
        assert len(holders(cluster)) == 2
        # The keeper tells of what the dead worker had begun.
        wait_until(lambda: meminfo()["Shmem"] < before + 2 * 64 * MIB + 16 * MIB, 20,
                   "the end of the half copy")
        cluster.succeed("rm", "m")
        wait_until(lambda: meminfo()["Shmem"] < before + 16 * MIB, 5, "the end of its replicas")


def test_rm_frees_every_replica(cluster, matrix):
    before = meminfo()["Shmem"]
    cluster.succeed("put", "m", matrix, "--copy", "--replicas", 3)
    assert len(holders(cluster)) == 3
    assert meminfo()["Shmem"] > before + 3 * 60 * MIB
    cluster.succeed("rm", "m")
    wait_until(lambda: meminfo()["Shmem"] < before + 16 * MIB, 5, "the end of its replicas")


def test_drain_moves_the_bytes(cluster, matrix, expected, tmp_path):
    out = tmp_path / "out.npy"
    cluster.succeed("put", "m", matrix, "--copy", at=1)
    (host,) = holders(cluster)
    first, last = sorted(workers_by_host(cluster)[host])
    process = cluster.start("run", "gram", "m", "-o", out, "--json")
    assert cluster.succeed("drain", first) == {"drained": first, "bytes_moved": 0}
    moved = cluster.succeed("drain", last)["bytes_moved"]
    assert moved in (BYTES, BYTES + COLUMNS * COLUMNS * 8)  # with the result, if it lay there
    result = finish(process, 25)  # not the 30 s that a stream waits for a host that is gone
    assert result.status == 0, result
    assert np.load(out).tobytes() == expected[("gram",)]
    for worker in cluster.succeed("workers")["workers"]:
        if worker["id"] in (first, last):
            assert worker["state"] == "lost" and worker["ended"].startswith("drained")
    assert len(holders(cluster)) == 1 and host not in holders(cluster)
    job = cluster.succeed("run", "mean", "m", "axis=0", "-o", out)["job"]
    assert np.load(out).tobytes() == expected[("mean", "axis=0")]
    assert job["bytes_mapped"] > 0
    # Its keeper had nobody left to keep, and held nothing that anybody needs.
    assert finish(cluster.workers[1].process, 10).status == 0


def test_a_drain_without_another_host_is_refused(cluster, matrix):
    for number in (1, 2):
        kill_host(cluster, number)
    wait_until(lambda: len(workers_by_host(cluster)) == 1, 20)
    cluster.succeed("put", "m", matrix, "--copy")
    (workers,) = workers_by_host(cluster).values()
    first, last = sorted(workers)
    cluster.succeed("drain", first)
    result = cluster.run("drain", last)
    assert result.status == 1
    assert_one_error_line(result)
    assert "no other one is ready" in result.err
    states = {one["id"]: one["state"] for one in cluster.succeed("workers")["workers"]}
    assert states[last] == "ready"
    cluster.succeed("run", "sum", "m")


def test_sigterm_of_a_host_hands_over(cluster, matrix, expected, tmp_path):
    out = tmp_path / "out.npy"
    cluster.succeed("put", "m", matrix, "--copy", at=1)
    server = cluster.workers[1]
    server.process.send_signal(signal.SIGTERM)
    result = finish(server.process, 20)
    assert result.status == 0, result
    assert not any(map(alive, server.pids))
    cluster.succeed("run", "sum", "m", "axis=1", "-o", out)
    assert np.load(out).tobytes() == expected[("sum", "axis=1")]


def test_sigterm_of_the_last_host_ends_it_and_says_what_is_lost(cluster, matrix):
    for number in (1, 2):
        kill_host(cluster, number)
    wait_until(lambda: len(workers_by_host(cluster)) == 1, 20)
    cluster.succeed("put", "m", matrix, "--copy")
    server = cluster.workers[0]
    server.process.send_signal(signal.SIGTERM)
    result = finish(server.process, 20)
    assert result.status == 0, result
    assert result.err.count("\n") == 1 and "no other host took over m" in result.err
