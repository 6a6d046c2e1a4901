"""Sums of what rounding punishes, against exact arithmetic; NumPy's error beside.

Design: |error| <= 1 ulp of the result + n * u^2 * sum|x|, u = 2^-53. The table of
errors, in ulps of the exact result:

    pytest -c tests/pytest.ini -s tests/contract/test_error_bound.py
"""

import fractions
import math

import numpy as np
import pytest

COUNT = 200_000
COLUMNS = 8


def cancelling_pairs(rng):
    """Each term beside nearly its opposite, shuffled."""
    half = np.ldexp(rng.uniform(-1, 1, COUNT // 2), rng.integers(-40, 40, COUNT // 2))
    near = -half * (1 + rng.uniform(-1e-12, 1e-12, COUNT // 2))
    return rng.permutation(np.concatenate([half, near]))


def ones_between_giants(rng):
    """1e16 swallows a one; the giants cancel, the ones are the answer."""
    values = np.ones(COUNT)
    giants = rng.permutation(COUNT)[:COUNT // 2]
    values[giants] = 1e16 * np.where(np.arange(COUNT // 2) % 2 == 0, 1, -1)
    return values


def growing(rng):
    """Sixty decades, the small ones first."""
    return np.sort(10.0 ** rng.uniform(-30, 30, COUNT))


def tenths(_):
    """The same rounding error two hundred thousand times."""
    return np.full(COUNT, 0.1)


def beyond_the_largest(_):
    """Rows and columns overflow on the way to their sums, which are small."""
    half = np.repeat([1.0, -1.0], COLUMNS // 2) * 1.5e308
    array = np.repeat([1.0, -1.0], COUNT // COLUMNS // 2)[:, None] * half
    array[[0, -1]] = 1.0
    return array.ravel()


CASES = [cancelling_pairs, ones_between_giants, growing, tenths, beyond_the_largest]


def exact(values):
    """The sum as a fraction: whole numbers of 2^-1126, added exponent by exponent."""
    mantissas, exponents = np.frexp(values)
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    total = 0
    for exponent in np.unique(exponents):
        part = whole[exponents == exponent]
        high, low = part >> 26, part & (2**26 - 1)  # neither sum can overflow
        total += ((int(high.sum()) << 26) + int(low.sum())) << (int(exponent) + 1073)
    return fractions.Fraction(total, 1 << 1126)


def ulps(found, expected):
    """The distance from the exact value, in units of its last place."""
    if not np.isfinite(found):
        return math.inf
    unit = fractions.Fraction(math.ulp(float(expected)))
    return float(abs(fractions.Fraction(float(found)) - expected) / unit)


def check(found, values, expected, divisor=1):
    bound = (fractions.Fraction(math.ulp(float(expected)))
             + values.size * fractions.Fraction(2) ** -106 * exact(np.abs(values)) / divisor)
    assert np.isfinite(found)
    assert abs(fractions.Fraction(float(found)) - expected) <= bound


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_sum_and_mean(cluster, tmp_path, case, order):
    values = case(np.random.default_rng(11))
    array = np.asarray(values.reshape(-1, COLUMNS), order=order)
    path = tmp_path / "a.npy"
    np.save(path, array)

    def run(*words):
        out = tmp_path / "out.npy"
        cluster.succeed("run", words[0], path, *words[1:], "-o", out)
        return np.load(out)

    lines = []

    def compare(what, found, peer, parts, divisor=1):
        worst, worst_peer = 0.0, 0.0
        for one, other, part in zip(np.ravel(found), np.ravel(peer), parts, strict=True):
            expected = exact(part) / divisor
            check(one, part, expected, divisor)
            worst = max(worst, ulps(one, expected))
            worst_peer = max(worst_peer, ulps(other, expected))
        lines.append(f"{case.__name__:20} {order} {what:12} hearth {worst:8.3g} ulp, "
                     f"NumPy {worst_peer:8.3g} ulp")

    with np.errstate(over="ignore", invalid="ignore"):
        compare("sum", run("sum"), array.sum(), [array.ravel()])
        compare("sum axis=0", run("sum", "axis=0"), array.sum(axis=0), list(array.T))
        rows = array[:2000]
        compare("sum axis=1", run("sum", "axis=1")[:2000], rows.sum(axis=1), list(rows))
        compare("mean", run("mean"), array.mean(), [array.ravel()], COUNT)
        compare("mean axis=0", run("mean", "axis=0"), array.mean(axis=0), list(array.T),
                COUNT // COLUMNS)
    print("\n" + "\n".join(lines))
