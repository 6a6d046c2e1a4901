"""Every operation on every element type and order, against NumPy."""

import warnings

import numpy as np
import pytest

from arrays import COMPLEXES, DTYPES, FLOATS, REALS, random_array, read_result
from cases import REDUCTIONS, check_case
from reference import assert_same, describe, wide


@pytest.fixture(scope="session")
def built(cluster):
    return {operation["name"] for operation in cluster.succeed("operations")["operations"]}


def skip_unless_built(name, built, cluster):
    if name not in built:
        assert name in cluster.fail("run", name, "a.npy", status=2), "it is refused by name"
        pytest.skip(f"{name} is not built yet")


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(cluster, built, tmp_path, rng, name, order):
    skip_unless_built(name, built, cluster)
    for dtype in REDUCTIONS[name][0]:
        check_case(cluster, rng, tmp_path, name, dtype, (13, 7, 3), order)


def save(tmp_path, rng, array, name="a"):
    path = tmp_path / f"{name}.npy"
    if rng.random() < 0.3:
        array = array.astype(array.dtype.newbyteorder(">"))
    np.save(path, array)
    return path


def compute(cluster, *arguments):
    return read_result(cluster.succeed("run", *arguments)["result"])


def assert_product(found, expected, left, right):
    """Within what float64 (or the type, where BLAS computes in it) can know."""
    assert found.shape == expected.shape and found.dtype == expected.dtype, (
        found.dtype, expected.dtype, found.shape, expected.shape)
    if found.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, expected)
        return
    eps = np.finfo(found.real.dtype).eps
    bound = 4 * eps * (np.abs(wide(left)) @ np.abs(wide(right))) + np.finfo(np.float64).tiny
    with np.errstate(all="ignore"):
        close = np.abs(wide(found) - wide(expected)) <= bound * np.sqrt(left.shape[-1])
    assert np.all(close | (found == expected)), (found, expected)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", DTYPES)
def test_matvec_and_rmatvec(cluster, built, tmp_path, rng, dtype, order):
    skip_unless_built("matvec", built, cluster)
    array = random_array(rng, dtype, (57, 23), order, small=True)
    path = save(tmp_path, rng, array)
    for v_dtype in (dtype, "float32", "float64"):
        for name, length in (("matvec", 23), ("rmatvec", 57)):
            v = random_array(rng, v_dtype, (length,), small=True)
            found = compute(cluster, name, path, f"v={save(tmp_path, rng, v, 'v')}")
            left = array if name == "matvec" else array.T
            type_ = np.matmul(left[:1], v[:left.shape[1]]).dtype
            if type_.kind in "fc":
                assert_product(found, (wide(left) @ wide(v)).astype(type_), left, v)
            else:
                assert_product(found, left @ v, left, v)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul(cluster, built, tmp_path, rng, dtype, order):
    skip_unless_built("matmul", built, cluster)
    for rows, inner, columns in ((57, 23, 9), (1, 23, 1), (57, 1, 4), (0, 5, 3), (5, 0, 3), (5, 3, 0)):
        array = random_array(rng, dtype, (rows, inner), order, small=True)
        path = save(tmp_path, rng, array)
        for b_dtype in (dtype, "float32", "float64"):
            b = random_array(rng, b_dtype, (inner, columns), "CF"[rng.integers(2)], small=True)
            found = compute(cluster, "matmul", path, f"b={save(tmp_path, rng, b, 'b')}")
            type_ = np.matmul(np.ones((1, 1), dtype), np.ones((1, 1), b_dtype)).dtype
            if type_.kind in "fc":
                assert_product(found, (wide(array) @ wide(b)).astype(type_), array, b)
            else:
                assert_product(found, array @ b, array, b)


def test_matmul_of_a_vector_is_matvec(cluster, built, tmp_path, rng):
    skip_unless_built("matmul", built, cluster)
    for order in "CF":
        path = save(tmp_path, rng, random_array(rng, "float64", (40, 6), order))
        v = save(tmp_path, rng, random_array(rng, "float32", (6,)), "v")
        found = compute(cluster, "matmul", path, f"b={v}")
        assert found.shape == (40,)
        assert found.tobytes() == compute(cluster, "matvec", path, f"v={v}").tobytes()


