"""hearth make: the same elements from the same seed, wherever they are put."""

import numpy as np
import pytest

from arrays import DTYPES
from hearth_process import Server, succeed


def made(cluster, name, tmp_path, *options):
    out = tmp_path / f"{name}.npy"
    cluster.succeed("make", name, *options)
    cluster.succeed("get", name, "-o", out)
    cluster.succeed("rm", name)
    return np.load(out)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_fills_its_range(cluster, tmp_path, name, dtype):
    array = made(cluster, name, tmp_path, "--shape", "500,400", "--dtype", dtype, "--seed", "5")
    assert array.dtype == dtype and array.shape == (500, 400)
    if array.dtype.kind == "f":
        assert 0 <= array.min() and array.max() < 1
        assert abs(float(array.astype(np.float64).mean()) - 0.5) < 0.01
    elif array.dtype.kind in "iu":
        info = np.iinfo(dtype)
        span = float(info.max) - float(info.min)
        assert float(array.min()) < info.min + 0.01 * span + 1
        assert float(array.max()) > info.max - 0.01 * span - 1
    elif array.dtype.kind == "b":
        assert 0.45 < array.mean() < 0.55


def test_the_default_is_float64_and_seed_1(cluster, tmp_path, name):
    default = made(cluster, name, tmp_path, "--shape", "100,3")
    assert default.dtype == np.float64
    np.testing.assert_array_equal(
        default, made(cluster, name, tmp_path, "--shape", "100,3", "--dtype", "f8", "--seed", "1"))


def test_another_seed_gives_other_elements(cluster, tmp_path, name):
    one = made(cluster, name, tmp_path, "--shape", "1000", "--seed", "1")
    two = made(cluster, name, tmp_path, "--shape", "1000", "--seed", "2")
    assert np.mean(one == two) < 0.01


def test_a_file_and_memory_and_any_number_of_workers_give_the_same_bits(cluster, tmp_path, name):
    options = ["--shape", "40000,50", "--seed", "9"]
    expected = made(cluster, name, tmp_path, *options)
    assert len(np.unique(expected[:1000])) > 49_000
    with Server("local", "--workers", "1") as alone:
        np.testing.assert_array_equal(made(alone, name, tmp_path, *options), expected)
    path = tmp_path / "embedded.npy"
    succeed("make", path, *options)
    np.testing.assert_array_equal(np.load(path), expected)
    path = tmp_path / "cluster.npy"
    info = cluster.succeed("make", path, *options)
    assert info["source"] == "file" and info["file"] == str(path)
    np.testing.assert_array_equal(np.load(path), expected)


def test_made_in_memory_is_sealed_and_in_memory(cluster, name):
    info = cluster.succeed("make", name, "--shape", "1000,1000", "--dtype", "float32")
    assert info["sealed"] is True and info["source"] == "memory"
    assert info["bytes"] == 4_000_000


def test_more_than_there_is_is_refused_before_the_first_touch(cluster, name):
    line = cluster.fail("make", name, "--shape", "1000000,1000000", status=1)
    assert "GiB" in line or "TiB" in line, line
    cluster.fail("info", name)
    line = cluster.fail("make", name, "--shape", f"{2**40},{2**40}", status=(1, 2))
