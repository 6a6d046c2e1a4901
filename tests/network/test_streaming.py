"""A matrix on one host, workers on three: the same answers, and what crosses."""

import os
import pathlib
import re
import shutil
import tempfile
import time

import numpy as np
import pytest

from conftest import ClusterOfHosts
from hearth_process import alive, assert_one_error_line, finish, kill, succeed, wait_until
from memory_probe import MIB, meminfo

ROWS, COLUMNS = 16_384, 512  # 64 MiB
BYTES = ROWS * COLUMNS * 8
OPERATIONS = [("gram",), ("mean", "axis=0"), ("sum",), ("sum", "axis=1"), ("median",),
              ("quantile", "q=0.1", "axis=0"), ("describe",), ("argmax",)]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    path = tmp_path_factory.mktemp("matrix") / "m.npy"
    rng = np.random.default_rng(5)
    np.save(path, rng.standard_normal((ROWS, COLUMNS)) * 10.0 ** rng.integers(-3, 3, (ROWS, 1)))
    return path


def load(path):
    found = np.load(path)
    if isinstance(found, np.ndarray):
        return {"": found.tobytes()}
    return {name: found[name].tobytes() for name in found}


def out_of(operation, tmp_path):
    return tmp_path / ("out.npz" if operation[0] == "describe" else "out.npy")


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_three_hosts_give_the_bits_of_one(cluster, matrix, tmp_path, operation):
    out = out_of(operation, tmp_path)
    succeed("run", operation[0], matrix, *operation[1:], "-o", out)
    expected = load(out)
    cluster.succeed("put", "m", matrix, "--copy")
    job = cluster.succeed("run", operation[0], "m", *operation[1:], "-o", out)["job"]
    assert load(out) == expected
    assert job["bytes_mapped"] + job["bytes_streamed"] >= BYTES
    assert job["retries"] == 0


def test_a_host_streams_a_matrix_that_is_needed_whole_once(cluster, matrix, tmp_path):
    out = tmp_path / "out.npy"
    cluster.succeed("put", "m", matrix, "--copy")
    streamed = [cluster.succeed("run", "gram", "m", "-o", out)["job"]["bytes_streamed"]
                for _ in range(3)]
    assert max(streamed) <= 2 * BYTES
    assert sum(streamed) <= 2 * BYTES, "a host that had it streamed it again"


def test_row_blocks_stay_on_the_host_that_they_came_to(cluster, tmp_path):
    """A gram whose row blocks come one by one: the second time, who has them computes them."""
    rows, columns = 262_144, 512
    out = tmp_path / "out.npy"
    succeed("make", tmp_path / "m.npy", "--shape", f"{rows},{columns}", "--seed", 3)
    succeed("run", "gram", tmp_path / "m.npy", "-o", out)
    (tmp_path / "m.npy").unlink()
    expected = load(out)
    cluster.succeed("make", "m", "--shape", f"{rows},{columns}", "--seed", 3, at=1)
    before = meminfo()["Shmem"]
    streamed = []
    # On a busy machine the home host may be done before the others have begun.
    while sum(streamed) == 0 or len(streamed) < 4:
        job = cluster.succeed("run", "gram", "m", "-o", out)["job"]
        assert load(out) == expected
        assert job["bytes_mapped"] + job["bytes_streamed"] >= rows * columns * 8
        streamed.append(job["bytes_streamed"])
        assert len(streamed) < 10, "nothing ever crossed"
    kept = meminfo()["Shmem"] - before
    print(f"streamed {[number // MIB for number in streamed]}, kept {kept // MIB} MiB")
    assert abs(sum(streamed) - kept) < 64 * MIB, "streamed twice, or not kept"

    # A cache: it goes with its matrix, and leaves nothing behind.
    cluster.succeed("rm", "m")
    wait_until(lambda: meminfo()["Shmem"] < before - 1000 * MIB, 5,
               "the end of the matrix and its fragments")


def test_what_came_for_a_job_gives_way(hosts, tmp_path):
    """A host of 260 MB with a matrix and the copy of another, 100 each: 125 more have room."""
    out, path = tmp_path / "out.npy", tmp_path / "made.npy"
    product = ("run", "rmatvec", "m", "v=v", "-o", out)

    def put(name, shape, at):
        succeed("make", path, "--shape", shape, "--seed", at)
        cluster.succeed("put", name, path, "--copy", at=at)

    cluster = ClusterOfHosts(hosts, memory="260M")
    with cluster.stack:
        empty = meminfo()["Shmem"]
        put("m", "13107200,1", at=1)
        put("v", "13107200", at=2)
        cluster.succeed(*product)
        expected = load(out)
        assert meminfo()["Shmem"] > empty + 290 * MIB, "it was not brought: the test is of no use"
        put("n", "16384000", at=1)
        assert meminfo()["Shmem"] < empty + 345 * MIB, "the copy is still there"

        result = cluster.run(*product)  # now there is no room for it
        assert result.status == 1
        assert_one_error_line(result)
        cluster.succeed("rm", "n")
        cluster.succeed(*product)
        assert load(out) == expected


