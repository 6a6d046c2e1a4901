"""quantile, median, histogram and describe against NumPy, exactly.

Run by hand: /usr/bin/python3 tests/property/rounds_sweep.py DRIVER [OPERATION ...]
Prints each disagreement; its last line counts them.
"""
import itertools
import subprocess
import sys
import tempfile
import warnings

import numpy as np

warnings.simplefilter("ignore")
np.seterr(all="ignore")

DTYPES = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 "
          "float64").split()
SHAPES = [(1,), (7,), (1000,), (33, 5), (5, 33), (40, 128), (3, 1, 6), (4, 3, 5), (2, 3, 4, 5),
          (17, 300), (0,), (0, 3), (3, 0), (1500, 2), (700, 3), (2, 9000), (1, 2500), (2500, 1),
          (100, 70, 3), (60000,), (1200, 1100), (3000000,), (100, 100, 150), (2, 1100000),
          (1100000, 2)]
FIELDS = "count nans mean std min q25 q50 q75 max".split()


class Driver:
    def __init__(self, path, variant):
        self.process = subprocess.Popen([path, variant], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.file = tempfile.NamedTemporaryFile()

    def run(self, op, array, order, offset, parameters):
        self.file.seek(0)
        self.file.truncate()
        self.file.write(array.tobytes(order=order))
        self.file.flush()
        shape = ",".join(map(str, array.shape)) + ("," if array.ndim == 1 else "")
        words = [op, array.dtype.name, shape or "-", order, str(offset), self.file.name]
        words += [f"{k}={v}" for k, v in parameters.items()]
        self.process.stdin.write((" ".join(words) + "\n").encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode()
        if not line.startswith("ok"):
            return line.strip()
        results = {}
        for _ in range(int(line.split()[1])):
            name, dtype, shape, order, size = self.process.stdout.readline().decode().split()
            data = self.process.stdout.read(int(size))
            shape = () if shape == "-" else tuple(map(int, shape.split(",")))
            results[name] = np.frombuffer(data, dtype).reshape(shape, order=order)
        return results


def make(dtype, shape, rng, kind):
    d = np.dtype(dtype)
    if d.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if d.kind in "iu":
        info = np.iinfo(dtype)
        if kind == "wide":
            return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
        return rng.integers(max(info.min, -5), 5, shape).astype(dtype)
    x = np.asarray(rng.normal(size=shape))
    if kind == "wide":
        x = np.sign(x) * np.exp(10 * np.abs(x))
    if kind == "few":
        x = np.round(x)
    x = x.astype(dtype)
    if kind in ("nan", "inf") and x.size > 2:
        flat = x.reshape(-1)
        values = (np.inf, -np.inf, -0.0, 0.0) + ((np.nan, -np.nan) if kind == "nan" else ())
        for value in values:
            flat[rng.integers(0, flat.size, 1 + flat.size // 50)] = value
    return x


def quantile(x, q, axis, keepdims, method):
    """np.quantile's definition with lerp in float64, rounded once."""
    out = x.dtype if x.dtype.kind == "f" else np.dtype("f8")
    axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis) % x.ndim)
    kept = [a for a in range(x.ndim) if a not in axes]
    n = int(np.prod([x.shape[a] for a in axes]))
    if n == 0:
        if method != "median" and x.size == 0 and np.prod([x.shape[a] for a in kept]) != 0:
            return "error"
        s = None
    lanes = np.transpose(x, kept + list(axes)).reshape([x.shape[a] for a in kept] + [n])
    shape = [1 if a in axes else x.shape[a] for a in range(x.ndim)] if keepdims else lanes.shape[:-1]
    if n == 0:
        return np.full(shape, np.nan, out)
    s = np.sort(lanes, axis=-1)
    results = []
    for one in np.atleast_1d(q):
        at = (n - 1) * float(one)
        lo, hi = int(np.floor(at)), int(np.ceil(at))
        if method == "median":
            lo, hi, g = (n - 1) // 2, n // 2, 0.5
        elif method == "linear":
            g = at - np.floor(at)
        else:
            pick = {"lower": lo, "higher": hi, "nearest": int(np.rint(at)), "midpoint": None}[method]
            g = 0.0 if pick is not None or lo == hi else 0.5
            if pick is not None:
                lo = hi = pick
        a, b = s[..., lo], s[..., hi]
        diff = (b - a).astype("f8") if x.dtype.kind == "i" or x.dtype.kind == "u" else None
        if x.dtype.kind in "iu":
            diff = (b.astype("u8") - a.astype("u8")).astype("f8")
        a, b = a.astype("f8"), b.astype("f8")
        diff = b - a if diff is None else diff
        if method == "median":
            r = (a + b) / 2
        else:
            r = np.where(g >= 0.5, b - diff * (1 - g), a + diff * g)
            infinite = ~np.isfinite(diff)
            r = np.where(infinite & np.isinf(a) & ~np.isinf(b), a, r)
            r = np.where(infinite & np.isinf(b) & ~np.isinf(a), b, r)
            r = np.where((g == 0) | (a == b), a, r)
        if x.dtype.kind == "f":
            r = np.where(np.isnan(s[..., -1]), np.nan, r)
        results.append(r.reshape(shape).astype(out))
    return results[0] if np.ndim(q) == 0 else np.stack(results)


def check_quantile(driver, rng, op):
    for dtype, shape, order in itertools.product(DTYPES, SHAPES, "CF"):
        big = np.prod(shape) > 10**6
        kinds = ["few", "wide"] + (["nan", "inf", "plain"] if np.dtype(dtype).kind == "f" else [])
        for kind in kinds:
            x = make(dtype, shape, rng, kind)
            axes = [None] + list(range(-1, x.ndim))
            axes += [a for n in (2, 3) for a in itertools.combinations(range(x.ndim), n)]
            for axis in axes if not big else [axes[rng.integers(0, len(axes))]]:
                keepdims = bool(rng.integers(0, 2))
                method = str(rng.choice(["linear", "linear", "lower", "higher", "nearest",
                                         "midpoint"])) if op == "quantile" else "median"
                q = [0.5, [0.25, 0.5, 0.75], [1.0, 0.0], 0.1, [0.3], rng.random(9).tolist(),
                     float(rng.random())][rng.integers(0, 7)] if op == "quantile" else 0.5
                p = {"keepdims": str(keepdims).lower()}
                if axis is not None:
                    p["axis"] = ",".join(map(str, np.atleast_1d(axis)))
                if op == "quantile":
                    p.update(method=method,
                             q=repr(q) if np.ndim(q) == 0 else "[" + ",".join(map(repr, q)) + "]")
                want = quantile(x, q, axis, keepdims, method)
                got = driver().run(op, x, order, int(rng.integers(0, 2)) * 3, p)
                g = got if isinstance(got, str) else got["-"]
                ok = isinstance(g, str) == isinstance(want, str) and (
                    isinstance(g, str) or (g.dtype == want.dtype and g.shape == want.shape and
                                           np.array_equal(g, want, equal_nan=True)))
                yield ok, (op, dtype, shape, order, kind, p), g, want


def check_median(driver, rng):
    return check_quantile(driver, rng, "median")


def check_histogram(driver, rng):
    for dtype, shape, order in itertools.product(DTYPES, SHAPES, "CF"):
        kinds = ["few", "wide"] + (["nan", "plain"] if np.dtype(dtype).kind == "f" else [])
        for kind in kinds:
            x = make(dtype, shape, rng, kind)
            if dtype == "float16" and kind == "wide":
                x = np.where(np.isfinite(x), x, 0).astype(x.dtype)
            for ranged in (False, True):
                bins = int(rng.choice([1, 7, 10, 50, 1000]))
                p = {"bins": bins}
                rang = None
                if ranged:
                    rang = (-1.5, 2.25) if rng.integers(0, 2) else (1.0, 1.0)
                    p["range"] = f"{rang[0]},{rang[1]}"
                y = x.astype("u1") if x.dtype.kind == "b" else x
                try:
                    if x.dtype.kind == "f":
                        edges = np.histogram_bin_edges(y.astype("f8"), bins, rang).astype(x.dtype)
                    else:
                        edges = np.histogram_bin_edges(y, bins, rang)
                    try:
                        counts = np.histogram(y, bins, rang)[0] if x.dtype == "f8" or \
                            x.dtype.kind not in "f" else None
                    except IndexError:  # NumPy 1.24 loses its way among large integers
                        counts = np.histogram(y.astype("f8"), edges)[0]
                    want = edges, counts
                    if not np.all(edges[:-1] < edges[1:]):
                        want = "error"  # as NumPy 2: too many bins for the range
                except ValueError as error:
                    want = "error"
                got = driver().run("histogram", x, order, int(rng.integers(0, 2)) * 3, p)
                if isinstance(got, str) or isinstance(want, str):
                    yield isinstance(got, str) == isinstance(want, str), \
                        (dtype, shape, order, kind, p), got, want
                    continue
                ok = got["edges"].dtype == want[0].dtype and got["counts"].dtype == np.int64 and \
                    np.array_equal(got["edges"], want[0])
                if want[1] is not None:
                    ok = ok and np.array_equal(got["counts"], want[1])
                else:
                    e = got["edges"].astype("f8")
                    v = y.astype("f8").ravel()
                    v = v[(v >= e[0]) & (v <= e[-1])]
                    if np.all(np.diff(e) > 0):
                        ok = ok and np.array_equal(got["counts"], np.histogram(v, e)[0])
                yield ok, ("histogram", dtype, shape, order, kind, p), got, want


def check_describe(driver, rng):
    for dtype, shape, order in itertools.product(DTYPES, SHAPES, "CF"):
        kinds = ["few", "wide"] + (["nan", "plain"] if np.dtype(dtype).kind == "f" else [])
        for kind in kinds:
            x = make(dtype, shape, rng, kind)
            got = driver().run("describe", x, order, int(rng.integers(0, 2)) * 3, {})
            if x.ndim > 2:
                yield isinstance(got, str), ("describe", dtype, shape), got, "error"
                continue
            if x.ndim == 2 and x.shape[1] > 100 and not isinstance(got, str):
                some = np.sort(rng.choice(x.shape[1], 100, replace=False))
                got = {name: field[some] for name, field in got.items()}
                x = x[:, some]
            columns = x if x.ndim == 2 else x.reshape(-1, 1)
            v = columns.astype("f8")
            nan = np.isnan(v)
            count = (~nan).sum(0)
            wide = v.astype(np.longdouble)
            with np.errstate(all="ignore"):
                mean = np.nansum(wide, 0) / count
                var = np.nansum((wide - mean) ** 2, 0) / (count - 1)
                var = np.where(count > 1, var, np.nan)
                var = np.where(np.isinf(v).any(0), np.nan, var)
                want = {"count": count, "nans": nan.sum(0), "mean": mean.astype("f8"),
                        "std": np.sqrt(var).astype("f8")}
                empty = count == 0
                padded = np.where(nan, np.inf, v)
                for name, q in (("min", 0), ("q25", .25), ("q50", .5), ("q75", .75), ("max", 1)):
                    r = np.full(v.shape[1], np.nan)
                    for c in range(v.shape[1]):
                        if count[c]:
                            column = columns[~nan[:, c], c]
                            column = column.astype("f8") if x.dtype.kind == "f" else column
                            r[c] = quantile(column, q, None, False, "linear")
                    want[name] = r
            ok = not isinstance(got, str) and list(got) == FIELDS
            for name in FIELDS if ok else []:
                g, w = got[name], want[name]
                ok = ok and g.shape == w.shape and g.dtype == w.dtype
                if name in ("mean", "std") and ok:
                    scale = np.nanmax(np.abs(np.where(np.isfinite(v), v, 0)), 0) if v.size else 0
                    finite = np.isfinite(w)
                    ok = np.array_equal(g[~finite], w[~finite], equal_nan=True) and np.all(
                        np.abs(g[finite] - w[finite]) <=
                        5e-15 * np.abs(w[finite]) + 1e-16 * np.atleast_1d(scale + 0 * w)[finite])
                elif ok:
                    ok = np.array_equal(g, w, equal_nan=True)
                if not ok:
                    got, want = (name, g), w
                    break
            yield ok, ("describe", dtype, shape, order, kind), got, want


def main():
    path, *ops = sys.argv[1:]
    drivers = itertools.cycle([Driver(path, v) for v in ("baseline", "avx2", "avx512")])
    rng = np.random.default_rng(1)
    for op in ops or ["quantile", "median", "histogram", "describe"]:
        checks = {"quantile": lambda d, r: check_quantile(d, r, "quantile"),
                  "median": check_median, "histogram": check_histogram,
                  "describe": check_describe}[op]
        bad = total = 0
        for ok, case, got, want in checks(lambda: next(drivers), rng):
            total += 1
            if ok:
                continue
            bad += 1
            if bad <= 12:
                print(*case, flush=True)
                print("   got ", repr(got)[:300].replace("\n", " "))
                print("   want", repr(want)[:300].replace("\n", " "))
        print(f"{op}: {total} cases, {bad} disagree", flush=True)


main()
