"""A method that takes a matrix: what lies on its host is mapped, of the rest the rows it reads move."""

import contextlib
import subprocess

import numpy as np
import pytest

from hearth_process import BINARY, environment, wait_until

EXAMPLES = BINARY.parent / "examples" / "objects"
PLUGIN = EXAMPLES / "example_plugin.so"
ROWS, COLUMNS = 65536, 128
ROW_BYTES = COLUMNS * 8
MIB = 2**20

pytestmark = pytest.mark.skipif(not PLUGIN.is_file(), reason="the examples were not built")


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    path = tmp_path_factory.mktemp("matrix") / "m.npy"
    np.save(path, np.random.default_rng(5).integers(0, 1000, (ROWS, COLUMNS)).astype(float))
    return path


@contextlib.contextmanager
def sums_on(cluster, at):
    """An object of class Sums in a worker of that host, by its name."""
    host = cluster.hosts[at]
    with host.serve("worker", "--coordinator", cluster.address, "--workers", 1,
                    "--plugin", PLUGIN, *cluster.security):
        done = subprocess.run(
            [*host.within, EXAMPLES / "example_create", cluster.address, "Sums", f"sums{at}"],
            capture_output=True, text=True, timeout=60, check=False, env=environment())
        assert done.returncode == 0, done.stderr
        yield f"sums{at}"
    wait_until(lambda: not cluster.succeed("objects")["objects"], 20, "the end of its lease")


def call(cluster, sums, method, begin, end):
    return cluster.succeed("call", sums, method, '{"$matrix": "m"}', begin, end)["result"]


@pytest.mark.parametrize("method", ["of_rows", "of_many"])
def test_on_its_own_host_nothing_is_copied(cluster, matrix, method):
    cluster.succeed("put", "m", matrix, "--copy", at=1)
    expected = np.load(matrix, mmap_mode="r").sum()
    with sums_on(cluster, 1) as sums:
        before = cluster.hosts[1].received()
        found = call(cluster, sums, method, 0, ROWS)
        assert found == {"sum": expected, "bytes_mapped": ROWS * ROW_BYTES,
                         "bytes_streamed": 0, "bytes_copied": 0}
        assert cluster.hosts[1].received() - before < MIB


@pytest.mark.parametrize("method", ["of_rows", "of_many"])
def test_on_another_host_only_the_rows_touched_move(cluster, matrix, method):
    cluster.succeed("put", "m", matrix, "--copy", at=1)
    whole = np.load(matrix, mmap_mode="r")
    with sums_on(cluster, 2) as sums:
        call(cluster, sums, method, 0, 1)  # connects
        for begin, end in ((0, 1), (1000, 1016), (ROWS - 8192, ROWS), (5, 5)):
            before = cluster.hosts[2].received()
            found = call(cluster, sums, method, begin, end)
            moved = cluster.hosts[2].received() - before
            size = (end - begin) * ROW_BYTES
            assert found == {"sum": whole[begin:end].sum(), "bytes_mapped": 0,
                             "bytes_streamed": size, "bytes_copied": 0}
            assert moved < size * 1.1 + MIB, (begin, end)


def test_rows_that_are_not_there_are_a_clear_error(cluster, matrix):
    cluster.succeed("put", "m", matrix, "--copy", at=1)
    with sums_on(cluster, 2) as sums:
        for words, said in (((0, ROWS + 1), f"[0, {ROWS})"), ((-1, 1), "rows"), ((2, 1), "rows")):
            result = cluster.run("call", sums, "of_rows", '{"$matrix": "m"}', *words)
            assert result.status == 1 and said in result.err, result
        result = cluster.run("call", sums, "of_rows", '{"$matrix": "other"}', 0, 1)
        assert result.status == 1 and '"other"' in result.err and '"matrix"' in result.err


def test_a_file_is_mapped_where_it_is_seen(cluster, matrix):
    cluster.succeed("put", "m", matrix, at=1)
    with sums_on(cluster, 2) as sums:
        found = call(cluster, sums, "of_rows", 7, 9)
        assert found == {"sum": np.load(matrix, mmap_mode="r")[7:9].sum(),
                         "bytes_mapped": 2 * ROW_BYTES, "bytes_streamed": 0, "bytes_copied": 0}


@pytest.mark.slow
def test_four_gibibytes_as_an_argument(cluster):
    """0 bytes copied on the same host; on another one, the rows that are touched."""
    rows, row_bytes = 2**19, 8192
    cluster.succeed("make", "m", "--shape", f"{rows},1024", "--seed", 1)
    (home,) = {worker["host"] for worker in cluster.succeed("workers")["workers"]
               if worker["id"] in cluster.succeed("info", "m")["shards"][0]["workers"]}
    at = next(i for i, workers in enumerate(cluster.workers)
              if {one["pid"] for one in cluster.succeed("workers")["workers"]
                  if one["host"] == home} & set(workers.pids))
    with sums_on(cluster, at) as sums:
        whole = call(cluster, sums, "of_many", 0, rows)
        print("same host:", whole)
        assert whole["bytes_mapped"] == rows * row_bytes
        assert whole["bytes_streamed"] == whole["bytes_copied"] == 0
    away = (at + 1) % 3
    with sums_on(cluster, away) as sums:
        call(cluster, sums, "of_rows", 0, 1)
        before = cluster.hosts[away].received()
        touched = call(cluster, sums, "of_rows", 100_000, 100_128)
        moved = cluster.hosts[away].received() - before
        print("another host:", touched, "; its cable:", moved)
        assert touched["bytes_streamed"] == 128 * row_bytes
        assert touched["bytes_mapped"] == touched["bytes_copied"] == 0
        assert moved < 128 * row_bytes * 1.1 + MIB