def test_the_plan_and_the_job_tell_what_each_host_does(cluster, matrix, tmp_path):
    """Before: what is expected of each host. Afterwards: what it did, in the same columns."""
    columns = ("bytes_mapped", "bytes_streamed", "bytes_copied", "bytes_converted")
    out = tmp_path / "out.npy"
    cluster.succeed("put", "m", matrix, "--copy")
    (home,) = {worker["host"] for worker in cluster.succeed("workers")["workers"]
               if worker["id"] in cluster.succeed("info", "m")["shards"][0]["workers"]}

    jobs = [cluster.succeed("run", "gram", "m", "-o", out)["job"] for _ in range(2)]
    for job in jobs:
        for column in columns:
            assert sum(host[column] for host in job["hosts"]) == job[column]
        assert sum(host["workers"] for host in job["hosts"]) == job["workers"]
        assert all(host["seconds_busy"] > 0 for host in job["hosts"] if host["bytes_mapped"])
        for host in job["hosts"]:
            assert host["host"] != home or host["bytes_streamed"] == 0

    away = {host["host"] for job in jobs for host in job["hosts"] if host["bytes_streamed"]}
    plan = {host["host"]: host
            for host in cluster.succeed("run", "gram", "m", "--explain")["explain"]["hosts"]}
    assert sum(host["bytes_mapped"] for host in plan.values()) == BYTES
    assert plan[home]["source"] == "memory" and plan[home]["seconds_expected"] > 0
    for name, host in plan.items():
        if name == home:
            continue
        # Where it was streamed to, it is by now.
        assert host["source"] == ("memory" if name in away else "streamed if sooner")
        assert host["bytes_streamed"] == 0


def test_a_removed_matrix_is_free_on_every_host(cluster, matrix, tmp_path):
    before = meminfo()["Shmem"]
    cluster.succeed("put", "m", matrix, "--copy")
    cluster.succeed("run", "gram", "m", "-o", tmp_path / "out.npy")
    assert meminfo()["Shmem"] > before + 60 * MIB
    cluster.succeed("rm", "m")
    wait_until(lambda: meminfo()["Shmem"] < before + 16 * MIB, 5, "the end of its copies")


def test_a_client_of_any_host_gets_and_makes_matrices(cluster, matrix, tmp_path):
    cluster.succeed("put", "m", matrix, "--copy", at=2)
    got = tmp_path / "got.npy"
    for at in range(3):
        cluster.succeed("get", "m", "-o", got, at=at)
        assert got.read_bytes()[-BYTES:] == matrix.read_bytes()[-BYTES:]
        cluster.succeed("get", "m", "--rows", "100:200", "-o", got, at=at)
        np.testing.assert_array_equal(np.load(got), np.load(matrix, mmap_mode="r")[100:200])
        cluster.succeed("make", f"made{at}", "--shape", "100000,8", at=at)
        cluster.succeed("make", f"small{at}", "--shape", "10", at=at)
    sums = {cluster.succeed("run", "sum", f"made{at}", at=2 - at)["result"]["values"]
            for at in range(3)}
    assert len(sums) == 1


def test_with_mutual_tls(hosts, matrix, tmp_path):
    credentials = tmp_path / "tls"
    succeed("security", "init", "--tls-dir", credentials)
    cluster = ClusterOfHosts(hosts, security=("--tls-dir", credentials))
    with cluster.stack:
        cluster.succeed("put", "m", matrix, "--copy")
        out = tmp_path / "out.npy"
        cluster.succeed("run", "gram", "m", "-o", out, at=1)
        a = np.load(matrix)
        np.testing.assert_allclose(np.load(out), a.T @ a, rtol=1e-9, atol=1e-6)
        workers = cluster.succeed("workers")["workers"]
        assert {re.match(r"10\.79\.\d+\.(\d):\d+$", worker["address"])[1]
                for worker in workers} == {"1", "2", "3"}


def test_a_file_that_one_host_sees_is_computed_there(hosts, matrix, tmp_path):
    out = tmp_path / "out.npy"
    succeed("run", "sum", matrix, "axis=0", "-o", out)
    expected = load(out)
    cluster = ClusterOfHosts(hosts, hidden=matrix.parent)
    with cluster.stack:
        for _ in range(3):
            job = cluster.succeed("run", "sum", matrix, "axis=0", "-o", out)["job"]
            assert load(out) == expected
            assert job["bytes_mapped"] == BYTES
        matrix_gone = matrix.with_name("gone.npy")
        matrix.rename(matrix_gone)
        try:
            result = cluster.run("run", "sum", matrix)
            assert result.status == 1
            assert_one_error_line(result)
        finally:
            matrix_gone.rename(matrix)


