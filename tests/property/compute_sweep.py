"""Operations against NumPy: every type, order, axis, alignment and emptiness.

Run by hand: /usr/bin/python3 tests/property/compute_sweep.py DRIVER [OPERATION ...]
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

DTYPES = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 "
          "complex64 complex128").split()
SHAPES = [(), (1,), (7,), (1000,), (33, 5), (5, 33), (40, 128), (3, 1, 6), (4, 3, 5), (2, 3, 4, 5),
          (17, 300), (0,), (0, 3), (3, 0), (2, 0, 3), (1500, 2), (700, 3), (2, 9000), (1, 2500),
          (2500, 1), (100, 70, 3), (60000,)]
NO_IDENTITY = {"min", "max", "argmin", "argmax", "nanmin", "nanmax", "nanargmin", "nanargmax"}
ONE_AXIS = {"argmin", "argmax", "nanargmin", "nanargmax"}


class Driver:
    def __init__(self, path, variant):
        self.process = subprocess.Popen([path, variant], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.file = tempfile.NamedTemporaryFile()

    def run(self, op, array, order, offset, **parameters):
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
        results = []
        for _ in range(int(line.split()[1])):
            _, dtype, shape, order, size = self.process.stdout.readline().decode().split()
            data = self.process.stdout.read(int(size))
            shape = () if shape == "-" else tuple(map(int, shape.split(",")))
            results.append(np.frombuffer(data, dtype).reshape(shape, order=order))
        return results[0]


def make(dtype, shape, rng, special):
    kind = np.dtype(dtype).kind
    if kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind in "iu":
        info = np.iinfo(dtype)
        if special:
            return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
        return rng.integers(max(info.min, -5), 5, shape).astype(dtype)
    x = rng.normal(size=shape) * (3 if special else 1)
    if kind == "c":
        x = x + 1j * rng.normal(size=shape)
    x = np.asarray(x).astype(dtype)
    if special and x.size > 2:
        flat = x.reshape(-1)
        for value in (np.nan, np.inf, -np.inf, -0.0):
            if rng.integers(0, 2):
                flat[rng.integers(0, flat.size)] = value
        if kind == "c" and rng.integers(0, 2):
            flat[rng.integers(0, flat.size)] = complex(1, np.nan)
    return x


def expected(op, x, axis, keepdims, parameters):
    kind = x.dtype.kind
    kw = {"axis": axis, "keepdims": keepdims}
    wide = x.astype({"f": np.longdouble, "c": np.clongdouble}[kind]) if kind in "fc" else x
    base = op[3:] if op.startswith("nan") else op
    if base in ("sum", "prod"):
        if "dtype" in parameters:
            d = np.dtype(parameters["dtype"])
            cast = x.astype(d)
            if d.kind in "fc":
                cast = cast.astype({"f": np.longdouble, "c": np.clongdouble}[d.kind])
                return np.asarray(getattr(np, op)(cast, **kw)).astype(d)
            return np.asarray(getattr(np, op)(cast, dtype=d, **kw))
        r = np.asarray(getattr(np, op)(wide, **kw))
        return r.astype(x.dtype) if kind in "fc" else r
    if base in ("mean", "var", "std"):
        if kind in "biu":
            wide = x.astype(np.longdouble)
        out = {"b": "f8", "i": "f8", "u": "f8"}.get(kind, x.dtype)
        if base != "mean":
            kw["ddof"] = parameters.get("ddof", 0)
            out = np.zeros(0, out).real.dtype
        return np.asarray(getattr(np, op)(wide, **kw)).astype(out)
    if op in ("any", "all"):
        return np.asarray(getattr(np, op)(x, **kw))
    if op == "norm":
        p = parameters.get("ord", 2)
        a = np.abs(wide if kind in "fc" else x.astype(np.longdouble))
        out = "f8" if kind in "biu" else np.zeros(0, x.dtype).real.dtype
        if p == 2:
            r = np.sqrt(np.sum(a * a, **kw))
        elif p == np.inf:
            r = np.max(a, **kw)
        elif p == -np.inf:
            r = np.min(a, **kw)
        elif p == 0:
            r = np.sum(a != 0, **kw)
        elif p == 1:
            r = np.sum(a, **kw)
        else:
            r = np.sum(a ** np.longdouble(p), **kw) ** (1 / np.longdouble(p))
        return np.asarray(r).astype(out)
    return np.asarray(getattr(np, op)(x, **kw))


def agree(op, got, want, x):
    if isinstance(got, str):
        return False
    if got.shape != want.shape or got.dtype != want.dtype:
        return False
    if got.dtype.kind not in "fc":
        return np.array_equal(got, want)
    if op in ("min", "max", "nanmin", "nanmax"):
        return np.array_equal(got, want, equal_nan=True)
    if got.dtype.kind == "c":
        # An infinity in one part makes NaN of the other in a product: only finite ones compare.
        pairs = [(got.real, want.real), (got.imag, want.imag)]
    else:
        pairs = [(got, want)]
    eps = np.finfo(got.dtype).eps
    for g, w in pairs:
        # NumPy's own products overflow on the way, and then become NaN.
        finite = np.isfinite(want) if "prod" in op else np.isfinite(w)
        if "prod" not in op and not np.array_equal(g[~finite], w[~finite], equal_nan=True):
            return False
        # Against the sum of magnitudes, as cancellation leaves less.
        size = np.abs(want if "prod" in op else w)[finite]  # a complex product as a whole
        scale = np.maximum(size, 1e-12 * max(1, x.size) if eps < 1e-9 else 1e-3)
        # Squared deviations are summed without compensation; products round at each step.
        ulps = 16 if op[-3:] in ("var", "std") else 4 * x.size if "prod" in op else 4
        tolerance = ulps * eps * scale
        if not np.all(np.abs(g[finite] - w[finite]) <= tolerance):
            return False
    return True


def cases(op):
    if op in ("sum", "prod"):
        return [{}, {"dtype": "float64"}, {"dtype": "int32"}, {"dtype": "float32"},
                {"dtype": "complex128"}]
    if op in ("var", "std", "nanvar", "nanstd"):
        return [{}, {"ddof": 1}]
    if op == "norm":
        return [{"ord": p} for p in (2, 1, np.inf, -np.inf, 0, 3, 0.5)]
    return [{}]


def main():
    path, *ops = sys.argv[1:]
    drivers = itertools.cycle([Driver(path, v) for v in ("baseline", "avx2", "avx512")])
    rng = np.random.default_rng(1)
    bad = total = 0
    shown = {}
    for op in ops:
        for dtype, shape, order, special in itertools.product(DTYPES, SHAPES, "CF", (0, 1)):
            if special and dtype in ("int64", "uint64") and op[-3:] in ("var", "std"):
                continue  # large integers lose digits to float64, in NumPy too
            x = make(dtype, shape, rng, special)
            axes = [None] + list(range(-1, x.ndim))
            if op not in ONE_AXIS:
                axes += [a for n in (2, 3) for a in itertools.combinations(range(x.ndim), n)]
            for axis, parameters in itertools.product(axes, cases(op)):
                if x.ndim == 0 and axis is not None:
                    continue
                if parameters.get("dtype") and x.dtype.kind == "c" and \
                        np.dtype(parameters["dtype"]).kind != "c":
                    continue
                if parameters.get("dtype") == "int32" and x.dtype.kind == "f" and special:
                    continue
                keepdims = bool(rng.integers(0, 2))
                try:
                    want = expected(op, x, axis, keepdims, parameters)
                except (ValueError, TypeError) as error:
                    want = str(error)
                typed = dict(parameters, keepdims=str(keepdims).lower())
                if axis is not None:
                    typed["axis"] = ",".join(map(str, np.atleast_1d(axis)))
                got = next(drivers).run(op, x, order, int(rng.integers(0, 2)) * 3, **typed)
                total += 1
                if isinstance(want, str) if isinstance(got, str) else \
                        not isinstance(want, str) and agree(op, got, want, x):
                    continue
                bad += 1
                shown[op, dtype] = shown.get((op, dtype), 0) + 1
                if shown[op, dtype] <= 3:
                    print(op, dtype, shape, order, typed, "special" if special else "")
                    print("   got ", repr(got)[:300].replace("\n", " "))
                    print("   want", repr(want)[:300].replace("\n", " "))
    print(shown)
    print(f"{total} cases, {bad} disagree")


main()
