"""kill -9 at named points: of making, sealing, handing over, registering, mapping,
computing, combining, finishing and dropping.

A process kills itself at a point (hearth/base/crash_point.h). Where coordinator
and keeper live on, the job ends with the same bits and no matrix is lost; where
they don't, there is one error line. Nothing is ever left behind.
"""

import os
import re
import shlex

import numpy as np
import pytest

from hearth_process import (BINARY, ROOT, Server, alive, assert_one_error_line, environment,
                            finish, run, start, wait_until)
from memory_probe import MIB, children_of, meminfo

WORKER = ["worker.map", "worker.compute", "worker.combine", "worker.result", "worker.drop"]
CLIENT = ["client.create", "client.fill", "client.seal", "client.handover", "client.register"]
COORDINATOR = ["coordinator.register", "coordinator.submit", "coordinator.report"]
NETWORK = ["worker.copy"]  # needs several hosts: tests/network/test_replicas.py
JOURNAL = ["coordinator.kept"]  # tried in test_restart.py
SHMEM_NOISE = 48 * MIB


def test_every_point_of_the_code_is_tried():
    found = set()
    for folder in ("hearth", "server", "worker", "client", "main"):
        for path in (ROOT / folder).rglob("*.cc"):
            found |= set(re.findall(r'CrashPoint\("([a-z.]+)"\)', path.read_text()))
    assert found == {*WORKER, *CLIENT, *COORDINATOR, *NETWORK, *JOURNAL}


