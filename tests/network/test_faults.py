"""In the middle of a job over three hosts something breaks: the job ends, with the
same bits, and nobody does anything about it. Prints the time that it cost.
"""

import contextlib
import json
import threading
import time

import numpy as np
import pytest

import links
from bare_tcp import seconds_of_bare_tcp
from conftest import ClusterOfHosts
from hearth_process import finish, kill, succeed, wait_until

ROWS, COLUMNS = 98_304, 256  # 192 MiB
OPERATION = ("quantile", "q=0.1,0.5", "axis=0")
READY_SECONDS = 30  # until all workers are back


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    path = tmp_path_factory.mktemp("matrix") / "m.npy"
    np.save(path, np.random.default_rng(6).standard_normal((ROWS, COLUMNS)))
    out = path.with_name("expected.npy")
    succeed("run", OPERATION[0], path, *OPERATION[1:], "-o", out)
    return path, out.read_bytes()


@pytest.fixture
def durable(hosts, tmp_path):
    cluster = ClusterOfHosts(hosts, state=tmp_path / "state")
    with cluster.stack:
        yield cluster


def kill_a_worker(cluster):
    kill(cluster.workers[1].pids[1])


def kill_all_of_a_host(cluster):
    cluster.kill_host(1)


def restart_the_coordinator(cluster):
    cluster.kill_coordinator()
    time.sleep(0.5)
    cluster.start_coordinator()


def cut_for_5_seconds(at):
    def fault(cluster):
        with links.cut(cluster.hosts[at]):
            time.sleep(5)
    return fault


# What breaks, the host of the client, the host of the matrix, the ready workers after it.
FAULTS = {
    "a worker killed": (kill_a_worker, 0, 0, 6),
    "all workers of a host killed": (kill_all_of_a_host, 0, 0, 4),
    "the coordinator killed and started again": (restart_the_coordinator, 2, 0, 6),
    "the link of a host of workers cut for 5 s": (cut_for_5_seconds(1), 0, 0, 6),
    "the link of the host with the matrix cut for 5 s": (cut_for_5_seconds(1), 0, 1, 6),
    "the link of the coordinator's host cut for 5 s": (cut_for_5_seconds(0), 2, 0, 6),
    "the link of the client's host cut for 5 s": (cut_for_5_seconds(2), 2, 0, 6),
}


SELDOM = {"the link of a host of workers cut for 5 s", "the link of the client's host cut for 5 s"}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in SELDOM else []) for name in FAULTS])
def test_a_job_ends_with_the_same_bits(durable, matrix, tmp_path, name):
    fault, client, holder, ready = FAULTS[name]
    path, expected = matrix
    out = tmp_path / "out.npy"

    def job(matrix_name):
        return (OPERATION[0], matrix_name, *OPERATION[1:], "-o", out)

    for each in ("m0", "m1"):
        durable.succeed("put", each, path, "--copy", at=holder)
    began = time.monotonic()
    durable.succeed("run", *job("m0"), at=client)
    alone = time.monotonic() - began
    assert out.read_bytes() == expected
    out.unlink()

    began = time.monotonic()
    process = durable.start("run", *job("m1"), "--json", at=client)
    time.sleep(alone / 3)  # the moment is what this test is about
    fault(durable)
    result = finish(process, 60)
    took = time.monotonic() - began
    assert result.status == 0, result
    assert out.read_bytes() == expected
    wait_until(lambda: len(durable.ready()) == ready, READY_SECONDS, f"{ready} ready workers")
    print(f"{name}: {took:.2f} s instead of {alone:.2f} s, "
          f"{json.loads(result.out)['job']['retries']} retries, "
          f"all workers back after {time.monotonic() - began:.2f} s")


