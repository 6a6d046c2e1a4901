"""What MATRIX may be: files in every form, names, and what is refused of them."""

import io
import zipfile

import numpy as np
import pytest

from arrays import DTYPES, random_array, read_array, write_raw
from hearth_process import run, succeed


def total(cluster, *matrix):
    return cluster.succeed("run", "sum", *matrix)["result"]["values"]


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("offset", [0, 1, 4096 + 7])
def test_raw_files_at_any_offset(cluster, tmp_path, rng, order, offset):
    array = random_array(rng, "float32", (37, 11), order)
    named = write_raw(tmp_path / "a.raw", array, offset)
    found = read_array(cluster.succeed("run", "max", *named, "axis=0")["result"])
    np.testing.assert_array_equal(found, array.max(axis=0))


def test_dtype_makes_any_path_a_file(cluster, tmp_path, rng):
    array = random_array(rng, "int16", (5, 5))
    named = write_raw(tmp_path / "plain", array)
    named[0] = "plain"
    found = cluster.succeed("run", "sum", *named, cwd=tmp_path)
    assert found["result"]["values"] == array.sum(dtype=np.int64)


def test_trailing_bytes_are_accepted_and_missing_ones_not(cluster, tmp_path, rng):
    array = random_array(rng, "int32", (10, 3))
    named = write_raw(tmp_path / "a.raw", array, 3, trailing=5)
    assert total(cluster, *named) == array.sum(dtype=np.int64)
    path = tmp_path / "a.raw"
    path.write_bytes(path.read_bytes()[: 3 + array.nbytes - 1])
    line = cluster.fail("run", "sum", *named, status=1)
    assert "a.raw" in line


def test_bfloat16_is_read_from_raw_files(cluster, tmp_path):
    path = tmp_path / "a.raw"
    np.array([0x3F80, 0x4000, 0xC040], np.uint16).tofile(path)  # 1, 2, -3
    result = cluster.succeed("run", "min", path, "--dtype", "bfloat16", "--shape", "3")["result"]
    assert result == {"dtype": "float32", "shape": [], "values": -3.0}
    result = cluster.succeed("run", "sum", path, "--dtype", "bfloat16", "--shape", "3")["result"]
    assert result == {"dtype": "float32", "shape": [], "values": 0.0}


@pytest.mark.parametrize("dtype", DTYPES)
def test_foreign_endian_files(cluster, tmp_path, rng, dtype):
    array = random_array(rng, dtype, (40, 6))
    path = tmp_path / "a.npy"
    np.save(path, array.astype(array.dtype.newbyteorder(">")))
    answer = cluster.succeed("run", "max", path, "axis=0")
    np.testing.assert_array_equal(read_array(answer["result"]), array.max(axis=0))
    assert answer["job"]["bytes_converted"] == (array.nbytes if array.itemsize > 1 else 0)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)], ids=str)
def test_every_version_of_npy(cluster, tmp_path, version):
    path = tmp_path / "a.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array(file, np.arange(5), version=version)
    assert total(cluster, path) == 10


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,), (1, 1, 1, 1), (2, 0, 2)], ids=str)
def test_zero_dimensions_and_empty_ones(cluster, tmp_path, shape):
    path = tmp_path / "a.npy"
    array = np.full(shape, 2.5)
    np.save(path, array)
    found = read_array(cluster.succeed("run", "sum", path)["result"])
    np.testing.assert_array_equal(found, array.sum())
    for axis in range(len(shape)):
        found = read_array(cluster.succeed("run", "sum", path, f"axis={axis}")["result"])
        np.testing.assert_array_equal(found, array.sum(axis=axis))
        assert found.shape == array.sum(axis=axis).shape
    if array.size == 0:
        cluster.fail("run", "min", path, status=1)


def test_members_of_npz(cluster, tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, first=np.arange(4), second=np.ones((2, 2), np.float32))
    assert total(cluster, f"{path}:first") == 6
    assert total(cluster, f"{path}:second") == 4.0
    line = cluster.fail("run", "sum", f"{path}:third", status=1)
    assert "third" in line
    np.savez_compressed(path, first=np.arange(4))
    line = cluster.fail("run", "sum", f"{path}:first", status=1)
    assert "compressed" in line
    line = cluster.fail("put", "compressed", f"{path}:first", "--copy", status=1)
    assert "--copy, too" in line and "np.savez," in line, line


def test_bfloat16_goes_into_no_npy(cluster, tmp_path, name):
    """It was wrong usage, status 2, though another matrix would have gone."""
    (tmp_path / "a.raw").write_bytes(bytes(24))
    cluster.succeed("put", name, tmp_path / "a.raw", "--dtype", "bfloat16", "--shape", "3,4")
    for target in ("a.npy", "a.npz"):
        line = cluster.fail("get", name, "-o", tmp_path / target, status=1)
        assert name in line and "float32" in line and "raw file" in line, line
        assert not (tmp_path / target).exists()


