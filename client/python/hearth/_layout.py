"""How bytes are read: a dtype, an order and a shape, as they travel with a segment.

What C++ knows too travels in its own words; the rest, records and dates and the
arrays of a sparse matrix, as a text that `ast.literal_eval` reads.
"""

from __future__ import annotations

import ast
import operator
import struct
from typing import Any, NamedTuple

import numpy as np

from . import errors
from ._checks import whole

_KNOWN = frozenset("?bhilqBHILQefdFD")


class Layout(NamedTuple):
    """What a segment holds, as the extension takes it and gives it."""

    dtype: str
    order: str
    shape: tuple[int, ...]
    numpy: str = ""


def known(dtype: np.dtype) -> bool:
    """Whether operations, and C++ programs, know this type of element."""
    return dtype.names is None and dtype.subdtype is None and dtype.char in _KNOWN


def check_known(dtype: np.dtype, attempt: str) -> None:
    """Refuses what operations do not know."""
    if not known(dtype):
        raise errors.BadUsage(f"{attempt} of {dtype}: operations know bool, int8 to int64, uint8 to uint64, "
                              "float16 to float64, complex64 and complex128; give one of them")


def layout_of(dtype: np.dtype, order: str, shape: tuple[int, ...]) -> Layout:
    """The layout of a contiguous array."""
    if dtype.hasobject:
        raise errors.BadUsage(
            f"share an array of {dtype}: its elements are Python objects, which lie "
            "elsewhere; share numbers, records or texts of a fixed length")
    if known(dtype):
        return Layout(dtype.str, order, tuple(shape))
    return Layout("", order, tuple(shape), note("array", dtype, order, shape))


def lengths_of(shape: Any, attempt: str) -> tuple[int, ...]:
    """The lengths of a shape as NumPy takes one: a number, or several."""
    try:
        lengths: tuple[int, ...] = (operator.index(shape),)
    except TypeError:
        lengths = tuple(operator.index(length) for length in shape)
    if any(length < 0 for length in lengths):
        raise errors.BadUsage(f"{attempt} of shape {lengths}: a length is never negative")
    if any(length >= 2**63 for length in lengths):
        raise errors.BadUsage(f"{attempt} of shape {lengths}: a length is under 2^63")
    return lengths


def raw_of(attempt: str, dtype: Any, shape: Any, offset: Any, order: str) -> tuple[tuple[int, ...], int, str] | None:
    """Shape, offset and order of a raw file; None of one that says them itself."""
    if dtype is not None and shape is None:
        raise errors.BadUsage(f"{attempt}: dtype makes it a raw file, whose shape must be given too")
    if dtype is None:
        if shape is not None or offset or order != "C":
            raise errors.BadUsage(f"{attempt}: shape, offset and order are those of a raw file; give its dtype, too")
        return None
    offset = whole(offset, f"{attempt}: the offset", 0, 2**63 - 1)
    return lengths_of(shape, f"{attempt}: a matrix"), offset, order_of(order, attempt)


def order_of(order: Any, attempt: str) -> str:
    """The same, if it is one."""
    if order not in ("C", "F"):
        raise errors.BadUsage(f"{attempt}: the order {order!r} is none; give \"C\" or \"F\"")
    return order


def note(kind: str, dtype: np.dtype, order: str, shape: tuple[int, ...], *rest: Any) -> str:
    """The text for what NumPy alone can read."""
    described = np.lib.format.dtype_to_descr(dtype)
    return repr((kind, described, order, tuple(int(length) for length in shape), *rest))


def read_note(text: str) -> tuple:
    """The parts of a note, its dtype made."""
    try:
        kind, described, *rest = ast.literal_eval(text)
    except _UNREADABLE:
        raise _no_layout(text) from None
    return kind, _dtype_of(described), *rest


def dtype_from(text: str) -> np.dtype:
    """The dtype that a handle tells."""
    try:
        return _dtype_of(ast.literal_eval(text))
    except _UNREADABLE:
        raise _no_layout(text) from None


# What Python and NumPy say to a text, and a dtype, that nobody wrote in earnest.
_UNREADABLE = (ValueError, TypeError, SyntaxError, LookupError, RecursionError, MemoryError)


def _dtype_of(described: Any) -> np.dtype:
    try:
        dtype = np.lib.format.descr_to_dtype(described)
    except _UNREADABLE:
        raise _no_layout(repr(described)) from None
    if dtype.hasobject:  # shared bytes would be taken for addresses
        raise _no_layout(repr(described))
    return dtype


def _no_layout(text: str) -> errors.BadUsage:
    return errors.BadUsage(
        f"open a handle: {text[:100]!r} is not how the elements of a shared array are read; "
        "pass the handle as it was handed out")


def dtype_order_shape(layout: Layout) -> tuple[np.dtype, str, tuple[int, ...]]:
    """How the whole of a segment is read."""
    if layout.numpy:
        _, dtype, order, shape, *_ = read_note(layout.numpy)
        return dtype, order, shape
    return np.dtype(layout.dtype), layout.order, tuple(layout.shape)


def strides_of(dtype: np.dtype, order: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a contiguous array."""
    strides = []
    step = dtype.itemsize
    for length in shape if order == "F" else reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(strides if order == "F" else reversed(strides))


def pack_view(offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """Where a view lies in its segment: 8 bytes, and 16 an axis."""
    return struct.pack(f"<{1 + 2 * len(shape)}q", offset, *shape, *strides)


def unpack_view(packed: bytes) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """What `pack_view` packed."""
    axes = (len(packed) // 8 - 1) // 2
    offset, *numbers = struct.unpack(f"<{1 + 2 * axes}q", packed)
    return offset, tuple(numbers[:axes]), tuple(numbers[axes:])


def rows_of_key(key: Any, shape: tuple[int, ...]) -> tuple[int, int, Any] | None:
    """The rows [begin, end) that an index touches, and the index within them.

    None where they are all rows, or not one run of them.
    """
    if not shape or isinstance(key, tuple) and not key:
        return None
    first, *others = key if isinstance(key, tuple) else (key,)
    length = shape[0]
    if isinstance(first, slice):
        touched = range(*first.indices(length))
        if len(touched) == 0:
            return None
        begin, end = min(touched[0], touched[-1]), max(touched[0], touched[-1]) + 1
        rest: Any = slice(None, None, touched.step)
    elif isinstance(first, (int, np.integer)) and not isinstance(first, (bool, np.bool_)):
        if not -length <= first < length:
            return None
        begin, rest = int(first) % length, 0
        end = begin + 1
    else:
        return None
    if end - begin == length:
        return None
    return begin, end, (rest, *others) if isinstance(key, tuple) else rest
