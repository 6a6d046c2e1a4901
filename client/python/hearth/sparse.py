"""SciPy's CSR and CSC matrices on shared bytes: one handle for three arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from . import _segments, errors
from ._layout import Layout, dtype_from, note, read_note
from ._native import Segment
from .array import Array, segment_of
from .sharing import bytes_of

_KINDS = {name: getattr(scipy.sparse, name)
          for name in ("csr_matrix", "csc_matrix", "csr_array", "csc_array")
          if hasattr(scipy.sparse, name)}
_ALIGNMENT = 64


class _Shared:
    """What a SciPy matrix on shared bytes does otherwise: its pickle is a handle."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    shape: tuple[int, int]

    def _segment(self) -> Segment | None:
        segments = {id(segment_of(part)): segment_of(part)
                    for part in (self.data, self.indices, self.indptr)}
        segment = next(iter(segments.values()))
        if len(segments) != 1 or segment is None or segment.kind != "sealed" \
                or not segment.layout.numpy:
            return None
        mine = whole_parts(segment)
        same = all(_same(part, part_of) for part, part_of
                   in zip((self.data, self.indices, self.indptr), mine[2]))
        return segment if same and tuple(self.shape) == mine[1] else None

    @property
    def handle(self) -> str:
        """A text that another process opens with `hearth.open`."""
        segment = self._segment()
        if segment is None:
            raise errors.BadUsage("hand out a sparse matrix: it was changed since it was shared")
        return _segments.hand_out(segment)

    def __reduce_ex__(self, protocol: Any) -> Any:
        segment = self._segment()
        if segment is None:
            plain = next(kind for kind in type(self).__mro__ if kind in _KINDS.values())
            return _rebuild, (plain.__name__, self.data, self.indices, self.indptr, self.shape)
        return open_sparse, (_segments.hand_out_packed(segment),)

    def __reduce__(self) -> Any:
        return self.__reduce_ex__(2)


_CLASSES = {name: type(name, (_Shared, kind), {"__module__": __name__, "__doc__": kind.__doc__})
            for name, kind in _KINDS.items()}


def share(matrix: Any, consume: bool = False) -> Any:
    """A shared, sealed copy of a CSR or CSC matrix, as one."""
    name = next((name for name, kind in _KINDS.items() if isinstance(matrix, kind)), None)
    if name is None:
        raise errors.BadUsage(f"share a {type(matrix).__name__}: CSR and CSC matrices are shared; "
                              "call its tocsr() first")
    if isinstance(matrix, _Shared) and matrix._segment() is not None:
        return matrix
    if consume:
        raise errors.BadUsage("share a sparse matrix and consume it: not offered; share its three "
                              "arrays, or without consume")
    parts = [np.ascontiguousarray(part) for part in (matrix.data, matrix.indices, matrix.indptr)]
    described, offset = [], 0
    for part in parts:
        offset = -(-offset // _ALIGNMENT) * _ALIGNMENT
        described.append((part.dtype.str, len(part), offset))
        offset += part.nbytes
    text = note(name, np.dtype(np.uint8), "C", tuple(matrix.shape), described)
    segment = _segments.create(Layout("", "C", (offset,), text), offset, mapped=False)
    for part, (_, _, at) in zip(parts, described):
        segment.copy_in(at, bytes_of(part))
    return whole(_segments.sealed(segment))


def whole_parts(segment: Segment) -> tuple[str, tuple[int, ...], list[Array]]:
    """What a segment holds: the class, its shape, its three arrays."""
    name, _, _, shape, described = read_note(segment.layout.numpy)
    arrays = [np.ndarray.__new__(Array, (length,), dtype_from(repr(dtype)), buffer=segment, offset=at)  # type: ignore[arg-type]
              for dtype, length, at in described]
    return name, tuple(shape), arrays


def whole(segment: Segment) -> Any:
    """The SciPy matrix on a segment."""
    name, shape, (data, indices, indptr) = whole_parts(segment)
    kind: Any = _CLASSES[name]
    made = kind.__new__(kind)
    _KINDS[name].__init__(made, (np.asarray(data), np.asarray(indices), np.asarray(indptr)),
                          shape=shape, copy=False)
    # SciPy may have made smaller indices of its own.
    made.indices, made.indptr = np.asarray(indices), np.asarray(indptr)
    return made


def open_sparse(payload: bytes) -> Any:
    """What a pickle stands for."""
    text, _ = _segments.unpack_ticket(payload)
    return whole(_segments.open_ticket(text))


def _rebuild(name: str, data: Any, indices: Any, indptr: Any, shape: Any) -> Any:
    return _KINDS[name]((data, indices, indptr), shape=shape)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return (one.dtype == other.dtype and one.shape == other.shape
            and one.__array_interface__["data"][0] == other.__array_interface__["data"][0])