def covariances(array, ddof, name):
    """As np.cov and np.corrcoef, in long double, and about the first row: it is near the mean."""
    array = wide(array.astype(array.dtype.newbyteorder("=")))
    array = array - array[:1]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        apart = array - array.mean(axis=0)
        found = apart.T @ apart.conj() / np.maximum(np.longdouble(len(array) - ddof), 0)
        if name == "corrcoef":
            one = np.sqrt(np.diag(found).real)
            found = found / one[:, None] / one[None, :]
    return found


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["cov", "corrcoef"])
def test_cov_and_corrcoef(cluster, built, tmp_path, rng, dtype, order, name):
    skip_unless_built(name, built, cluster)
    for shape, ddof in (((301, 17), 1), ((301, 17), 0), ((2, 3), 1), ((1, 3), 1), ((1, 3), 0),
                        ((40, 1), 1), ((0, 3), 1), ((3, 0), 1)):
        array = random_array(rng, dtype, shape, order, small=True)
        found = compute(cluster, name, save(tmp_path, rng, array), f"ddof={ddof}")
        assert found.dtype == (np.complex128 if dtype in COMPLEXES else np.float64)
        assert found.dtype == np.cov(np.ones((2, 2), dtype), rowvar=False).dtype
        expected = covariances(array, ddof, name)
        np.testing.assert_allclose(found, expected.astype(found.dtype), rtol=1e-13, atol=1e-13)
        np.testing.assert_array_equal(found, found.T.conj())


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("mean", [0, 1e4, 1e8, 1e12])
def test_cov_of_columns_that_are_far_from_0(cluster, built, tmp_path, rng, order, mean):
    skip_unless_built("cov", built, cluster)
    array = np.asarray(rng.standard_normal((60_000, 6)) + rng.standard_normal((60_000, 1)) + mean,
                       order=order)
    path = save(tmp_path, rng, array)
    expected = covariances(array, 1, "cov")
    found = compute(cluster, "cov", path)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    error = np.max(np.abs(found - expected) / scale)
    theirs = np.max(np.abs(np.cov(array, rowvar=False) - expected) / scale)
    print(f"\ncov of 1 beside {mean:g}, {order}: error {float(error):.2g}, NumPy {float(theirs):.2g}")
    assert error <= 1e-14  # deviations are exact to 2^-53 of themselves, whatever the mean


def test_cov_of_nan_and_infinity_is_nan_in_that_row_and_column(cluster, built, tmp_path, rng):
    skip_unless_built("cov", built, cluster)
    for odd in (np.nan, np.inf):
        array = rng.standard_normal((50, 4))
        array[7, 2] = odd
        path = save(tmp_path, rng, array)
        for name, theirs in (("cov", np.cov), ("corrcoef", np.corrcoef)):
            with np.errstate(all="ignore"):
                expected = theirs(array, rowvar=False)
            np.testing.assert_allclose(compute(cluster, name, path), expected, rtol=1e-12)


def test_corrcoef_of_a_column_that_does_not_vary_is_nan(cluster, built, tmp_path):
    skip_unless_built("corrcoef", built, cluster)
    path = tmp_path / "a.npy"
    np.save(path, np.array([[1.0, 2.0, 0.1], [2.0, 4.0, 0.1], [5.0, 10.0, 0.1]]))
    np.testing.assert_allclose(compute(cluster, "corrcoef", path),
                               [[1, 1, np.nan], [1, 1, np.nan], [np.nan] * 3])


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", REALS)
def test_gram(cluster, built, tmp_path, rng, dtype, order):
    skip_unless_built("gram", built, cluster)
    array = random_array(rng, dtype, (301, 17), order, small=True)
    found = compute(cluster, "gram", save(tmp_path, rng, array))
    type_ = array.dtype if dtype in FLOATS else np.dtype(np.float64)
    expected = (wide(array).T @ wide(array)).astype(type_)
    assert_product(found, expected, array.T, array)
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", REALS)
def test_histogram(cluster, built, tmp_path, rng, dtype, order):
    skip_unless_built("histogram", built, cluster)
    array = random_array(rng, dtype, (400, 5), order, small=True)
    path = save(tmp_path, rng, array)
    for words, options in (([], {}), (["bins=7"], {"bins": 7}),
                           (["bins=4", "range=-1,2.5"], {"bins": 4, "range": (-1, 2.5)})):
        found = compute(cluster, "histogram", path, *words)
        values = array.astype(np.float64)
        counts, edges = np.histogram(values, **options)
        np.testing.assert_allclose(found["edges"].astype(np.float64), edges, rtol=1e-3 if
                                   dtype == "float16" else 1e-6, atol=1e-12)
        assert found["counts"].dtype == np.int64 and found["counts"].shape == counts.shape
        if dtype not in ("float16", "float32"):  # whose edges may round to another bin
            np.testing.assert_array_equal(found["counts"], counts)
        else:
            assert np.abs(found["counts"] - counts).max() <= 3
            assert found["counts"].sum() == counts.sum()


