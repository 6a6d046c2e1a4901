"""What a function gives for blocks of rows, put below each other: never converted silently."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import errors, sharing
from .array import Array


def target_for(first: Any, rows: int, length: int) -> Array:
    """A new matrix of `length` rows for values like the first, which it has already."""
    value = _plain(first, 0, rows)
    if value.ndim == 0 or value.shape[0] != rows:
        raise errors.BadUsage(f"map a function over blocks: a block of {rows} rows gave an array of shape "
                              f"{value.shape}; give one of as many rows")
    target = sharing.empty((length, *value.shape[1:]), value.dtype)
    target[:rows] = value
    return target


def write_rows(target: np.ndarray, begin: int, end: int, given: Any) -> None:
    """Writes a block's value where it belongs, if it is what the first block's promised."""
    value = _plain(given, begin, end)
    shape = (end - begin, *target.shape[1:])
    if value.shape != shape or not np.can_cast(value.dtype, target.dtype, "safe"):
        raise errors.BadUsage(f"map a function over blocks: rows [{begin}, {end}) gave {value.dtype} of shape "
                              f"{value.shape}, and the first block promised {target.dtype} of shape {shape}; "
                              "give the same of every block")
    target[begin:end] = value


def _plain(given: Any, begin: int, end: int) -> np.ndarray:
    if isinstance(given, np.ma.MaskedArray):
        raise errors.BadUsage(f"map a function over blocks: rows [{begin}, {end}) gave a masked array, whose mask "
                              "would be lost; fill it, or give mask and values apart")
    try:
        return np.asarray(given)
    except ValueError as error:
        raise errors.BadUsage(f"map a function over blocks: rows [{begin}, {end}) gave no array: {error}; "
                              "give one of as many rows") from error
