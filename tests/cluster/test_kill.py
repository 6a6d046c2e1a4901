"""kill -9 of anything at any moment: memory comes back, nothing is left behind.

Each round starts a local cluster, lets a client work on it, kills one kind of
process at a random moment, and checks what the contract promises then. The seed
of a failing round is its name: run it alone to see it again.
"""

import os
import random
import time

import numpy as np
import pytest

from hearth_process import (Server, alive, assert_one_error_line, environment, finish, kill,
                            start, succeed, wait_until)
from memory_probe import MIB, children_of, meminfo

ROWS = 24_000  # of 1,024 float64: 192 MiB, well above what else moves in Shmem
SHMEM_NOISE = 48 * MIB
VICTIMS = ["worker", "keeper", "coordinator", "client", "all"]
STEPS = [
    ["make", "m", "--shape", f"{ROWS},1024", "--seed", "7"],
    ["put", "f", "FILE", "--copy", "--replace"],
    ["run", "sum", "m", "axis=0"],
    ["run", "quantile", "f", "axis=0", "q=0.3"],
    ["run", "sum", "f", "axis=1"],
    ["rm", "m"],
]


def dev_shm():
    return set(os.listdir("/dev/shm"))


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


class Round:
    def __init__(self, seed, folder):
        self.chance = random.Random(seed)
        self.victim = VICTIMS[seed % len(VICTIMS)]
        self.folder = folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.file = folder / "f.npy"
        np.save(self.file, np.random.default_rng(5).standard_normal((40_000, 64)))
        self.expected = np.load(self.file).sum(axis=1)

    def work(self, local):
        """The client's steps over and over until the moment of the kill, which
        comes somewhere after the step that this round is about has begun."""
        results, until = [], None
        about = self.chance.randrange(len(STEPS))
        after = self.chance.uniform(0, 0.7)
        print(f"kills {self.victim} {after:.3f} s after {' '.join(STEPS[about])}")
        for number in range(1000):
            step = STEPS[number % len(STEPS)]
            if number == about:
                until = time.monotonic() + after
            words = [str(self.file) if word == "FILE" else word for word in step]
            process = local.start(*words, env=environment(local.address, TMPDIR=self.temporary))
            self.client = process.pid
            results.append((words, process))
            while process.poll() is None and (until is None or time.monotonic() < until):
                time.sleep(0.002)
            if until is not None and time.monotonic() >= until:
                return results
        raise AssertionError("the kill never came")

    def victims(self, local, workers):
        below = children_of([local.process.pid])
        crew = [worker["pid"] for worker in workers]
        keeper = parent_of(crew[0])
        coordinator = [pid for pid in local.pids if pid not in (*crew, keeper)]
        assert coordinator, "no process but the keeper and its workers"
        return {"worker": [self.chance.choice(crew)], "keeper": [keeper],
                "coordinator": coordinator, "client": [self.client],
                "all": [*below, self.client]}[self.victim]

    def run(self):
        shmem, names = meminfo()["Shmem"], dev_shm()
        local = Server("local", "--workers", "3", env=environment(TMPDIR=self.temporary))
        with local:
            workers = local.succeed("workers")["workers"]
            results = self.work(local)
            everything = children_of([local.process.pid]) | set(local.pids)
            coordinator_lives = self.victim in ("worker", "client")
            local.killed = not coordinator_lives
            for pid in self.victims(local, workers):
                kill(pid)
            self.check_clients(results, coordinator_lives)
            if coordinator_lives:
                self.check_the_cluster_goes_on(local)
        wait_until(lambda: not any(map(alive, everything)), 15, "the end of all processes")
        wait_until(lambda: meminfo()["Shmem"] <= shmem + SHMEM_NOISE, 15, "Shmem as it was")
        assert os.listdir(self.temporary) == [], "something is left in the temporary directory"
        wait_until(lambda: dev_shm() <= names, 5, "/dev/shm as it was")

    def check_clients(self, results, coordinator_lives):
        """Nobody hangs; who fails says so in one line; the killed one is silent."""
        for words, process in results:
            result = finish(process, 60)
            if result.status == -9:
                assert process.pid == self.client and self.victim in ("client", "all"), words
            elif result.status != 0:
                assert_one_error_line(result)
                assert not coordinator_lives, f"{words}: {result}"

    def check_the_cluster_goes_on(self, local):
        wait_until(lambda: sum(worker["state"] == "ready" for worker in
                               local.succeed("workers")["workers"]) == 3, 15, "three ready workers")
        out = self.folder / "out.npy"
        local.succeed("put", "g", self.file, "--copy")
        local.succeed("run", "sum", "g", "axis=1", "-o", out)
        np.testing.assert_allclose(np.load(out), self.expected, rtol=1e-12, atol=1e-12)
        names = {matrix["name"] for matrix in local.succeed("ls")["matrices"]}
        for name in names:  # no matrix is lost
            local.succeed("run", "sum", name)


@pytest.mark.parametrize("seed", range(30))
def test_round(seed, tmp_path):
    Round(seed, tmp_path).run()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 2000))
def test_long_round(seed, tmp_path):
    Round(seed, tmp_path).run()


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.2, 0.5])
def test_an_embedded_run_killed_at_once_leaves_nothing(tmp_path, moment):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    path = tmp_path / "a.npy"
    np.save(path, np.ones((200_000, 100)))
    shmem, names = meminfo()["Shmem"], dev_shm()
    process = start("run", "gram", path, env=environment(TMPDIR=temporary))
    time.sleep(moment)  # the moment is what this test is about
    below = children_of([process.pid])
    process.kill()
    finish(process)
    wait_until(lambda: not any(map(alive, below)), 10, "the end of all processes")
    wait_until(lambda: meminfo()["Shmem"] <= shmem + SHMEM_NOISE, 10, "Shmem as it was")
    assert os.listdir(temporary) == [] and dev_shm() <= names
    assert succeed("run", "sum", path)["result"]["values"] == 20_000_000.0