def test_histogram_of_nan_needs_a_range(cluster, built, tmp_path):
    skip_unless_built("histogram", built, cluster)
    path = tmp_path / "a.npy"
    np.save(path, np.array([1.0, np.nan, 3.0]))
    cluster.fail("run", "histogram", path, status=1)
    found = compute(cluster, "histogram", path, "range=0,4", "bins=2")
    np.testing.assert_array_equal(found["counts"], [1, 1])


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", REALS)
def test_describe(cluster, built, tmp_path, rng, dtype, order):
    skip_unless_built("describe", built, cluster)
    for shape in ((200, 9), (150,), (1, 4)):
        array = random_array(rng, dtype, shape, order)
        if dtype in FLOATS and shape[0] > 1:
            array[3] = np.nan
        found = compute(cluster, "describe", save(tmp_path, rng, array))
        expected = describe(array)
        assert list(found) == ["count", "nans", "mean", "std", "min", "q25", "q50", "q75", "max"]
        scale = np.abs(array.astype(np.float64))
        scale = float(np.nanmax(scale)) * 1e-14
        for field, values in expected.items():
            assert found[field].dtype == values.dtype, field
            np.testing.assert_allclose(found[field], values, rtol=1e-12, atol=scale, err_msg=field)


@pytest.mark.parametrize("name", ["min", "max", "argmin", "argmax"])
def test_nothing_has_no_extreme(cluster, tmp_path, name):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((0, 3)))
    cluster.fail("run", name, path, status=1)
    cluster.fail("run", name, path, "axis=0", status=1)
    assert compute(cluster, name, path, "axis=1").shape == (0,)


@pytest.mark.parametrize("name", ["quantile", "median"])
@pytest.mark.parametrize("dtype", COMPLEXES)
def test_complex_has_no_quantile(cluster, tmp_path, name, dtype):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(3, dtype))
    cluster.fail("run", name, path, status=1)


def test_argmin_counts_in_c_order_whatever_the_file(cluster, tmp_path):
    path = tmp_path / "a.npy"
    array = np.asfortranarray(np.array([[5, 1, 9], [1, 7, 1]]))
    np.save(path, array)
    assert compute(cluster, "argmin", path) == 1
    assert compute(cluster, "argmax", path) == 2
    np.save(path, np.array([2.0, np.nan, 1.0, np.nan]))
    assert compute(cluster, "argmin", path) == compute(cluster, "argmax", path) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_sum_takes_a_type(cluster, tmp_path, rng, dtype):
    array = random_array(rng, "int16", (90, 4))
    found = compute(cluster, "sum", save(tmp_path, rng, array), "axis=0", f"dtype={dtype}")
    np.testing.assert_array_equal(found, array.sum(axis=0, dtype=np.int64).astype(dtype))
    assert found.dtype == dtype


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("to", ["int64", "uint64", "int8", "float32", "complex64"])
def test_what_is_left_out_is_so_before_it_is_converted(cluster, tmp_path, rng, dtype, to):
    """NaN became the least int64, which was added up."""
    array = rng.integers(1, 4, (9, 5)).astype(dtype)
    array[2:4, 1:] = np.nan
    path = save(tmp_path, rng, array)
    for name, theirs in (("nansum", np.nansum), ("nanprod", np.nanprod)):
        found = compute(cluster, name, path, "axis=0", f"dtype={to}")
        assert found.dtype == to
        np.testing.assert_array_equal(found, theirs(array, axis=0, dtype=to))


def test_integers_wrap_as_numpy_s_do(cluster, tmp_path):
    path = tmp_path / "a.npy"
    array = np.full(3, np.iinfo(np.int64).max)
    np.save(path, array)
    with np.errstate(all="ignore"):
        assert compute(cluster, "sum", path) == array.sum()
        assert compute(cluster, "prod", path) == array.prod()


def test_float16_does_not_overflow_inside(cluster, tmp_path):
    path = tmp_path / "a.npy"
    array = np.array([60000, -60000] * 500, np.float16)
    np.save(path, array)
    assert compute(cluster, "std", path) == np.float16(60000)
    assert compute(cluster, "mean", path) == 0


def test_a_sum_is_as_true_as_float64_can_be(cluster, tmp_path, rng):
    """Adversarial: most of it cancels. |error| <= 1 ulp + n u^2 sum |x|."""
    import math
    half = rng.standard_normal(300_000) * 10.0 ** rng.integers(-10, 10, 300_000)
    array = np.concatenate([half, -half, rng.standard_normal(1000)])
    rng.shuffle(array)
    path = tmp_path / "a.npy"
    np.save(path, array)
    exact = math.fsum(array)
    bound = math.ulp(exact) + len(array) * 2.0**-106 * math.fsum(np.abs(array))
    found = float(compute(cluster, "sum", path))
    assert abs(found - exact) <= bound, (
        f"off by {abs(found - exact):.3g}, allowed {bound:.3g}; NumPy's {abs(array.sum() - exact):.3g}")