def header(text, version=b"\x01\x00"):
    text = text.encode() + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text


GOOD = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"


@pytest.mark.parametrize(("content", "names"), [
    (b"", ""),
    (b"\x93NUMPY", ""),
    (b"not a numpy file at all, but long enough to hold a header", ""),
    (header(GOOD, b"\x09\x00") + bytes(16), "version"),
    (header(GOOD) + bytes(15), ""),
    (header(GOOD.replace("(2,)", "(-2,)")) + bytes(16), "shape"),
    (header(GOOD.replace("(2,)", f"({2**62}, 16)")) + bytes(16), "shape"),
    (header(GOOD.replace("(2,)", f"({10**30},)")) + bytes(16), "shape"),
    (header(GOOD.replace("(2,)", "2")) + bytes(16), "shape"),
    (header(GOOD.replace("<f8", "|O")) + bytes(16), "descr"),
    (header(GOOD.replace("<f8", "<U4")) + bytes(32), "descr"),
    (header(GOOD.replace("<f8", "<M8[s]")) + bytes(16), "descr"),
    (header(GOOD.replace("'<f8'", "[('a', '<f8')]")) + bytes(16), "descr"),
    (header(GOOD.replace("False", "Maybe")) + bytes(16), "fortran_order"),
    (header(GOOD.replace("'shape'", "'size'")) + bytes(16), "size"),
    (header("(" * 10000) + bytes(16), ""),
], ids=range(16))
def test_a_bad_header_is_one_error_line(cluster, tmp_path, content, names):
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    line = cluster.fail("run", "sum", path, status=1)
    assert "bad.npy" in line and names in line, line
    cluster.fail("put", "bad", path, status=1)


def test_a_directory_or_an_unreadable_path_is_one_error_line(cluster, tmp_path):
    cluster.fail("run", "sum", f"{tmp_path}/", status=1)
    (tmp_path / "folder.npy").mkdir()
    cluster.fail("run", "sum", tmp_path / "folder.npy", status=1)
    cluster.fail("run", "sum", f"{tmp_path}/missing.npz:a", status=1)
    cluster.fail("run", "sum", "/dev/null/a.npy", status=1)


def test_run_opens_a_file_afresh_each_time(cluster, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.ones(10))
    assert total(cluster, path) == 10.0
    np.save(path, np.ones(20))
    assert total(cluster, path) == 20.0


@pytest.mark.parametrize("change", ["truncated", "replaced", "rewritten", "removed"])
def test_a_published_file_that_changed_is_an_error_that_names_it(cluster, tmp_path, name, change):
    path = tmp_path / "changing.npy"
    np.save(path, np.ones((1000, 1000)))
    cluster.succeed("put", name, path)
    if change == "truncated":
        with open(path, "r+b") as file:
            file.truncate(1_000_000)
    elif change == "replaced":
        other = tmp_path / "other.npy"
        np.save(other, np.zeros((1000, 1000)))
        other.replace(path)
    elif change == "rewritten":
        np.save(path, np.zeros((1000, 1000)))
    else:
        path.unlink()
        path.write_bytes(b"")
    line = cluster.fail("run", "sum", name, status=1)
    assert "changing.npy" in line


def test_the_embedded_cluster_reads_the_same(tmp_path, rng, square):
    assert succeed("run", "sum", square)["result"]["values"] == 15.0
    array = random_array(rng, "int16", (9, 2), "F")
    named = write_raw(tmp_path / "a.raw", array, 1)
    found = read_array(succeed("run", "min", *named, "axis=1", "--workers", "2")["result"])
    np.testing.assert_array_equal(found, array.min(axis=1))


def test_a_matrix_parameter_is_a_file_or_a_name(cluster, square, tmp_path, name):
    v = tmp_path / "v.npy"
    np.save(v, np.array([1.0, 10.0, 100.0]))
    expected = [210.0, 543.0]
    assert cluster.succeed("run", "matvec", square, f"v={v}")["result"]["values"] == expected
    cluster.succeed("put", name, v)
    assert cluster.succeed("run", "matvec", square, f"v={name}")["result"]["values"] == expected


def test_a_person_gets_the_value(cluster, square):
    result = run("run", "sum", square, cluster=cluster.address)
    assert result.out.strip().startswith("15"), result


def test_zip_members_written_by_others(cluster, tmp_path):
    content = io.BytesIO()
    np.lib.format.write_array(content, np.arange(3))
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("folder/x.npy", content.getvalue())
    assert total(cluster, f"{tmp_path}/b.npz:folder/x") == 3
