"""Files that are loaded or put, and what is said of those that can't be."""

import os
import subprocess
import sys

import numpy as np
import pytest

import hearth


# C++ refuses a pipe; the second look, whether NumPy knows the file's type, opened it and waited for a writer.
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo.npy")
    script = f"import hearth; hearth.load({str(tmp_path / 'fifo.npy')!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "BadFile" in done.stderr and "it is a pipe; give a regular file" in done.stderr
    with pytest.raises(hearth.errors.BadFile, match="it is a directory"):
        hearth.load(tmp_path)


def test_a_raw_file_is_put_by_its_type_and_shape(cluster, tmp_path):
    numbers = np.arange(12, dtype=">i4").reshape(3, 4)
    (tmp_path / "x.bin").write_bytes(b"head" + np.asfortranarray(numbers).tobytes("F"))
    for path in (tmp_path / "x.bin", str(tmp_path / "x.bin")):
        made = cluster.put("raw", path, dtype=">i4", shape=(3, 4), offset=4, order="F", replace=True)
        assert np.array_equal(np.asarray(made), numbers) and made.info["source"] == "file" and made.order == "F"
        copied = cluster.put("raw", path, dtype=np.int8, shape=3, copy=True, replace=True)
        assert np.array_equal(copied[:], np.frombuffer(b"hea", "i1")) and copied.info["source"] == "memory"
    made = cluster.put("raw", path, dtype="bfloat16", shape=(2, 3), replace=True)  # which NumPy has not
    assert made.dtype is None and (made.nbytes, made.itemsize) == (12, 2) and made.sum().dtype == np.float32
    for wrong, told in (({"dtype": "f8"}, "whose shape must be given too"), ({"shape": 3}, "give its dtype, too"),
                        ({"offset": 4}, "give its dtype, too"),
                        ({"dtype": "U3", "shape": 1}, "elements of <U3: operations know"),
                        ({"dtype": "f8", "shape": 3, "order": "K"}, "give \"C\" or \"F\""),
                        ({"dtype": "f8", "shape": -3}, "never negative"),
                        ({"dtype": "f8", "shape": 99}, "check shape, dtype and offset")):
        with pytest.raises(hearth.errors.Error, match=told):
            cluster.put("raw", path, replace=True, **wrong)
        if "U3" not in wrong.values():
            with pytest.raises(hearth.errors.Error, match=told):
                hearth.load(path, **wrong)
    with pytest.raises(hearth.errors.BadUsage, match="give an array of that type"):
        cluster.put("raw", numbers, dtype="f8", shape=12, replace=True)
    cluster.rm("raw")


# They advised options of the command.
def test_advice_is_of_arguments_that_python_has(cluster, tmp_path):
    (tmp_path / "x.bin").write_bytes(b"1234")
    np.save(tmp_path / "short.npy", np.arange(100.0))
    os.truncate(tmp_path / "short.npy", 300)
    header = np.lib.format.magic(1, 0) + (118).to_bytes(2, "little")
    for order, name in ("False", "c.npy"), ("True", "f.npy"):
        text = f"{{'descr': '<V2', 'fortran_order': {order}, 'shape': (3, 4)}}".ljust(117) + "\n"
        (tmp_path / name).write_bytes(header + text.encode() + bytes(24))
    for wrong, told in (("x.bin", "give dtype and shape to hearth.load or cluster.put if it is a raw file"),
                        ("x.raw", "give dtype and shape to hearth.load or cluster.put"), ("short.npy", ""),
                        ("c.npy", 'dtype="bfloat16", shape=(3,4), offset=128'),
                        ("f.npy", 'dtype="bfloat16", shape=(3,4), offset=128, order="F"')):
        attempts = [lambda: cluster.put("wrong", tmp_path / wrong), lambda: cluster.run("sum", tmp_path / wrong)]
        if wrong not in ("c.npy", "f.npy"):  # which NumPy reads
            attempts.append(lambda: hearth.load(tmp_path / wrong))
        for attempt in attempts:
            with pytest.raises(hearth.Error) as caught:
                attempt()
            assert told in str(caught.value) and "--" not in str(caught.value)


def test_a_type_or_order_that_can_not_be_made_is_named(cluster):
    for dtype, told in (("U3", "<U3"), ("M8[s]", "datetime64"), ([("a", "f8")], "'a'"), (object, "object")):
        with pytest.raises(hearth.errors.BadUsage, match=f"make x: elements of .*{told}.*: operations know"):
            cluster.make("x", 3, dtype=dtype)
    for make in (lambda: cluster.make("x", 3, order="K"), lambda: hearth.empty(3, order="K")):
        with pytest.raises(hearth.errors.BadUsage, match="the order 'K' is none"):
            make()