# Squares beyond float64 gave NaN: inf - inf, and what an infinite sum leaves over in rounding.
@pytest.mark.parametrize("name", ["var", "std", "nanvar", "nanstd"])
def test_what_leaves_float64_is_infinite(cluster, tmp_path, name):
    big = np.tile([1e200, -1e200, 2e200], 100_000)
    for array in (np.array([1.79e308, -0.04, 0.96]), big, big.astype(complex)):
        np.save(tmp_path / "a.npy", array)
        assert cluster.succeed("run", name, tmp_path / "a.npy")["result"]["values"] == "inf"
    np.save(tmp_path / "a.npy", np.stack([big, np.arange(300_000.0)], axis=1))
    both = cluster.succeed("run", name, tmp_path / "a.npy", "axis=0")["result"]["values"]
    assert both[0] == "inf" and np.isclose(both[1], getattr(np, name)(np.arange(300_000.0)))
    np.save(tmp_path / "a.npy", np.array([np.inf, 1.0]))
    assert cluster.succeed("run", name, tmp_path / "a.npy")["result"]["values"] == "nan"


@pytest.mark.parametrize("name", ["var", "std", "nanvar", "nanstd"])
@pytest.mark.parametrize("array", [np.arange(3), np.array([True, False]), np.ones(2, "u1"), np.arange(3.0)],
                         ids=lambda array: array.dtype.name)
def test_no_degree_of_freedom_is_left(cluster, tmp_path, name, array):
    np.save(tmp_path / "a.npy", array)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = getattr(np, name)(array, ddof=5)
    found = cluster.succeed("run", name, tmp_path / "a.npy", "ddof=5")["result"]["values"]
    assert found == str(expected)


@pytest.mark.parametrize("method", [
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
    "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher",
    "midpoint", "nearest"])
def test_quantiles_by_every_method_of_numpy_s(cluster, tmp_path, rng, method):
    for length in (1, 2, 3, 10, 11):
        array = rng.standard_normal((length, 2))
        np.save(tmp_path / "a.npy", array)
        q = [0, 1, 1 / 3, float(rng.random()), *(k / length for k in range(length + 1)),
             *((k + 0.5) / length for k in range(length))]
        found = cluster.succeed("run", "quantile", tmp_path / "a.npy", "axis=0", f"method={method}",
                                "q=" + ",".join(map(repr, q)))["result"]["values"]
        np.testing.assert_allclose(found, np.quantile(array, q, axis=0, method=method), rtol=4e-16, atol=4e-16)


@pytest.mark.parametrize("order", [0.5, 1.5, 2.5, 2.7, 5, 7.5, 8, -1, -0.5])
def test_norms_of_any_order(cluster, tmp_path, rng, order):
    array = rng.standard_normal(1000)
    np.save(tmp_path / "a.npy", array)
    found = cluster.succeed("run", "norm", tmp_path / "a.npy", f"ord={order}")["result"]["values"]
    powers = np.abs(array.astype(np.longdouble)) ** np.longdouble(order)
    assert found == pytest.approx(float(powers.sum() ** (1 / np.longdouble(order))), rel=4e-16)


def test_the_greatest_magnitude_of_nothing_is_0(cluster, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((0, 3)))
    assert cluster.succeed("run", "norm", tmp_path / "a.npy", "ord=inf", "axis=0")["result"]["values"] == [0.0] * 3
    assert "empty" in cluster.fail("run", "norm", tmp_path / "a.npy", "ord=-inf")


# NumPy's are the processor's conversions, and NaN and what does not fit give its least number.
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16"])
def test_sums_in_a_type_that_the_numbers_do_not_fit(cluster, tmp_path, dtype):
    for value in (3e9, -2147483648.5, -2147483649.0, 2147483647.5, 1e300, np.nan, -np.inf, 5.7, -5.7):
        array = np.array([value])
        np.save(tmp_path / "a.npy", array)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = int(array.sum(dtype=dtype))
        found = cluster.succeed("run", "sum", tmp_path / "a.npy", f"dtype={dtype}")["result"]["values"]
        assert found == expected, value


def test_the_first_of_equals_in_fortran_order(cluster, tmp_path, rng):
    array = np.asfortranarray(rng.integers(0, 2, (300, 70, 3)).astype(np.int16))
    array[0, :40] = 1
    np.save(tmp_path / "a.npy", array)
    for name in ("argmin", "argmax"):
        found = cluster.succeed("run", name, tmp_path / "a.npy")["result"]["values"]
        assert found == getattr(array, name)()
