"""-o FILE: a file that NumPy reads, whole or not at all."""

import os
import signal
import time

import numpy as np
import pytest

from arrays import DTYPES, random_array, read_array
from hearth_process import fail, finish


def test_one_array_as_npy(cluster, square, tmp_path):
    out = tmp_path / "out.npy"
    answer = cluster.succeed("run", "sum", square, "axis=0", "-o", out)
    assert answer["result"] == {"dtype": "float64", "shape": [3], "file": str(out)}
    np.testing.assert_array_equal(np.load(out), [3.0, 5.0, 7.0])
    assert os.listdir(tmp_path) and set(os.listdir(tmp_path)) == {"out.npy", "square.npy"}


def test_several_arrays_as_npz(cluster, square, tmp_path):
    out = tmp_path / "out.npz"
    result = cluster.succeed("run", "histogram", square, "bins=2", "-o", out)["result"]
    assert result["fields"]["counts"] == {"dtype": "int64", "shape": [2], "file": str(out)}
    with np.load(out) as arrays:
        assert set(arrays) == {"counts", "edges"}
        np.testing.assert_array_equal(arrays["counts"], [3, 3])
    cluster.fail("run", "histogram", square, "-o", tmp_path / "one.npy", status=2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", "CF")
def test_get_writes_every_type_in_its_order(cluster, tmp_path, rng, name, dtype, order):
    array = random_array(rng, dtype, (6, 5, 4), order)
    path, out = tmp_path / "a.npy", tmp_path / "out.npy"
    np.save(path, array)
    cluster.succeed("put", name, path, "--copy")
    cluster.succeed("get", name, "-o", out)
    found = np.load(out)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert found.flags.f_contiguous == array.flags.f_contiguous
    cluster.succeed("get", name, "--rows", "2:5", "-o", out)
    np.testing.assert_array_equal(np.load(out), array[2:5])


def test_a_result_as_long_as_the_matrix(cluster, tmp_path):
    path, out = tmp_path / "a.npy", tmp_path / "out.npy"
    array = np.arange(3_000_000.0).reshape(-1, 2)
    np.save(path, array)
    answer = cluster.succeed("run", "sum", path, "axis=1", "-o", out)
    np.testing.assert_array_equal(read_array(answer["result"]), array.sum(axis=1))


def test_rows_without_an_end_go_to_the_last_and_without_a_begin_from_the_first(cluster, tmp_path, name):
    array, path, out = np.arange(12.0).reshape(4, 3), tmp_path / "a.npy", tmp_path / "out.npy"
    np.save(path, array)
    cluster.succeed("put", name, path)
    for text, rows in (("1:", slice(1, None)), (":2", slice(2)), (":", slice(None)), ("4:", slice(4, None))):
        cluster.succeed("get", name, "--rows", text, "-o", out)
        np.testing.assert_array_equal(np.load(out), array[rows])
    cluster.fail("get", name, "--rows", "5:", "-o", out, status=1)


def test_what_is_there_is_replaced(cluster, square, tmp_path):
    out = tmp_path / "out.npy"
    out.write_bytes(b"old")
    cluster.succeed("run", "sum", square, "-o", out)
    assert np.load(out) == 15.0


def test_a_failure_leaves_what_was_there(cluster, square, tmp_path):
    out = tmp_path / "out.npy"
    out.write_bytes(b"old")
    cluster.fail("run", "sum", square, "axis=7", "-o", out, status=1)
    assert out.read_bytes() == b"old"


def test_a_folder_that_is_not_there(cluster, square, tmp_path):
    line = cluster.fail("run", "sum", square, "-o", tmp_path / "none" / "out.npy", status=1)
    assert "none" in line
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("where", ["none/out.npy", "folder.npy", "square.npy/out.npy", "/proc/out.npy",
                                   "/sys/out.npy", "x" * 300 + ".npy"])
def test_what_can_not_be_written_is_refused_before_the_job(cluster, square, tmp_path, where):
    """The whole job had run, and its result was lost."""
    (tmp_path / "folder.npy").mkdir()
    before, jobs = sorted(tmp_path.iterdir()), cluster.succeed("jobs")
    cluster.fail("run", "sum", square, "-o", where, status=1, cwd=tmp_path)
    assert cluster.succeed("jobs") == jobs
    line = fail("get", "m", "-o", where, "--cluster", "unix-abstract:nobody-is-there", cwd=tmp_path)
    assert line.startswith("hearth: write "), line
    assert sorted(tmp_path.iterdir()) == before


def test_a_result_that_has_no_room_is_refused_before_the_job(cluster, tmp_path):
    path, out = tmp_path / "a.npy", tmp_path / "out.npy"
    np.save(path, np.zeros((100_000, 2)))
    jobs = cluster.succeed("jobs")
    line = cluster.fail("run", "sum", path, "axis=1", "-o", out, within=("prlimit", "--fsize=10000"))
    assert "ulimit -f" in line and not out.exists()
    assert cluster.succeed("jobs") == jobs


def test_a_disk_without_room(cluster, square):
    line = cluster.fail("run", "sum", square, "-o", "/proc/out.npy", status=1)
    assert "/proc" in line


def test_a_client_that_is_killed_leaves_a_whole_file_or_none(cluster, tmp_path, name):
    cluster.succeed("make", name, "--shape", "8000000", "--seed", "3")
    out = tmp_path / "out.npy"
    outcomes = set()
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
        process = cluster.start("get", name, "-o", out)
        time.sleep(delay)  # the moment is what this test is about
        process.send_signal(signal.SIGKILL)
        finish(process)
        assert set(os.listdir(tmp_path)) <= {"out.npy"}
        if out.exists():
            assert np.load(out, mmap_mode="r").shape == (8_000_000,)
            out.unlink()
            outcomes.add("whole")
        else:
            outcomes.add("none")
    assert "none" in outcomes, "no kill came before the end: the test proves nothing"
