"""Drop-ins for the numpy-sharedmem and sharedmem packages.

    from hearth import sharedmem
    a = sharedmem.empty((1000, 1000), dtype="f8")   # every process writes its part

Unlike there, nothing is left behind in /dev/shm, sizes pass 4 GiB, and arrays go
through every queue and pool under every start method.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import sharing
from .array import Array, segment_of


def empty(shape: int | tuple[int, ...], dtype: npt.DTypeLike = "d", order: str = "C") -> Array:
    """A shared array of zeros, writable by every process that has it."""
    return sharing.empty(shape, dtype, order)


zeros = empty


def ones(shape: int | tuple[int, ...], dtype: npt.DTypeLike = "d", order: str = "C") -> Array:
    """A shared array of ones, writable by every process that has it."""
    return full(shape, 1, dtype, order)


def full(shape: int | tuple[int, ...], value: Any, dtype: npt.DTypeLike | None = None,
         order: str = "C") -> Array:
    """A shared array of one value, or of rows of values, writable by every process that has it."""
    one = np.asarray(value)
    if dtype is not None:
        one = np.empty(one.shape, dtype)
        one[...] = value
    array = empty(shape, one.dtype, order)
    while one.ndim > array.ndim and len(one) == 1:  # as an assignment takes it
        one = one[0]
    return _filled(array, np.broadcast_to(one, array.shape), order)


def empty_like(array: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Array:
    """A shared array of zeros, of the shape and type of another."""
    like = np.asarray(array)
    return empty(like.shape, like.dtype if dtype is None else dtype)


def copy(array: npt.ArrayLike) -> Array:
    """A shared copy, writable by every process that has it."""
    source = np.asarray(array)
    order = "F" if source.flags.f_contiguous and not source.flags.c_contiguous else "C"
    return _filled(empty(source.shape, source.dtype, order), source, order)


def _filled(array: Array, values: np.ndarray, order: str) -> Array:
    segment = segment_of(array)
    assert segment is not None
    sharing.fill(segment, values, order)
    return array
