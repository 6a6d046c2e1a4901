"""Sharing without a server: arrays that every process of this host may map."""

from __future__ import annotations

import ast
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _segments, errors
from ._checks import text
from ._layout import Layout, layout_of, lengths_of, order_of, raw_of
from ._native import Segment
from .array import Array, open_text, segment_of, whole

# What share(consume=True) needs beside the array itself.
_CONSUME_BYTES = 256 << 20
# Of an array whose bytes are not in order: copied in order first, so many at a time.
_PIECE_BYTES = 8 << 20


def share(array: Any, consume: bool = False) -> Any:
    """A shared, sealed copy of an array: what other processes get by its pickle.

    Parameters
    ----------
    array : array_like or scipy.sparse CSR or CSC
        Numbers, records, dates or texts of a fixed length; C or Fortran order is
        kept. A SciPy matrix comes back as one, on shared bytes.
    consume : bool
        Gives the pages of `array` back to the system as they are copied, so that
        both together never take much more than one of them. `array` must be
        contiguous, writable and own its memory; it reads as zeros afterwards, and
        as before where this fails.

    Returns
    -------
    Array
        Read-only. What is shared and sealed already is returned as it is.

    Raises
    ------
    OutOfMemory
        It would pass the host's or a cgroup's limit, which are looked at before
        and on the way; `array` is what it was.
    """
    if hasattr(array, "indptr") and hasattr(array, "indices"):
        from . import sparse
        return sparse.share(array, consume)
    if hasattr(array, "tocsr") and hasattr(array, "nnz"):
        raise errors.BadUsage(f"share a {type(array).__name__}: of SciPy's formats, CSR and CSC are shared; convert it with "
                              "tocsr() or tocsc()")
    if isinstance(array, np.ma.MaskedArray):
        raise errors.BadUsage("share a masked array: share its data and its mask, two arrays")
    source = np.asanyarray(array)
    segment = segment_of(source)
    if segment is not None and segment.kind in ("sealed", "file"):
        return source if isinstance(source, Array) else source.view(Array)
    fortran = source.flags.f_contiguous and not source.flags.c_contiguous
    layout = layout_of(source.dtype, "F" if fortran else "C", source.shape)
    if consume:
        _check_consumable(source)
    shared = _segments.create(layout, source.nbytes, mapped=False,
                              touched_bytes_max=_CONSUME_BYTES if consume else 2**63 - 1)
    if consume:
        shared.copy_in(0, bytes_of(source), True)
    else:
        fill(shared, source, layout.order)
    try:
        return whole(_segments.sealed(shared))
    except BaseException:
        if consume:
            shared.move_out(0, bytes_of(source))
        raise


def fill(segment: Segment, array: np.ndarray, order: str) -> None:
    """Copies an array into a segment, the limits looked at on the way."""
    plain = np.asarray(array).T if order == "F" else np.asarray(array)
    if plain.flags.c_contiguous:
        segment.copy_in(0, bytes_of(plain))
        return
    buffer, offset = np.empty(max(_PIECE_BYTES, plain.itemsize), np.uint8), 0
    for piece in _pieces(plain):
        ordered = buffer[:piece.nbytes]
        np.copyto(np.ndarray(piece.shape, piece.dtype, buffer=ordered), piece)  # type: ignore[arg-type]
        segment.copy_in(offset, ordered)
        offset += piece.nbytes


def _pieces(array: np.ndarray) -> Iterator[np.ndarray]:
    """Its parts in C order, each of at most `_PIECE_BYTES` or one element."""
    if array.nbytes <= _PIECE_BYTES or array.ndim == 0:
        yield array
        return
    row_bytes = array.nbytes // len(array)
    if row_bytes > _PIECE_BYTES:
        for row in range(len(array)):
            yield from _pieces(array[row, ...])
        return
    rows = _PIECE_BYTES // row_bytes
    for begin in range(0, len(array), rows):
        yield array[begin:begin + rows]


def bytes_of(array: np.ndarray) -> np.ndarray:
    """A contiguous array's bytes, in the order in which they lie, as they are."""
    flat = np.asarray(array).reshape(-1, order="A")
    return flat.view(np.uint8) if flat.dtype.itemsize else np.empty(0, np.uint8)


def _check_consumable(source: np.ndarray) -> None:
    owner = source
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if not (source.flags.c_contiguous or source.flags.f_contiguous) or not source.flags.writeable \
            or not owner.flags.owndata:
        raise errors.BadUsage(
            "share an array and consume it: it must be contiguous, writable, and own its "
            "memory (or be a view of an array that does); share it without consume")