@pytest.mark.parametrize("same", [True, False], ids=["same", "other"])
def test_a_file_of_a_shared_file_system_is_mapped_everywhere(hosts, matrix, tmp_path, same):
    """Known by what is in it: the other hosts have it on another device, as a mounted folder is.
    One that only looks the same is not computed on."""
    folder, instead, out = tmp_path / "mounted", tmp_path / "instead", tmp_path / "out.npy"
    for each in folder, instead:
        each.mkdir()
        shutil.copy2(matrix, each / "m.npy")
    if not same:
        times = os.stat(folder / "m.npy")
        with open(instead / "m.npy", "r+b") as file:
            file.seek(0, os.SEEK_END)
            file.seek(-1, os.SEEK_CUR)
            file.write(b"\x7f")
        os.utime(instead / "m.npy", ns=(times.st_atime_ns, times.st_mtime_ns))
    succeed("run", "gram", matrix, "-o", out)
    expected = load(out)
    cluster = ClusterOfHosts(hosts, hidden=folder, instead=instead)
    with cluster.stack:
        cluster.succeed("put", "m", folder / "m.npy")
        job = cluster.succeed("run", "gram", "m", "-o", out)["job"]
        assert load(out) == expected
        assert job["bytes_streamed"] == 0
        mapped = [host for host in job["hosts"] if host["bytes_mapped"]]
        assert len(mapped) > 1 if same else len(mapped) == 1
        got = tmp_path / "got.npy"
        cluster.succeed("get", "m", "-o", got)
        assert got.read_bytes() == matrix.read_bytes()


def test_containers_that_share_a_runtime_directory_map(hosts, matrix, tmp_path):
    """Each a network of its own, where no abstract socket of the others can be seen."""
    shared, out = pathlib.Path(tempfile.mkdtemp()), tmp_path / "out.npy"  # sockets' names are short
    succeed("run", "gram", matrix, "-o", out)
    expected = load(out)
    cluster = ClusterOfHosts(hosts, runtime_dir=shared)
    with cluster.stack:
        cluster.succeed("put", "m", matrix, "--copy")
        before = meminfo()["Shmem"]
        job = cluster.succeed("run", "gram", "m", "-o", out)["job"]
        assert load(out) == expected
        assert job["bytes_streamed"] == 0
        assert len([host for host in job["hosts"] if host["bytes_mapped"]]) > 1
        assert meminfo()["Shmem"] < before + BYTES / 2
        cluster.kill_host(2)
    assert len(list(shared.iterdir())) == 2, "those of the one that was killed"
    with ClusterOfHosts(hosts[:1], runtime_dir=shared).stack:
        assert len(list(shared.iterdir())) == 2, "the next start sweeps"
    shared.rmdir()  # with nothing in it


@pytest.mark.parametrize("victim", ["worker", "host"])
def test_a_worker_or_a_host_killed_in_the_middle(cluster, matrix, tmp_path, victim):
    out = tmp_path / "out.npy"
    succeed("run", "gram", matrix, "-o", out)
    expected = load(out)
    cluster.succeed("put", "m", matrix, "--copy")
    process = cluster.start("run", "gram", "m", "-o", out, "--json")
    time.sleep(0.1)  # the moment is what this test is about
    pids = cluster.workers[1].pids
    for pid in pids[1:2] if victim == "worker" else pids:
        kill(pid)
    cluster.workers[1].killed = victim == "host"
    result = finish(process, 60)
    assert result.status == 0, result
    assert load(out) == expected
    if victim == "host":
        wait_until(lambda: not any(map(alive, pids)), 10)


def test_a_link_that_is_cut_for_seconds(cluster, matrix, tmp_path):
    out = tmp_path / "out.npy"
    succeed("run", "gram", matrix, "-o", out)
    expected = load(out)
    cluster.succeed("put", "m", matrix, "--copy")
    process = cluster.start("run", "gram", "m", "-o", out, "--json")
    time.sleep(0.1)
    cluster.hosts[1].plug("down")
    time.sleep(4)
    cluster.hosts[1].plug("up")
    result = finish(process, 60)
    assert result.status == 0, result
    assert load(out) == expected
    wait_until(lambda: sum(worker["state"] == "ready"
                           for worker in cluster.succeed("workers")["workers"]) == 6, 30,
               "six ready workers")


def test_a_matrix_whose_host_is_lost_is_an_error_that_says_so(cluster, matrix):
    cluster.succeed("put", "m", matrix, "--copy", at=1)
    for pid in cluster.workers[1].pids:
        kill(pid)
    cluster.workers[1].killed = True
    result = cluster.run("run", "sum", "m")
    assert result.status == 1
    assert_one_error_line(result)


def test_the_plan_says_where_the_bytes_are(cluster):
    """Asked for from a host that has none of them, and without moving any."""
    cluster.succeed("make", "m", "--shape", "262144,128", at=1)
    holders = {worker for shard in cluster.succeed("info", "m")["shards"]
               for worker in shard["workers"]}
    hosts = {worker["host"]: worker["id"] in holders
             for worker in cluster.succeed("workers")["workers"]}
    assert sum(hosts.values()) == 1
    before = meminfo()["Shmem"]
    plan = cluster.succeed("run", "sum", "m", "--explain", at=2)["explain"]["hosts"]
    assert meminfo()["Shmem"] < before + (64 << 20), "the matrix came along"
    assert {each["host"]: each["bytes_mapped"] for each in plan} == {
        host: 262144 * 128 * 8 if has else 0 for host, has in hosts.items()}
    assert {each["source"] for each in plan} == {"memory", "streamed if sooner"}
