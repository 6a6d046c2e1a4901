"""Every operation against NumPy, whatever is thrown at it (hypothesis)."""

import inspect
import warnings

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hearth
from hearth import _native
from hearth._operations import Operations

DTYPES = ["?", "i1", "u1", "<i4", ">i4", "i8", "u8", "f2", "f4", "f8", ">f8", "c8", "c16"]
FEW = settings(max_examples=25, deadline=None,
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
    theirs = numpys(np.quantile, array, q=q)
    if isinstance(theirs, Exception) or array.size == 0:
        return
    assert close(cluster.run("quantile", array, q=q), theirs)


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


def test_every_operation_is_a_method_with_its_parameters_and_defaults():
    for name, doc, parameters in _native.operations():
        if name == "make":
            continue
        signature = inspect.signature(getattr(Operations, name))
        assert list(signature.parameters)[1:] and doc or not parameters
        assert sorted(list(signature.parameters)[1:]) == sorted(one for one, *_ in parameters), name
        for parameter, kind, default, _ in parameters:
            ours = signature.parameters[parameter].default
            if kind == "matrix":
                assert ours is inspect.Parameter.empty
            else:
                assert hearth.cluster.text_of(ours).lower() == default or \
                    float(ours) == float(default), (name, parameter)
