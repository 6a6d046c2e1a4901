"""A cluster's matrix where NumPy's users have an array."""

import copy
import operator

import numpy as np
import pytest

import hearth


@pytest.fixture
def matrix(cluster, digits):
    yield cluster.put("as_array", digits, replace=True)
    cluster.rm("as_array")


@pytest.fixture
def put(cluster):
    """Publishes an array for the time of a test."""
    names = []

    def publish(array):
        names.append(f"as_array_{len(names)}")
        return cluster.put(names[-1], array, replace=True)

    yield publish
    for name in names:
        cluster.rm(name)


def test_only_one_element_is_true_or_false(put, matrix):
    for several in (matrix, put(np.zeros((2, 1)))):
        with pytest.raises(ValueError, match=r"m.any\(\) or m.all\(\)"):
            bool(several)
    for one in (np.array(0.0), np.array([[2]]), np.array([False])):
        assert bool(put(one)) is bool(one)


def test_one_element_is_a_number(put, matrix):
    for one in (np.array(3.5), np.array(7, "i2"), np.array(True), np.array([[2.5]])):
        made = put(one)
        for kind in (float, int, complex):
            assert kind(made) == kind(one.item()) and type(kind(made)) is kind
        assert made.item() == one.item()
    assert complex(put(np.array(1 + 2j))) == 1 + 2j
    for kind in (float, int, complex):
        with pytest.raises(TypeError, match=f"{matrix.size} elements"):
            kind(matrix)


def test_rows_are_gone_through(put, matrix, digits):
    assert np.array_equal(list(matrix), digits)
    assert list(put(np.arange(5))) == [0, 1, 2, 3, 4] and list(put(np.empty((0, 3)))) == []
    none = put(np.array(3.0))
    for through in (list, iter, len):
        with pytest.raises(TypeError, match="0-d"):
            through(none)


def test_elements_are_found(put, matrix, digits, monkeypatch):
    monkeypatch.setattr("hearth._as_array._BLOCK_BYTES", 10_000)  # many of them
    keys, whole = [], hearth.Matrix.__getitem__
    monkeypatch.setattr(hearth.Matrix, "__getitem__", lambda self, key: keys.append(key) or whole(self, key))
    assert digits[700, 3] in matrix and 1e9 not in matrix and float("nan") not in matrix and "x" not in matrix
    assert digits[999] in matrix  # compared with each row
    assert keys and all(0 < key.stop - key.start < 100 for key in keys)  # never all of it
    monkeypatch.undo()
    assert digits in matrix and digits + 1e9 not in matrix and digits[:1] in matrix
    assert 3.0 in put(np.array(3.0)) and 1 not in put(np.empty((0, 3)))


def test_what_an_array_has_a_matrix_has(put, matrix, digits):
    for name in ("T", "real", "imag", "itemsize", "strides", "ndim", "size", "nbytes"):
        assert np.array_equal(getattr(matrix, name), getattr(digits, name)), name
    for of in (lambda a: a.transpose(1, 0), lambda a: a.reshape(-1, 8), lambda a: a.ravel(), lambda a: a.flatten(),
               lambda a: a.astype("f4"), lambda a: a.copy(), lambda a: a.tolist(), lambda a: a.item(5),
               lambda a: a.item(3, 4), lambda a: a.round(1), lambda a: a.clip(0, 1), lambda a: a.cumsum(axis=0),
               lambda a: a.argsort(), lambda a: a.take([3, 1], axis=0), lambda a: a.tobytes(), lambda a: a.conj()):
        assert np.array_equal(of(matrix), of(digits))
    assert matrix.copy().flags.writeable and not matrix.flags.writeable and not matrix.T.flags.writeable
    assert np.shares_memory(np.asarray(matrix), matrix.T) and type(matrix.T) is hearth.Array
    missing = [name for name in dir(np.ndarray) if not name.startswith("_") and not hasattr(hearth.Matrix, name)]
    assert set(missing) <= {"base", "ctypes", "data", "device", "dump", "dumps", "getfield", "setfield", "setflags",
                            "to_device", "itemset", "newbyteorder", "ptp", "tostring"}  # about memory, or gone


def test_a_matrix_is_not_written_to(matrix, digits):
    def set_item():
        matrix[0, 0] = 7

    for attempt in (set_item, matrix.sort, lambda: matrix.sort(axis=0), lambda: matrix.fill(7),
                    lambda: matrix.partition(3), lambda: matrix.put([0], 7), lambda: matrix.resize(3)):
        with pytest.raises(hearth.errors.ReadOnly, match="does not change"):
            attempt()
    assert np.array_equal(matrix, digits)


def test_bytes_and_texts_are_the_array_s(put, matrix, digits):
    assert bytes(put(np.arange(5))) == bytes(np.arange(5))  # not of the numbers
    assert bytes(matrix) == bytes(digits) and f"{put(np.array(3.0)):.2f}" == "3.00" and f"{matrix}" == repr(matrix)
    with pytest.raises(TypeError, match="unsupported format string"):
        format(matrix, ".2f")


class Elsewhere:
    """A connection to where the bytes are, and this host is not: they come by rows, or all at once."""

    def __init__(self, native):
        self._native, self.brought = native, []

    def __getattr__(self, name):
        return getattr(self._native, name)

    def here(self, name):
        return None

    def rows(self, name, begin, end):
        self.brought.append((begin, end))
        return self._native.rows(name, begin, end)

    def get(self, name):
        raise AssertionError("all of it was brought here")


def test_what_lies_elsewhere_comes_block_by_block(cluster, matrix, digits, monkeypatch):
    monkeypatch.setattr("hearth._as_array._BLOCK_BYTES", 16 * 8 * 300)
    elsewhere = Elsewhere(cluster._native)
    monkeypatch.setattr(cluster, "_native", elsewhere)
    assert np.array_equal(list(matrix), digits)
    assert elsewhere.brought == [(0, 300), (300, 600), (600, 900), (900, 1000)]
    elsewhere.brought.clear()
    assert digits[400, 3] in matrix and elsewhere.brought == [(0, 300), (300, 600)]  # and no further
    assert 1e9 not in matrix


def test_products_with_a_matrix_of_its_own(cluster, put, matrix, digits):
    assert np.allclose(matrix @ matrix.T, digits @ digits.T)
    assert np.allclose(matrix.dot(digits[0]), digits @ digits[0])
    assert [job["operation"] for job in cluster.jobs()[-2:]] == ["matmul", "matvec"]  # in the cluster
    assert np.allclose(matrix.T @ matrix, digits.T @ digits)
    assert np.allclose(matrix.T.dot(matrix), digits.T @ digits)
    assert np.array_equal(matrix.dot(2), digits.dot(2))
    into = np.empty((1000, 1000))
    assert matrix.dot(digits.T, out=into) is into and np.allclose(into, digits @ digits.T)


def test_what_a_matrix_is_can_not_be_set(cluster, matrix, digits):
    for name, value in (("shape", (16, 1000)), ("dtype", "i8"), ("name", "other"), ("order", "F"), ("info", {}),
                        ("cluster", None), ("T", 1), ("nonsense", 1)):
        with pytest.raises(AttributeError):
            setattr(matrix, name, value)
    assert (matrix.shape, matrix.dtype, matrix.name) == (digits.shape, digits.dtype, "as_array")
    again = copy.copy(matrix)
    assert again.name == "as_array" and operator.eq(again, matrix).all()
