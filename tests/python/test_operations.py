"""Every operation against NumPy, whatever is thrown at it (hypothesis)."""

import inspect
import os
import pickle
import warnings

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hearth
from hearth import _native
from hearth._arguments import text_of
from hearth._operations import Operations

DTYPES = ["?", "i1", "u1", "<i4", ">i4", "i8", "u8", "f2", "f4", "f8", ">f8", "c8", "c16"]
# The same draws everywhere, so that a new find is nobody else's red run; HEARTH_RANDOM_DRAWS=1 looks for more.
FEW = settings(max_examples=25, deadline=None, derandomize="HEARTH_RANDOM_DRAWS" not in os.environ,
               suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

# NumPy's function, the arguments that may be given, and what it can't take.
REDUCTIONS = {
    "sum": np.sum, "prod": np.prod, "nansum": np.nansum, "nanprod": np.nanprod, "mean": np.mean,
    "nanmean": np.nanmean, "var": np.var, "std": np.std, "nanvar": np.nanvar, "nanstd": np.nanstd,
    "min": np.min, "max": np.max, "nanmin": np.nanmin, "nanmax": np.nanmax, "any": np.any,
    "all": np.all, "count_nonzero": np.count_nonzero, "argmin": np.argmin, "argmax": np.argmax,
    "nanargmin": np.nanargmin, "nanargmax": np.nanargmax, "median": np.median,
}
TOLERANCE = {2: 2e-2, 4: 1e-4, 8: 1e-9}


@st.composite
def arrays(draw, dtypes=DTYPES, axes=3):
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=axes, min_side=0, max_side=6))
    elements = st.floats(-100, 100, width=8 * dtype.itemsize) | st.just(float("nan")) \
        if dtype.kind == "f" else None
    if dtype.kind == "c":
        part = st.floats(-100, 100, width=32)
        elements = st.builds(complex, part, part)
    array = draw(hnp.arrays(dtype, shape, elements=elements))
    return np.asfortranarray(array) if draw(st.booleans()) else array


def numpys(function, array, **arguments):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(array.astype(array.dtype.newbyteorder("=")), **arguments)
        except (ValueError, TypeError, IndexError) as error:
            return error


def close(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        return False
    width = (theirs.real if theirs.dtype.kind == "c" else theirs).dtype.itemsize
    if theirs.dtype.kind in "fc":
        return np.allclose(ours, theirs, rtol=TOLERANCE[width], atol=TOLERANCE[width], equal_nan=True)
    return np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", REDUCTIONS)
@FEW
@given(data=st.data())
def test_reductions(cluster, name, data):
    array = data.draw(arrays())
    if name == "median" and array.dtype.kind == "c":
        return
    one_axis = name.endswith(("argmin", "argmax"))
    axes = [None, *range(array.ndim)]
    arguments = {"axis": data.draw(st.sampled_from(axes))}
    if not one_axis:
        arguments["keepdims"] = data.draw(st.booleans())
    theirs = numpys(REDUCTIONS[name], array, **arguments)
    if isinstance(theirs, Exception):
        with pytest.raises(hearth.Error):
            cluster.run(name, array, **arguments)
        return
    if array.dtype.kind == "c" and name in ("prod", "nanprod"):
        return  # overflow and its NaNs differ in the last complex bits
    try:
        ours = cluster.run(name, array, **arguments)
    except hearth.Error:
        # What NumPy answers with a warning about nothing: nan- of all NaN.
        assert array.size == 0 or name.startswith("nanarg")
        return
    if name in ("prod", "nanprod") and array.dtype.kind == "f":
        with np.errstate(all="ignore"):
            theirs = REDUCTIONS[name](array.astype("f8"), **arguments).astype(np.asarray(ours).dtype)
    assert close(ours, theirs), (array, ours, theirs)


@FEW
@given(array=arrays(["f4", "f8", "i4"], 2), q=st.lists(st.floats(0, 1), min_size=1, max_size=3) | st.floats(0, 1))
def test_quantiles(cluster, array, q):
    # NumPy interpolates between integers in their own type, where 0 - -2**31 overflows.
    numbers = array.astype("f8") if array.dtype.kind == "i" else array
    theirs = numpys(np.quantile, numbers, q=q)
    if isinstance(theirs, Exception) or array.size == 0:
        return
    ours = cluster.run("quantile", array, q=q)
    # NumPy's type follows that of q, too, where q is a list.
    assert close(ours, np.asarray(theirs).astype(np.asarray(ours).dtype))


@FEW
@given(array=arrays(["f8", "f4", "i4"], 2), data=st.data())
def test_products(cluster, array, data):
    if array.ndim != 2 or 0 in array.shape:
        return
    v = np.array(data.draw(st.lists(st.floats(-10, 10), min_size=array.shape[1],
                                    max_size=array.shape[1])))
    assert close(cluster.run("matvec", array, v=v), array.astype("f8") @ v)
    w = np.resize(v, array.shape[0])
    assert close(cluster.run("rmatvec", array, v=w), array.T.astype("f8") @ w)


@FEW
@given(array=arrays(["f8", "f4", "i4", "?"], 2), data=st.data())
def test_products_with_matrices(cluster, array, data):
    if array.ndim != 2:
        return
    columns = data.draw(st.integers(0, 4))
    b = data.draw(hnp.arrays("f4", (array.shape[1], columns), elements=st.floats(-9, 9, width=32)))
    ours = cluster.run("matmul", array, b=b)
    assert ours.dtype == np.result_type(array, b)
    assert close(ours, (array.astype("f8") @ b).astype(ours.dtype))


@FEW
@given(array=arrays(["f8", "f4", "i4", "?", "c16"], 2), ddof=st.integers(0, 2))
def test_covariances(cluster, array, ddof):
    if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] == 0:
        return
    theirs = numpys(np.cov, array, rowvar=False, ddof=ddof).reshape(2 * array.shape[1:])
    ours = cluster.run("cov", array, ddof=ddof)
    # Of columns that don't vary NumPy's may be next to nothing instead of nothing: NaN or infinite
    # once it is divided by no degree of freedom.
    if array.shape[0] > ddof:
        assert close(ours, theirs), (array, ours, theirs)
    else:
        assert not np.isfinite(ours).any()