@pytest.fixture
def place(tmp_path):
    """A matrix of 64 MiB in a file, a temporary directory, and what must be as before."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    path = tmp_path / "a.npy"
    np.save(path, np.random.default_rng(1).standard_normal((65_536, 128)))
    shmem, names = meminfo()["Shmem"], set(os.listdir("/dev/shm"))
    yield path, temporary
    wait_until(lambda: meminfo()["Shmem"] <= shmem + SHMEM_NOISE, 15, "Shmem as it was")
    assert os.listdir(temporary) == []
    wait_until(lambda: set(os.listdir("/dev/shm")) <= names, 5, "/dev/shm as it was")


def crash_at(point, tmp_path=None, **more):
    """Kills at a point; with a folder, only the first process that comes there."""
    if tmp_path is not None:
        more["HEARTH_CRASH_ONCE"] = tmp_path / "once"
    return environment(HEARTH_CRASH_AT=point, **more)


def compute(local, tmp_path, name):
    """Results that need partials, a tree, and segments; as bytes."""
    bits = []
    for words in (["sum", "axis=0"], ["sum", "axis=1"], ["gram"]):
        out = tmp_path / f"{name}.npy"
        local.succeed("run", words[0], "m", *words[1:], "-o", out)
        bits.append(np.load(out).tobytes())
    return bits


@pytest.mark.parametrize("visit", [1, 7])
@pytest.mark.parametrize("point", WORKER)
def test_a_worker_that_dies_there_costs_nothing(place, tmp_path, point, visit):
    path, temporary = place
    with Server("local", "--workers", "3", env=environment(TMPDIR=temporary)) as local:
        local.succeed("put", "m", path, "--copy")
        expected = compute(local, tmp_path, "expected")
    env = crash_at(f"{point}@{visit}", tmp_path, TMPDIR=temporary)
    with Server("local", "--workers", "3", env=env) as local:
        local.succeed("put", "m", path, "--copy")
        assert compute(local, tmp_path, "found") == expected
        wait_until(lambda: sum(worker["state"] == "ready" for worker in
                               local.succeed("workers")["workers"]) == 3, 15)
        local.succeed("rm", "m")
        died = (tmp_path / "once").exists()
        lost = [worker for worker in local.succeed("workers")["workers"]
                if worker["state"] == "lost"]
        assert died or visit > 1, "nobody came to that point: the test proves nothing"
        if died and point != "worker.drop":
            assert lost and "9" in lost[0]["ended"], lost


@pytest.mark.parametrize("point", CLIENT)
def test_a_client_that_dies_there_leaves_nothing(place, point):
    path, temporary = place
    with Server("local", "--workers", "2", env=environment(TMPDIR=temporary)) as local:
        result = finish(start("put", "m", path, "--copy", cwd=path.parent,
                              env=crash_at(point, TMPDIR=temporary,
                                           HEARTH_CLUSTER=local.address)))
        assert result.status == -9, result
        names = [matrix["name"] for matrix in local.succeed("ls")["matrices"]]
        assert names in ([], ["m"])
        if not names:
            local.succeed("put", "m", path, "--copy")
        assert local.succeed("run", "sum", "m")["result"]["values"] == pytest.approx(
            np.load(path).sum(), abs=1e-6)


def test_what_a_dead_client_handed_over_and_never_named_is_dropped_by_a_living_cluster(place):
    path, temporary = place
    with Server("local", "--workers", "2", env=environment(TMPDIR=temporary)) as local:
        before = meminfo()["Shmem"]
        env = crash_at("client.handover", TMPDIR=temporary, HEARTH_CLUSTER=local.address)
        result = finish(start("put", "m", path, "--copy", cwd=path.parent, env=env))
        assert result.status == -9, result
        assert local.succeed("ls")["matrices"] == []
        assert meminfo()["Shmem"] > before + 60 * MIB, "it was not handed over: nothing is proven"
        wait_until(lambda: meminfo()["Shmem"] <= before + 8 * MIB, 20, "the end of its segment")


@pytest.mark.parametrize("point", COORDINATOR)
def test_a_coordinator_that_dies_there_is_one_error_line(place, point):
    path, temporary = place
    env = crash_at(point, TMPDIR=temporary)
    try:
        local = Server("local", "--workers", "2", env=env)
    except AssertionError as ended:  # it can die before anybody is ready
        assert "ended before it was ready" in str(ended)
        return
    with local:
        local.killed = True
        everything = children_of([local.process.pid])
        results = [finish(local.start(*words)) for words in
                   (["put", "m", path, "--copy"], ["run", "sum", path])]
        failed = [result for result in results if result.status != 0]
        assert failed
        for result in failed:
            assert result.status == 1
            assert_one_error_line(result)
    wait_until(lambda: not any(map(alive, everything)), 15, "the end of all processes")


def test_three_failures_tell_their_story_and_how_to_repeat_the_task(place):
    path, temporary = place
    env = crash_at("worker.compute", TMPDIR=temporary)
    with Server("local", "--workers", "3", env=env) as local:
        result = run("run", "sum", path, "axis=0", cluster=local.address)
        local.killed = True  # all of its workers crash, so it may end by itself
    assert result.status == 1, result
    assert_one_error_line(result)
    story = result.err
    assert len(re.findall(r"signal|SIGKILL", story)) >= 3, story
    command = re.search(r"hearth run sum [^;|]*--leaves \d+:\d+", story)
    assert command, story
    again = [str(BINARY), *shlex.split(command[0])[1:]]
    replayed = run(*again[1:], env=crash_at("worker.compute"))
    assert replayed.status in (0, -9), replayed


def test_three_workers_killed_in_a_row_do_not_end_a_job(place, tmp_path):
    """Each attempt is at another task, so none has failed three times."""
    path, temporary = place
    expected = np.load(path).sum(axis=1)
    with Server("local", "--workers", "3", env=environment(TMPDIR=temporary)) as local:
        local.succeed("put", "m", path, "--copy")
        for worker in local.succeed("workers")["workers"]:
            os.kill(worker["pid"], 9)
        out = tmp_path / "out.npy"
        local.succeed("run", "sum", "m", "axis=1", "-o", out)
        np.testing.assert_allclose(np.load(out), expected, rtol=1e-12, atol=1e-12)
