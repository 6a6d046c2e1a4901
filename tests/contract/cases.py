"""Random cases of the operations that take an axis, for test_operations and test_property."""

import numpy as np

from arrays import (COMPLEXES, DTYPES, REALS, random_array, read_result, sprinkle,
                    write_raw)
from reference import assert_same, reduce

# operation -> (types, what its axis may be, other parameters to choose from)
ONE, SOME = "none or one", "none, one or several"
REDUCTIONS = {
    **{name: (DTYPES, SOME, {}) for name in
       ("sum", "prod", "nansum", "nanprod", "mean", "nanmean", "min", "max", "nanmin", "nanmax",
        "any", "all", "count_nonzero")},
    **{name: (DTYPES, SOME, {"ddof": [0, 1]}) for name in ("var", "std", "nanvar", "nanstd")},
    **{name: (DTYPES, ONE, {}) for name in ("argmin", "argmax", "nanargmin", "nanargmax")},
    "norm": (DTYPES, ONE, {"ord": [2, 1, "inf", "-inf", 0, 3, 0.5]}),
    "quantile": (REALS, SOME, {"q": [0.5, 0, 1, 0.31, [0.1, 0.9, 0.5]]}),
    "median": (REALS, SOME, {}),
}
SMALL = {"prod", "nanprod", "norm"}  # whose results leave float64 on large elements
NO_INFINITY = {"quantile", "median", "norm", "var", "std", "nanvar", "nanstd", "prod", "nanprod",
               "mean", "nanmean", "sum", "nansum"}


def text_of(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(map(text_of, value))
    return "none" if value is None else str(value)


def choose(rng, values):
    return values[rng.integers(len(values))]


def random_axis(rng, kinds, ndim):
    if ndim == 0 or rng.random() < 0.3:
        return None
    if kinds == SOME and ndim > 1 and rng.random() < 0.3:
        count = int(rng.integers(1, ndim + 1))
        return [int(axis) for axis in rng.permutation(ndim)[:count]]
    return int(rng.integers(-ndim, ndim))


def random_shape(rng):
    kind = rng.random()
    if kind < 0.08:
        return ()
    ndim = int(rng.integers(1, 5))
    if kind < 0.2:  # several row blocks
        return (int(rng.integers(150_000, 500_000)), int(rng.integers(1, 4)))[:max(1, min(ndim, 2))]
    shape = [int(rng.integers(1, 30)) for _ in range(ndim)]
    if rng.random() < 0.15:
        shape[int(rng.integers(ndim))] = choose(rng, [0, 1])
    return tuple(shape)


def random_options(rng, name, ndim):
    _, kinds, others = REDUCTIONS[name]
    options = {key: choose(rng, values) for key, values in others.items()}
    axis = random_axis(rng, kinds, ndim)
    if axis is not None or rng.random() < 0.5:
        options["axis"] = axis
    if rng.random() < 0.4:
        options["keepdims"] = True
    return options


def store(rng, folder, array):
    """Writes it in one of the forms that Hearth reads; gives the arguments that name it."""
    form = choose(rng, ["npy", "foreign", "raw", "npz"])
    path = folder / f"a.{form}"
    if form == "raw" and array.ndim:
        return write_raw(path, array, int(rng.integers(0, 9)))
    if form == "npz":
        np.savez(folder / "a.npz", other=np.zeros(3), member=array)
        return [f"{folder}/a.npz:member"]
    if form == "foreign":
        array = array.astype(array.dtype.newbyteorder(">"))
    np.save(folder / "a.npy", array)
    return [str(folder / "a.npy")]


def expectation(name, array, options):
    """The expected array, or None where NumPy raises and Hearth must fail."""
    options = {key: float(value) if key == "ord" else value for key, value in options.items()}
    try:
        return reduce(name, array, options)
    except (ValueError, IndexError):
        return None


def check_case(cluster, rng, folder, name, dtype, shape, order):
    small = name in SMALL
    array = random_array(rng, dtype, shape, order, small)
    if rng.random() < 0.3 and dtype not in COMPLEXES:
        special = [np.nan] if name in NO_INFINITY else [np.nan, np.inf, -np.inf, -0.0]
        array = sprinkle(rng, array, choose(rng, special))
    options = random_options(rng, name, array.ndim)
    if array.size == 0 and name in ("quantile", "median"):
        return  # NumPy itself is of two minds there
    if name == "norm" and array.size == 0:
        options["ord"] = 2
    words = [f"{key}={text_of(value)}" for key, value in options.items()]
    named = store(rng, folder, array)
    print("hearth run", name, *named, *words, f"   # {dtype} {shape} {order}")
    expected = expectation(name, array, options)
    if expected is None:
        cluster.fail("run", name, *named, *words, status=1)
        return
    found = read_result(cluster.succeed("run", name, *named, *words)["result"])
    length = max(1, array.size // max(1, expected.size))
    # Between neighbours of 1e18, 1e-16 of them is 100: NumPy's own rounding.
    scale = 0
    if name in ("quantile", "median"):
        finite = array[np.isfinite(array)].astype(np.float64)
        scale = np.max(np.abs(finite), initial=0)
    assert_same(name, found, expected, scale=scale, length=length)