def load(path: str | bytes | os.PathLike[Any], dtype: npt.DTypeLike | None = None,
         shape: int | tuple[int, ...] | None = None, offset: int = 0, order: str = "C") -> Array:
    """Maps a file in place, read-only; nothing is read before it is used.

    Parameters
    ----------
    path : path
        ``FILE.npy``, ``FILE.npz:MEMBER`` of a file that `numpy.savez` wrote, or a
        raw file of the given `dtype` and `shape`.
    dtype, shape, offset, order
        Of a raw file: type and lengths, the byte at which it begins, ``"C"`` or
        ``"F"``.

    Returns
    -------
    Array
        Its pickle hands the open file over, so that it may be renamed or deleted.
        The file must not be truncated while it is read: the system answers that
        with a SIGBUS.
    """
    name = text(os.fsdecode(path), "load")
    raw = raw_of(f"load {name}", dtype, shape, offset, order)
    if raw is not None:
        return _raw(name, np.dtype(dtype), *raw)
    try:
        segment, layout = Segment.load(name)
    except errors.Error:
        # What C++ refuses for its type of element, NumPy may know to read.
        header = _npy_header(name)
        if header is None:
            raise
        return _raw(name, *header)
    element, order, found, numpy = layout
    return whole(_segments.remember(segment, Layout(element, order, tuple(found), numpy)))


def _raw(name: str, dtype: np.dtype, shape: tuple[int, ...], offset: int, order: str) -> Array:
    layout = layout_of(dtype, order, shape)
    if not layout.numpy:
        segment, _ = Segment.load(name, layout.dtype, list(shape), offset, order)
    else:
        nbytes = dtype.itemsize * math.prod(shape)
        if nbytes >= 2**63:
            raise errors.BadFile(f"load {name}: its shape {shape} of {dtype} asks for over 2^63 bytes")
        segment, _ = Segment.load(name, "uint8", [nbytes], offset)
    return whole(_segments.remember(segment, layout))


def _npy_header(name: str) -> tuple[np.dtype, tuple[int, ...], int, str] | None:
    if not name.endswith(".npy") or not os.path.isfile(name):  # a pipe would have its opener wait for a writer
        return None
    try:
        with open_file(name, "rb") as file:
            version = np.lib.format.read_magic(file)
            if version == (3, 0):  # field names in UTF-8; NumPy has no public function for it
                text = file.read(int.from_bytes(file.read(4), "little")).decode()
                said = ast.literal_eval(text.strip())
                shape, fortran = said["shape"], said["fortran_order"]
                dtype = np.lib.format.descr_to_dtype(said["descr"])
            else:
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) \
                    else np.lib.format.read_array_header_2_0
                shape, fortran, dtype = read(file)
            return dtype, shape, file.tell(), "F" if fortran else "C"
    except (OSError, ValueError):
        return None


open_file = open


def empty(shape: int | tuple[int, ...], dtype: npt.DTypeLike = float, order: str = "C") -> Array:
    """A shared array that many processes fill; fresh bytes are zero.

    Hand it to them (its pickle is a handle), let each write its part, then `seal()`
    it, or leave it open for writing. Who writes where is yours to arrange: there is
    no lock in it.

    Returns
    -------
    Array
        Writable in every process that has it.
    """
    lengths = lengths_of(shape, "make an array")
    wanted = np.dtype(dtype)
    nbytes = wanted.itemsize * math.prod(lengths)
    if nbytes >= 2**63:
        raise errors.BadUsage(f"make an array of shape {lengths}: it has over 2^63 bytes")
    layout = layout_of(wanted, order_of(order, "make an array"), lengths)
    return whole(_segments.create(layout, nbytes, mapped=True))


zeros = empty


def open(handle: str) -> Any:  # noqa: A001 - hearth.open, as CONTRACT names it
    """The array, or SciPy matrix, that a handle stands for.

    Parameters
    ----------
    handle : str
        What `Array.handle` gave in this or another process of this user.

    Raises
    ------
    SegmentGone
        No process holds it any more.
    """
    return open_handle(text(handle, "open the handle"))


def open_handle(handle: str, *, from_call: bool = False) -> Any:
    """The same, for what a user has or a call brought; see `_segments.open_ticket`."""
    if handle.count(":") > 5:
        return open_text(handle, from_call=from_call)
    segment = _segments.open_ticket(handle, from_call=from_call)
    if segment.layout.numpy.startswith("('cs"):
        from . import sparse
        return sparse.whole(segment)
    return whole(segment)
