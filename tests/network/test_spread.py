"""A matrix that no host has room for, on the hosts that have it together."""

import time

import numpy as np
import pytest

from conftest import ClusterOfHosts
from hearth_process import assert_one_error_line, finish, succeed, wait_until
from memory_probe import MIB, meminfo

ROWS, COLUMNS = 122_880, 128  # 120 MiB, on hosts of 100
BYTES = ROWS * COLUMNS * 8
MEMORY = "100M"
MAKE = ("make", "m", "--shape", f"{ROWS},{COLUMNS}", "--seed", 7)

SUM, GRAM = ("sum",), ("gram",)
# As long as the matrix; the last one larger than a message.
ROW_BY_ROW = [("sum", "axis=1"), ("argmax", "axis=1"),
              ("quantile", "q=0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9", "axis=1")]
OPERATIONS = [SUM, GRAM, ("mean", "axis=0"), ("mean", "axis=1"),
              ("quantile", "q=0.3", "axis=0"), *ROW_BY_ROW]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    path = tmp_path_factory.mktemp("matrix") / "m.npy"
    succeed("make", path, "--shape", f"{ROWS},{COLUMNS}", "--seed", 7)
    return path


@pytest.fixture(scope="module")
def expected(matrix, tmp_path_factory):
    out = tmp_path_factory.mktemp("expected") / "out.npy"
    bits = {}
    for operation in OPERATIONS:
        succeed("run", operation[0], matrix, *operation[1:], "-o", out)
        bits[operation] = np.load(out).tobytes()
    return bits


@pytest.fixture
def cluster(hosts):
    cluster = ClusterOfHosts(hosts, memory=MEMORY)
    with cluster.stack:
        yield cluster


@pytest.fixture
def check(expected, tmp_path):
    """Runs operations on it, and compares their bits with one machine's."""
    def check(cluster, *operations, at=0):
        jobs = []
        for operation in operations:
            out = tmp_path / "checked.npy"
            jobs.append(cluster.succeed("run", operation[0], "m", *operation[1:],
                                        "-o", out, at=at)["job"])
            assert np.load(out).tobytes() == expected[operation], operation
        return jobs
    return check


def rows_by_host(cluster, name="m"):
    """How many rows the workers of each host can map."""
    host_of = {one["id"]: one["host"] for one in cluster.succeed("workers")["workers"]}
    rows, last = {}, 0
    for shard in cluster.succeed("info", name)["shards"]:
        begin, end = shard["rows"]
        assert begin == last < end
        last = end
        for host in {host_of[worker] for worker in shard["workers"]}:
            rows[host] = rows.get(host, 0) + end - begin
    assert last == ROWS
    return rows


def test_make_fills_each_piece_on_its_host(cluster, matrix, check, tmp_path):
    before = meminfo()["Shmem"]
    info = cluster.succeed(*MAKE)
    assert info["source"] == "memory" and info["bytes"] == BYTES
    rows = rows_by_host(cluster)
    assert len(rows) == 3 and sum(rows.values()) == ROWS
    assert max(rows.values()) < 0.5 * ROWS  # by what is free on each
    jobs = check(cluster, *OPERATIONS)
    assert jobs[0]["bytes_streamed"] <= 0.25 * BYTES  # each had its own part; who is idle helps
    assert jobs[0]["workers"] > 2
    # Whole, in a folder of a host that has a third of it, and rows of it.
    got = tmp_path / "got.npy"
    cluster.succeed("get", "m", "-o", got, at=2)
    assert got.read_bytes()[-BYTES:] == matrix.read_bytes()[-BYTES:]
    cluster.succeed("get", "m", "--rows", "40000:40100", "-o", got)
    assert np.array_equal(np.load(got), np.load(matrix, mmap_mode="r")[40000:40100])
    result = cluster.run("get", "m", "--rows", f"0:{ROWS + 1}", "-o", got)
    assert result.status == 1 and "it has shape" in result.err
    # What is needed whole and fits, fits; no more than the matrix is left then.
    assert_one_error_line(cluster.run(*MAKE))
    cluster.succeed("rm", "m")
    wait_until(lambda: meminfo()["Shmem"] < before + 16 * MIB, 5, "the end of its pieces")


def test_a_result_as_long_as_the_matrix_is_computed_where_the_rows_are(cluster, check):
    """Each host computes the rows of its pieces and hands them over: little of the
    matrix crosses hosts."""
    cluster.succeed(*MAKE)
    rows = rows_by_host(cluster)
    for operation in ROW_BY_ROW:
        (job,) = check(cluster, operation)
        print(operation, job)
        assert job["bytes_streamed"] < 0.5 * BYTES  # by who is idle while another is behind
        assert job["bytes_mapped"] > 0.5 * BYTES
        shares = {host["host"]: host["bytes_mapped"] for host in job["hosts"]}
        assert shares.keys() == rows.keys() and min(shares.values()) > 0, shares


