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
from .array import Array


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
    array = empty(shape, np.asarray(value).dtype if dtype is None else dtype, order)
    array[...] = value
    return array


def empty_like(array: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Array:
    """A shared array of zeros, of the shape and type of another."""
    like = np.asarray(array)
    return empty(like.shape, like.dtype if dtype is None else dtype)


def copy(array: npt.ArrayLike) -> Array:
    """A shared copy, writable by every process that has it."""
    source = np.asarray(array)
    fortran = source.flags.f_contiguous and not source.flags.c_contiguous
    shared = empty(source.shape, source.dtype, "F" if fortran else "C")
    np.copyto(shared, source)
    return shared
