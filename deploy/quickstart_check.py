"""NumPy's own `describe` and `mean axis=0`, a block at a time.

What Hearth answered is held against what NumPy computes from the same bytes,
in little memory whatever the matrix's size: counts, means, deviations, minima
and maxima of every column, quartiles of every column where the matrix is small
and of a few columns where it is not.
"""

import numpy as np

BLOCK_BYTES = 64 << 20
WHOLE_BYTES = 256 << 20  # quartiles of every column up to here
SAMPLED_COLUMNS = 8


def as_table(array):
    """Rows by columns, as a view: a 1-d array is one column, and the axes after
    the first of an N-d one are columns in the order they are stored."""
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    columns = int(np.prod(array.shape[1:], dtype=np.int64))
    return array.reshape((array.shape[0], columns), order=order)


def file_blocks(path):
    """(first column, block) of a .npy file: runs of rows, or of columns where
    the file is in Fortran order."""
    table = as_table(np.load(path, mmap_mode="r"))
    by_column = table.flags.f_contiguous and not table.flags.c_contiguous
    lines, length = table.shape[::-1] if by_column else table.shape
    step = max(1, BLOCK_BYTES // max(1, length * table.dtype.itemsize))
    for first in range(0, lines, step):
        # Mapped anew each time: pages of the last block don't add up.
        table = as_table(np.load(path, mmap_mode="r"))
        if by_column:
            yield first, np.asarray(table[:, first : first + step])
        else:
            yield 0, np.asarray(table[first : first + step])


class Reference:
    """Gathers blocks; then says what describe and mean axis=0 should be."""

    def __init__(self, shape, dtype):
        self.columns = int(np.prod(shape[1:], dtype=np.int64))
        self.dtype = np.dtype(dtype)
        size = shape[0] * self.columns * self.dtype.itemsize
        if size <= WHOLE_BYTES:
            self.sampled = np.arange(self.columns)
        else:
            self.sampled = np.unique(
                np.linspace(0, self.columns - 1, SAMPLED_COLUMNS).astype(int))
        self.count = np.zeros(self.columns, np.int64)
        self.nans = np.zeros(self.columns, np.int64)
        self.mean = np.zeros(self.columns)
        self.squares = np.zeros(self.columns)  # of the distances from the mean
        self.min = np.full(self.columns, np.inf)
        self.max = np.full(self.columns, -np.inf)
        self._kept = {int(column): [] for column in self.sampled}

    def add(self, first, block):
        for column in self._kept:
            if first <= column < first + block.shape[1]:
                self._kept[column].append(np.array(block[:, column - first], np.float64))
        here = slice(first, first + block.shape[1])
        values = np.asarray(block, np.float64)
        nan = np.isnan(values)
        nans = nan.sum(axis=0)
        count = values.shape[0] - nans
        full = count > 0
        low, high = values, values
        if nans.any():
            low, high = np.where(nan, np.inf, values), np.where(nan, -np.inf, values)
            values = np.where(nan, 0.0, values)
        mean = values.sum(axis=0) / np.maximum(count, 1)
        distance = values - mean
        distance[nan] = 0.0
        squares = np.einsum("ij,ij->j", distance, distance)
        if len(low):
            self.min[here] = np.fmin(self.min[here], low.min(axis=0))
            self.max[here] = np.fmax(self.max[here], high.max(axis=0))
        # Two groups' means and squares joined: Chan, Golub, LeVeque 1983.
        before = self.count[here].copy()
        together = np.maximum(before + count, 1)
        apart = np.where(full, mean - self.mean[here], 0.0)
        self.squares[here] += squares + apart**2 * before * count / together
        self.mean[here] += apart * count / together
        self.count[here] += count
        self.nans[here] += nans

    def describe(self):
        """Field -> (columns it is for, values)."""
        every = np.arange(self.columns)
        some = self.count > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            deviation = np.sqrt(self.squares / (self.count - 1.0))
        fields = {
            "count": (every, self.count),
            "nans": (every, self.nans),
            "mean": (every, np.where(some, self.mean, np.nan)),
            "std": (every, np.where(self.count > 1, deviation, np.nan)),
            "min": (every, np.where(some, self.min, np.nan)),
            "max": (every, np.where(some, self.max, np.nan)),
        }
        quartiles = []
        for column in self.sampled:
            values = np.concatenate(self._kept[int(column)] or [np.empty(0)])
            values = values[~np.isnan(values)]
            quartiles.append(np.quantile(values, [0.25, 0.5, 0.75]) if len(values)
                             else np.full(3, np.nan))
        for i, name in enumerate(("q25", "q50", "q75")):
            fields[name] = (self.sampled, np.array([q[i] for q in quartiles]))
        return fields

    def mean_axis_0(self):
        return np.where((self.nans > 0) | (self.count == 0), np.nan, self.mean)


def worst_difference(found, expected, scale):
    """The largest |found - expected| as a part of `scale`; NaN must meet NaN."""
    found = np.asarray(found, np.float64)
    expected = np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return np.inf
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    if same.all():
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        part = np.abs(found - expected) / np.maximum(scale, np.finfo(np.float64).tiny)
    part = np.where(same, 0.0, np.where(np.isnan(part), np.inf, part))
    return float(part.max())


def check(reference, described, mean):
    """The largest relative difference from NumPy in each of the two answers."""
    expected = reference.describe()
    span = np.maximum(np.abs(expected["min"][1]), np.abs(expected["max"][1]))
    span = np.where(np.isfinite(span), span, 1.0)
    worst = 0.0
    if described is not None:
        for name, (columns, values) in expected.items():
            exact = name in ("count", "nans", "min", "max")
            found = np.asarray(described[name]).reshape(-1)[columns]
            difference = worst_difference(found, values, span[columns])
            worst = max(worst, np.inf if exact and difference else difference)
    off = worst_difference(np.asarray(mean, np.float64).reshape(-1),
                           reference.mean_axis_0(), span)
    return worst, off
