"""A coordinator with a journal is killed and started again: matrices, jobs and clients go on."""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import time

import numpy as np
import pytest

from hearth_process import (Server, assert_one_error_line, environment, fail, finish, kill, run,
                            succeed, wait_until)

INSECURE = ("--insecure",)


class Restartable:
    """A coordinator on a TCP port of loopback, which can be killed and started again."""

    def __init__(self, folder, env=None, durable=True):
        self.words = ["--listen", "127.0.0.1:0", *INSECURE]
        if durable:
            self.words += ["--state-dir", folder / "state"]
        self.env = env or environment()
        self.server = Server("coordinator", *self.words, env=self.env)
        self.address = self.server.address
        self.words[1] = self.address

    def kill(self):
        kill(self.server.pids[0])
        self.server.process.wait()
        finish(self.server.process)

    def start_again(self, env=None):
        began = time.monotonic()
        self.server = Server("coordinator", *self.words, env=env or environment())
        assert self.server.address == self.address
        return time.monotonic() - began

    def run(self, *words, **where):
        return run(*words, *INSECURE, cluster=self.address, **where)

    def succeed(self, *words, **where):
        return succeed(*words, *INSECURE, cluster=self.address, **where)

    def start(self, *words):
        return self.server.start(*words, *INSECURE, "--json")

    def ready(self):
        return [worker for worker in self.succeed("workers")["workers"]
                if worker["state"] == "ready"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.__exit__(RuntimeError, None, None)


@contextlib.contextmanager
def cluster(folder, workers=3, **options):
    with Restartable(folder, **options) as coordinator:
        with Server("worker", "--coordinator", coordinator.address, "--workers", workers,
                    *INSECURE) as keeper:
            yield coordinator, keeper


JOBS = [["sum", "axis=0"], ["sum", "axis=1"], ["quantile", "q=0.25,0.5", "axis=0"], ["gram"]]


@pytest.mark.parametrize("words", JOBS, ids=lambda words: " ".join(words))
def test_a_job_goes_on_with_the_same_bits(tmp_path, words):
    with cluster(tmp_path) as (coordinator, _):
        coordinator.succeed("make", "m", "--shape", "1000000,64")
        out = tmp_path / "expected.npy"
        coordinator.succeed("run", words[0], "m", *words[1:], "-o", out)
        expected = out.read_bytes()
        workers = {worker["id"]: worker["pid"] for worker in coordinator.ready()}
        found = tmp_path / "found.npy"
        for pause in (0, 0.05, 0.2):
            jobs = len(coordinator.succeed("jobs")["jobs"])
            job = coordinator.start("run", words[0], "m", *words[1:], "-o", found)
            wait_until(lambda: len(coordinator.succeed("jobs")["jobs"]) > jobs)
            time.sleep(pause)
            coordinator.kill()
            coordinator.start_again()
            result = finish(job)
            assert result.status == 0, result
            assert found.read_bytes() == expected
            assert json.loads(result.out)["job"]["bytes_copied"] == 0
        wait_until(lambda: len(coordinator.ready()) == 3)
        assert {worker["id"]: worker["pid"] for worker in coordinator.ready()} == workers


def test_what_was_done_is_not_done_again(tmp_path):
    """A job whose coordinator dies in the middle is one job, and done once."""
    with cluster(tmp_path, workers=2) as (coordinator, _):
        coordinator.succeed("make", "m", "--shape", "200000,64")
        words = ["run", "quantile", "m", "q=0.5", "axis=0"]
        coordinator.succeed(*words)
        seconds = coordinator.succeed(*words)["job"]["seconds"]
        jobs = len(coordinator.succeed("jobs")["jobs"])
        job = coordinator.start(*words)
        wait_until(lambda: len(coordinator.succeed("jobs")["jobs"]) > jobs)
        coordinator.kill()
        coordinator.start_again()
        result = finish(job)
        assert result.status == 0, result
        print(f"alone {seconds:.2f} s, with a restart {json.loads(result.out)['job']['seconds']:.2f} s")
        states = {each["id"]: each["state"] for each in coordinator.succeed("jobs")["jobs"]}
        assert set(states.values()) == {"done"} and len(states) == 3, states


def test_matrices_results_and_numbers_outlive_it(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(12.0).reshape(3, 4))
    with cluster(tmp_path, workers=2) as (coordinator, _):
        coordinator.succeed("put", "file", tmp_path / "a.npy")
        coordinator.succeed("put", "memory", tmp_path / "a.npy", "--copy")
        coordinator.succeed("put", "gone", tmp_path / "a.npy", "--copy")
        coordinator.succeed("rm", "gone")
        before = coordinator.succeed("ls")
        coordinator.succeed("run", "sum", "memory")
        for _ in range(2):
            coordinator.kill()
            coordinator.start_again()
            wait_until(lambda: len(coordinator.ready()) == 2)
            assert coordinator.succeed("ls") == before
            assert coordinator.succeed("run", "sum", "memory")["result"]["values"] == 66
            assert coordinator.succeed("run", "sum", "file")["result"]["values"] == 66
        assert [job["id"] for job in coordinator.succeed("jobs")["jobs"]] == [
            "j1", "j2", "j3", "j4", "j5"]
        taken = coordinator.run("put", "file", tmp_path / "a.npy")
        assert taken.status == 1 and "exists" in taken.err


def test_it_serves_again_soon(tmp_path):
    """100 matrices of 10,000 shards in all."""
    path = tmp_path / "wide.raw"
    with open(path, "wb") as file:
        file.truncate(100 << 30)  # sparse
    with cluster(tmp_path, workers=2) as (coordinator, _):
        for number in range(100):
            coordinator.succeed("put", f"m{number}", path, "--dtype", "float64", "--shape",
                                f"{(100 << 30) // 8192},1024")
        shards = sum(len(each["shards"]) for each in coordinator.succeed("ls")["matrices"])
        assert shards >= 10_000
        took = []
        for _ in range(3):
            coordinator.kill()
            began = time.monotonic()
            coordinator.start_again()
            assert len(coordinator.succeed("ls")["matrices"]) == 100
            took.append(time.monotonic() - began)
            wait_until(lambda: len(coordinator.ready()) == 2)
            print(f"ls after {took[-1]:.3f} s, both workers back after "
                  f"{time.monotonic() - began:.3f} s")
        assert statistics.median(took) < 10


@pytest.mark.parametrize("point", ["coordinator.kept", "coordinator.submit",
                                   "coordinator.register"])
def test_a_death_around_the_journal_is_no_error_for_a_client(tmp_path, point):
    np.save(tmp_path / "a.npy", np.arange(12.0).reshape(3, 4))
    env = environment(HEARTH_CRASH_AT=point, HEARTH_CRASH_ONCE=tmp_path / "once")
    coordinator = Restartable(tmp_path)
    with coordinator, Server("worker", "--coordinator", coordinator.address, "--workers", 1,
                             *INSECURE):
        coordinator.kill()
        coordinator.start_again(env=env)
        wait_until(lambda: len(coordinator.ready()) == 1)
        put = coordinator.start("put", "m", tmp_path / "a.npy", "--copy")
        results = []
        if point == "coordinator.submit":
            results.append(finish(put))
            put = coordinator.start("run", "sum", "m")
        coordinator.server.process.wait(20)
        coordinator.start_again()
        results.append(finish(put))
        assert [result.status for result in results] == [0] * len(results), results
        assert (tmp_path / "once").exists()
        assert coordinator.succeed("run", "sum", "m")["result"]["values"] == 66


def test_without_a_journal_a_client_is_told(tmp_path):
    with cluster(tmp_path, workers=2, durable=False) as (coordinator, _):
        coordinator.succeed("make", "m", "--shape", "1000000,64")
        workers = [worker["pid"] for worker in coordinator.ready()]
        for pid in workers:  # the job is not over before the coordinator is
            kill(pid, signal.SIGSTOP)
        job = coordinator.start("run", "quantile", "m", "axis=0")
        wait_until(lambda: coordinator.succeed("jobs")["jobs"], 10, "the job")
        coordinator.kill()
        for pid in workers:
            kill(pid, signal.SIGCONT)
        coordinator.start_again()
        result = finish(job)
        assert result.status == 1, result
        assert_one_error_line(result)
        assert "--state-dir" in result.err and "run it again" in result.err


def test_two_coordinators_never_share_a_journal(tmp_path):
    with Restartable(tmp_path):
        line = fail("coordinator", "--state-dir", tmp_path / "state", timeout=10)
        assert "another coordinator uses it" in line


def test_a_damaged_journal_is_named(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/journal.sqlite").write_bytes(b"not a database" * 500)
    line = fail("coordinator", "--state-dir", tmp_path / "state")
    assert "journal.sqlite" in line and "move the file away" in line


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is a tmpfs, which root mounts")
def test_a_full_disk_refuses_what_could_not_be_kept(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", state], check=True)
    try:
        np.save(tmp_path / "a.npy", np.arange(12.0))
        with cluster(tmp_path, workers=1) as (coordinator, _):
            statuses = []
            while not any(statuses) and len(statuses) < 200:
                result = coordinator.run("put", f"m{len(statuses)}", tmp_path / "a.npy", "--copy")
                statuses.append(result.status)
            assert_one_error_line(result)
            assert "room" in result.err
            names = [each["name"] for each in coordinator.succeed("ls")["matrices"]]
            assert len(names) == len(statuses) - 1, "what was refused is not there"
            coordinator.kill()
            subprocess.run(["mount", "-o", "remount,size=4m", state], check=True)
            coordinator.start_again()
            assert [each["name"] for each in coordinator.succeed("ls")["matrices"]] == names
    finally:
        subprocess.run(["umount", state], check=True)