def test_workers_that_come_back_serve_who_was_reading(durable, tmp_path):
    """All workers of a host are killed while others stream from it; its keeper is not: the bytes
    are still there, and are asked of the workers that came back, by workers and clients."""
    if why := links.unpaced(durable.hosts[0]):
        pytest.skip(why)
    columns = 4 << 20
    matrix, vector, out = (tmp_path / name for name in ("m.npy", "v.npy", "out.npy"))
    rng = np.random.default_rng(8)
    np.save(matrix, rng.standard_normal((4, columns)))  # 128 MiB, too much to send
    np.save(vector, rng.standard_normal(columns))  # 32 MiB
    succeed("run", "matvec", matrix, f"v={vector}", "-o", out)
    expected = out.read_bytes()
    durable.succeed("put", "m", matrix, "--copy", at=0)
    durable.succeed("put", "v", vector, "--copy", at=1)

    def read_while_they_are_killed(*command):
        before = durable.hosts[0].received()
        process = durable.start(*command)
        wait_until(lambda: durable.hosts[0].received() > before + (4 << 20), 10, "the stream")
        began = time.monotonic()
        for worker in durable.ready():
            if worker["address"].startswith(durable.hosts[1].address + ":"):
                kill(worker["pid"])
        result = finish(process, 25)
        assert result.status == 0, result
        print(f"{command[0]} ended {time.monotonic() - began:.2f} s after the workers were killed")
        return result

    with links.paced(durable.hosts[0], 100), links.paced(durable.hosts[1], 100):  # 3 s for v
        out.unlink()
        result = read_while_they_are_killed("run", "matvec", "m", "v=v", "-o", out, "--json")
        assert out.read_bytes() == expected
        job = result.json["job"]
        assert job["bytes_streamed"] >= columns * 8, job  # v is counted
        wait_until(lambda: len(durable.ready()) == 6, READY_SECONDS, "six ready workers")
        read_while_they_are_killed("get", "v", "-o", out)
    assert out.read_bytes() == vector.read_bytes()


@pytest.mark.skipif(bool(links.missing()), reason=links.missing() or "there are long links")
def test_loss_of_5_percent_and_50_ms_of_delay(durable, tmp_path):
    """8 MiB to stream, and bare TCP beside it over the same link."""
    path, out, got = tmp_path / "m.npy", tmp_path / "out.npy", tmp_path / "got.npy"
    np.save(path, np.random.default_rng(7).standard_normal((4096, 256)))
    succeed("run", "gram", path, "-o", out)
    expected = out.read_bytes()
    durable.succeed("put", "m", path, "--copy", at=1)
    with contextlib.ExitStack() as stack:
        stack.enter_context(links.delayed(durable.hosts[1], 50))
        stack.enter_context(links.losing(durable.hosts[1], 0.05))
        bare = seconds_of_bare_tcp(durable.hosts[1], durable.hosts[2], 8 << 20)
        began = time.monotonic()
        durable.succeed("get", "m", "-o", got)
        streamed = time.monotonic() - began
        again = seconds_of_bare_tcp(durable.hosts[1], durable.hosts[2], 8 << 20)
        began = time.monotonic()
        durable.succeed("run", "gram", "m", "-o", out)
        took = time.monotonic() - began
    print(f"8 MiB with 5 % loss and 50 ms of delay: get {streamed:.2f} s, bare TCP {bare:.2f} s "
          f"before and {again:.2f} s after; gram {took:.2f} s")
    assert np.array_equal(np.load(got), np.load(path))
    assert out.read_bytes() == expected
    wait_until(lambda: len(durable.ready()) == 6, READY_SECONDS, "six ready workers")


@pytest.mark.slow
def test_two_links_cut_one_after_the_other(durable, matrix, tmp_path):
    """The coordinator is out of reach while it is started again."""
    path, expected = matrix
    out = tmp_path / "out.npy"
    durable.succeed("put", "m", path, "--copy", at=1)
    process = durable.start("run", OPERATION[0], "m", *OPERATION[1:], "-o", out, "--json", at=2)
    time.sleep(0.3)
    with links.cut(durable.hosts[0]):
        restart = threading.Thread(target=restart_the_coordinator, args=(durable,))
        restart.start()
        time.sleep(3)
    restart.join()
    with links.cut(durable.hosts[2]):
        time.sleep(2)
    result = finish(process, 60)
    assert result.status == 0, result
    assert out.read_bytes() == expected