def test_numpys_products_and_covariances_of_a_matrix(cluster, digits):
    matrix = cluster.put("product", digits, replace=True)
    b = np.random.default_rng(7).normal(size=(16, 3))
    v, w = b[:, 0], digits[:, 0]
    for ours, theirs in ((matrix @ b, digits @ b), (np.matmul(matrix, b), digits @ b),
                         (np.dot(matrix, b), digits @ b), (np.matmul(matrix, v), digits @ v),
                         (np.dot(matrix, v), digits @ v), (w @ matrix, w @ digits),
                         (np.dot(w, matrix), w @ digits), (matrix.matmul(b.tolist()), digits @ b),
                         (np.cov(matrix, rowvar=False), np.cov(digits, rowvar=False)),
                         (np.cov(matrix, rowvar=False, bias=True), np.cov(digits.T, bias=True)),
                         (np.corrcoef(matrix, rowvar=False), np.corrcoef(digits, rowvar=False))):
        assert type(ours) is np.ndarray and np.allclose(ours, theirs, rtol=1e-12)
    assert matrix._array is None  # nothing was brought here
    one = cluster.put("one", digits[:, :1], replace=True)
    assert np.cov(one, rowvar=False).shape == np.cov(digits[:, :1], rowvar=False).shape == ()
    assert np.corrcoef(one, rowvar=False) == 1
    # What no operation does is NumPy's, on the mapped array.
    assert np.allclose(np.cov(one.array().T), np.cov(one, w, rowvar=False)[0, 0])
    assert np.allclose(np.cov(matrix), np.cov(digits))
    assert np.allclose(digits.T @ matrix, digits.T @ digits)
    assert np.allclose(np.add(matrix, 1), digits + 1) and np.allclose(digits + matrix, 2 * digits)
    with pytest.raises(hearth.Error, match="16 columns"):
        matrix @ digits
    cluster.rm("product")
    cluster.rm("one")


def test_every_operation_is_a_method_with_its_parameters_and_defaults():
    for name, doc, parameters in _native.operations():
        if name == "make":
            continue
        signature = inspect.signature(getattr(Operations, name))
        assert list(signature.parameters)[1:] and doc or not parameters
        missing = {one for one, *_ in parameters} - set(signature.parameters)
        more = set(list(signature.parameters)[1:]) - {one for one, *_ in parameters}
        assert not missing and more <= {"dtype", "out", "overwrite_input", "numpys"}, name  # which are NumPy's
        for parameter, kind, default, _ in parameters:
            ours = signature.parameters[parameter].default
            if kind == "matrix":
                assert ours is inspect.Parameter.empty
            else:
                assert text_of(ours).lower() == default or \
                    float(ours) == float(default), (name, parameter)


