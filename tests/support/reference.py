"""What each operation must give: NumPy's result type, and values from float64 or better."""

import math
import warnings

import numpy as np


def wide(array):
    """The same values where sums lose next to nothing."""
    if array.dtype.kind == "c":
        return array.astype(np.clongdouble)
    return array.astype(np.longdouble)


def result_type(name, array, options):
    """NumPy 2's own answer, asked with one element of the type."""
    one = np.ones(1, array.dtype.newbyteorder("="))
    kind = one.dtype.kind
    plain = name.removeprefix("nan")
    if "dtype" in options:
        return np.dtype(options["dtype"])
    if plain in ("sum", "prod"):
        return np.sum(one).dtype
    if plain == "mean":
        return np.mean(one).dtype
    if plain in ("var", "std"):
        return np.var(one).dtype
    if plain in ("min", "max"):
        return one.dtype
    if plain in ("argmin", "argmax") or name == "count_nonzero":
        return np.dtype(np.int64)
    if name in ("any", "all"):
        return np.dtype(bool)
    if name == "norm":
        return np.dtype(np.float64) if kind in "biu" else one.real.dtype
    if name in ("quantile", "median"):
        return np.dtype(np.float64) if kind in "biu" else one.dtype
    raise KeyError(name)


def axes_of(options):
    axis = options.get("axis")
    return tuple(axis) if isinstance(axis, list) else axis


def reduce(name, array, options):
    """The expected array of any operation that takes an axis."""
    array = array.astype(array.dtype.newbyteorder("="))
    dtype = result_type(name, array, options)
    axis, keepdims = axes_of(options), options.get("keepdims", False)
    plain = name.removeprefix("nan")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if plain in ("sum", "prod") and dtype.kind in "biu":
            value = getattr(np, plain)(array, axis=axis, keepdims=keepdims, dtype=dtype)
        elif plain in ("sum", "mean"):
            value = exact_sum_or_mean(name, array, axis, keepdims)
        elif plain == "prod":
            value = getattr(np, name)(wide(array), axis=axis, keepdims=keepdims)
        elif plain in ("var", "std"):
            # NumPy's own first step for integers, which loses digits of large ones.
            floats = array.astype(np.float64) if array.dtype.kind in "iu" else array
            value = getattr(np, name)(wide(floats), axis=axis, keepdims=keepdims,
                                      ddof=options.get("ddof", 0))
        elif name == "norm":
            value = norm(array, axis, keepdims, options.get("ord", 2))
        elif name in ("quantile", "median"):
            value = quantile(array, axis, keepdims, options.get("q", 0.5))
        else:
            value = getattr(np, name)(array, axis=axis, keepdims=keepdims)
        return np.asarray(value).astype(dtype)


def norm(array, axis, keepdims, order):
    if axis is None:
        flat = np.linalg.norm(wide_for_norm(array).reshape(-1), ord=order)
        return np.reshape(flat, (1,) * array.ndim) if keepdims else flat
    return np.linalg.norm(wide_for_norm(array), ord=order, axis=axis, keepdims=keepdims)


def wide_for_norm(array):
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def quantile(array, axis, keepdims, q):
    return np.quantile(wide(array), q, axis=axis, keepdims=keepdims)


def sum_of(line):
    """Integers as integers; floats rounded once."""
    if line.dtype == object:
        return sum(line.tolist())
    return math.fsum(line) if np.isfinite(line).all() else np.sum(line)


def exact_sum_or_mean(name, array, axis, keepdims):
    """Rounded once; as NumPy where an infinity leaves nothing to round."""
    if array.dtype.kind == "c":
        parts = [exact_sum_or_mean(name, part, axis, keepdims) for part in (array.real, array.imag)]
        if name.startswith("nan"):  # a NaN in one part leaves the whole element out
            kept = np.where(np.isnan(array), np.nan, array)
            parts = [exact_sum_or_mean(name, part, axis, keepdims) for part in (kept.real, kept.imag)]
        return parts[0] + 1j * parts[1]
    exact_type = array.dtype.kind == "f"
    whole = array.astype(np.int64) if array.dtype.kind == "b" else array
    values = array.astype(np.float64) if exact_type else whole.astype(object)
    taken = ~np.isnan(array) if name.startswith("nan") and exact_type else np.ones(array.shape, bool)
    total = np.empty(array.shape).sum(axis=axis, keepdims=True)  # for its shape
    axes = range(array.ndim) if axis is None else [
        one % array.ndim for one in ([axis] if isinstance(axis, int) else axis)]
    moved = np.moveaxis(np.where(taken, values, 0), list(axes), range(-len(axes), 0))
    lines = moved.reshape(total.size, array.size // max(1, total.size))
    sums = [sum_of(line) for line in lines]
    if name.endswith("mean"):
        counts = taken.sum(axis=axis, keepdims=True).reshape(-1)
        sums = [float(one) / count if exact_type or not count else one / int(count)
                for one, count in zip(sums, counts)]
    exact = np.array(sums, np.float64).reshape(total.shape)
    return exact if keepdims else np.squeeze(exact, axis=tuple(axes))


def describe(array):
    columns = array.reshape(-1, 1) if array.ndim == 1 else array
    values = columns.astype(np.float64)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        fields = {
            "count": (~np.isnan(values)).sum(axis=0).astype(np.int64),
            "nans": np.isnan(values).sum(axis=0).astype(np.int64),
            "mean": np.nanmean(values.astype(np.longdouble), axis=0),
            "std": np.nanstd(values.astype(np.longdouble), axis=0, ddof=1),
            "min": np.nanmin(values, axis=0),
            "max": np.nanmax(values, axis=0),
        }
        for name, q in (("q25", 0.25), ("q50", 0.5), ("q75", 0.75)):
            fields[name] = np.nanquantile(values, q, axis=0)
    return {name: value if name in ("count", "nans") else value.astype(np.float64)
            for name, value in fields.items()}


def tolerance(name, dtype, length):
    """How far a right answer may lie off, as a part of it."""
    eps = np.finfo(dtype).eps
    plain = name.removeprefix("nan")
    if plain == "prod":
        return max(2 * eps, 4e-16 * length)
    if name == "norm":
        return max(2 * eps, 1e-13)
    if plain in ("var", "std"):
        return max(eps, 1e-12)
    if name in ("quantile", "median"):
        return 2 * eps
    return max(2 * eps, 4e-15)


def assert_same(name, found, expected, scale=0, length=1):
    """Exact for what is exact, within the tolerance for what was rounded."""
    assert found.dtype == expected.dtype, (name, found.dtype, expected.dtype)
    assert found.shape == expected.shape, (name, found.shape, expected.shape)
    exact = {"min", "max", "nanmin", "nanmax"}
    if found.dtype.kind not in "fc" or name in exact:
        np.testing.assert_array_equal(found, expected, err_msg=name)
        return
    part = tolerance(name, found.real.dtype, length)
    with np.errstate(all="ignore"):
        allowed = part * np.maximum(np.abs(expected), scale)
        allowed = np.maximum(allowed, 2 * np.abs(np.spacing(np.abs(expected))))
        close = np.abs(found - expected) <= allowed
    if name.endswith("prod"):  # beyond what even long doubles hold: inf * 0j is NaN there
        close |= np.isnan(expected) & ~np.isfinite(found)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected)) | close
    assert np.all(same), f"{name}: {found[~same][:5]} is not {expected[~same][:5]}"