def test_put_sends_what_only_the_client_sees(hosts, matrix, check):
    before = meminfo()["Shmem"]
    cluster = ClusterOfHosts(hosts, memory=MEMORY, hidden=matrix.parent)
    with cluster.stack:
        assert cluster.run("put", "x", matrix, "--copy", at=0).status == 0
        cluster.succeed("rm", "x")
        cluster.succeed("put", "m", matrix, "--copy", "--replicas", 2)
        rows = rows_by_host(cluster)
        assert len(rows) == 3 and sum(rows.values()) == 2 * ROWS
        check(cluster, SUM, GRAM)
        # The descriptor of the file is held no longer.
        again = cluster.run("put", "m", matrix, "--copy")
        assert again.status == 1 and "exists" in again.err
        # What is there stays until the other is: both don't fit.
        result = cluster.run("put", "m", matrix, "--copy", "--replace")
        assert result.status == 1 and f"{BYTES} bytes don't fit" in result.err
        check(cluster, SUM)
        # What was free a moment ago is no reason to refuse.
        cluster.succeed("rm", "m")
        cluster.succeed("put", "m", matrix, "--copy")
        check(cluster, SUM)
        assert meminfo()["Shmem"] < before + 1.5 * BYTES


def test_more_than_all_hosts_have_is_refused_before_the_first_touch(cluster):
    before = meminfo()["Shmem"]
    began = time.monotonic()
    result = cluster.run("make", "m", "--shape", f"{3 * ROWS},{COLUMNS}")
    assert result.status == 1
    assert_one_error_line(result)
    assert f"{3 * BYTES} bytes don't fit" in result.err
    assert f"{3 * 100 * MIB} bytes" in result.err  # in all, then each host's
    assert f"{100 * MIB} on the host of w1" in result.err
    assert time.monotonic() - began < 10
    assert meminfo()["Shmem"] < before + 16 * MIB
    assert cluster.succeed("ls")["matrices"] == []


def test_with_one_replica_the_error_names_the_rows_that_are_lost(cluster, check, tmp_path):
    cluster.succeed(*MAKE)
    shards = cluster.succeed("info", "m")["shards"]
    of_host = {one["id"]: one["address"] for one in cluster.ready()}
    lost = [shard["rows"] for shard in shards
            if cluster.hosts[1].address in of_host[shard["workers"][0]]]
    cluster.kill_host(1)
    results = [cluster.run("run", "sum", "m"), cluster.run("get", "m", "-o", tmp_path / "x.npy")]
    assert results[0].status == 1 and results[1].status == 1
    assert_one_error_line(results[0])
    wait_until(lambda: "rows" in cluster.run("get", "m", "-o", tmp_path / "x.npy").err, 20)
    for result in [results[0], cluster.run("get", "m", "-o", tmp_path / "x.npy")]:
        assert f'rows {lost[0][0]}:{lost[-1][1]} of "m" were only on the host of w' in result.err
        assert "put it again" in result.err


def test_with_two_replicas_a_host_may_die_in_the_middle(cluster, expected, check, tmp_path):
    out = tmp_path / "out.npy"
    cluster.succeed(*MAKE, "--replicas", 2)
    process = cluster.start("run", *GRAM, "m", "-o", out, "--json")
    time.sleep(0.05)  # the moment is what this test is about
    cluster.kill_host(1)
    result = finish(process, 60)
    assert result.status == 0, result
    assert np.load(out).tobytes() == expected[GRAM]
    check(cluster, SUM, ("mean", "axis=1"))
    assert sum(rows_by_host(cluster).values()) >= ROWS


def test_drain_moves_the_pieces(cluster, check):
    cluster.succeed(*MAKE)
    before = rows_by_host(cluster)
    host = cluster.ready()[-1]["host"]
    first, last = sorted(one["id"] for one in cluster.ready() if one["host"] == host)
    assert cluster.succeed("drain", first)["bytes_moved"] == 0
    assert cluster.succeed("drain", last)["bytes_moved"] == before[host] * COLUMNS * 8
    rows = rows_by_host(cluster)
    assert len(rows) == 2 and host not in rows and sum(rows.values()) == ROWS
    check(cluster, SUM, GRAM)


def test_a_coordinator_that_is_started_again_knows_the_pieces(hosts, check, tmp_path):
    cluster = ClusterOfHosts(hosts, memory=MEMORY, state=tmp_path / "state")
    with cluster.stack:
        cluster.succeed(*MAKE)
        before = cluster.succeed("info", "m")
        cluster.kill_coordinator()
        cluster.start_coordinator()
        wait_until(lambda: len(cluster.ready()) == 6, 20)
        after = cluster.succeed("info", "m")
        assert [one["rows"] for one in after["shards"]] == \
            [one["rows"] for one in before["shards"]]
        assert rows_by_host(cluster).keys()
        job = check(cluster, SUM)[0]
        assert job["bytes_streamed"] <= 0.25 * BYTES