def test_arguments_stand_where_numpy_has_them():
    for name, theirs in REDUCTIONS.items():
        places = [one.name for one in list(inspect.signature(theirs).parameters.values())[1:]
                  if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and one.name not in ("initial", "where")]
        ours = [one.name for one in list(inspect.signature(getattr(Operations, name)).parameters.values())[1:]
                if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        assert ours == places, name


def test_arguments_by_place_are_numpy_s(cluster, digits):
    matrix = cluster.put("places", digits, replace=True)
    for name, places in (("sum", (0, "f4")), ("std", (0, None, None, 1)), ("std", (1, None, None, 0, True)),
                         ("mean", (0, "f4")), ("min", (0, None, True)), ("sum", (())), ("sum", ((),)),
                         ("max", ((),)), ("mean", ((0, 1),))):
        ours, theirs = getattr(matrix, name)(*places), getattr(digits, name)(*places)
        assert close(ours, theirs) and ours.dtype == theirs.dtype, (name, places)
    for wrong in (lambda: matrix.std(0, 1), lambda: matrix.sum(0, "nonsense", None, 1, 2, 3),
                  lambda: matrix.sum(dtype=3), lambda: matrix.argmin(0, None, True), lambda: matrix.sum(nonsense=1)):
        with pytest.raises((TypeError, ValueError)):
            wrong()
    where = digits > 0
    assert close(matrix.sum(0, where=where), digits.sum(0, where=where))
    assert matrix.min(initial=-99) == -99 and matrix.quantile(0.5, 0, None, True).shape == (16,)
    cluster.rm("places")


def test_results_go_into_an_array(cluster, digits):
    matrix = cluster.put("into", digits, replace=True)
    into = np.empty(16, "f4")
    assert matrix.sum(0, out=into) is into and np.allclose(into, digits.sum(axis=0), rtol=1e-4)
    assert np.mean(matrix, axis=0, out=into) is into and np.allclose(into, digits.mean(axis=0), rtol=1e-4)
    number = np.empty(())
    assert matrix.max(None, number) is number and number == digits.max()
    assert np.array_equal(matrix.argmin(1, np.empty(1000, "i8")), digits.argmin(1))
    for out, error in ((np.empty(3), "shape"), (np.empty((3, 16)), "shape"), ([0.0] * 16, "type list"),
                       (np.empty(16, "i4"), "cast"), (hearth.share(into), "read-only")):
        with pytest.raises((TypeError, ValueError), match=error):
            matrix.sum(0, out=out)
    cluster.rm("into")


def test_an_axis_that_is_not_there_is_numpy_s_error(cluster, digits, tmp_path):
    matrix = cluster.put("axes", digits, replace=True)
    np.save(tmp_path / "axes.npy", digits)
    kinds = hearth.errors.BadParameter, getattr(np, "exceptions", np).AxisError, ValueError, IndexError
    for attempt in (lambda: matrix.sum(axis=7), lambda: matrix.argmin(-3), lambda: np.median(matrix, axis=(0, 2)),
                    lambda: cluster.run("mean", tmp_path / "axes.npy", axis=2),
                    lambda: matrix.submit("norm", axis=2).result()):
        with pytest.raises(hearth.errors.AxisError, match="is not there in an array of shape") as caught:
            attempt()
        assert all(isinstance(caught.value, kind) for kind in kinds)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    for axis in ("x", "0", "none", 1.0, True, (0, "1"), [[0]], {}):
        with pytest.raises(TypeError, match="is no axis"):
            matrix.sum(axis=axis)
        with pytest.raises(hearth.errors.BadUsage):
            cluster.run("sum", "axes", axis=axis)
    with pytest.raises(TypeError, match="is no axis"):
        matrix.argmax((0, 1))
    for axis in (np.int8(1), -1, (0, 1), [1]):
        expected = digits.sum(axis=tuple(axis) if isinstance(axis, list) else axis)
        assert close(matrix.sum(axis), expected)
    cluster.rm("axes")
