"""What NumPy's users expect of an array, of a matrix that may lie elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import errors

if TYPE_CHECKING:
    from .array import Array

_BLOCK_BYTES = 16 << 20


class _OfArray:
    """An attribute or method of NumPy's: that of all of the matrix, as an array here."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self.__doc__ = getattr(getattr(np.ndarray, name, None), "__doc__", None)

    def __get__(self, matrix: Any, owner: type | None = None) -> Any:
        return self if matrix is None else getattr(matrix.array(), self._name)


class AsArray:
    """A matrix where an array would stand: looked through block by block, and brought here where that is asked."""

    __slots__ = ()

    if TYPE_CHECKING:
        name: Any
        shape: Any
        size: Any
        nbytes: Any

        def array(self) -> Array: ...
        def __getitem__(self, key: Any) -> Any: ...

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d matrix")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d matrix")
        return (row for block in self._blocks() for row in block)

    def __contains__(self, value: Any) -> bool:
        if not self.shape or np.ndim(value) >= len(self.shape):  # which may have as many rows
            return bool(np.any(self.array() == value))
        return any(np.any(block == value) for block in self._blocks())

    def __setitem__(self, *_: Any, **__: Any) -> None:
        raise errors.ReadOnly(f"write to matrix {self.name}: what is published does not change; write to m.copy(), and "
                              "put that in its place")

    def _blocks(self) -> Iterator[Any]:
        """All rows, no more of them at a time than it takes."""
        rows = max(_BLOCK_BYTES * len(self) // max(self.nbytes, 1), 1)
        return (self[begin:begin + rows] for begin in range(0, len(self), rows))

    # ------------------------------------------------------------------ as a number

    def __bool__(self) -> bool:
        if self.size > 1:
            raise errors.BadUsage(f"take matrix {self.name} for true or false: it has {self.size} elements; "
                                  "say m.any() or m.all()")
        return bool(np.asarray(self.array()))

    def _one(self, kind: str) -> Any:
        if self.size != 1:
            raise errors.WrongType(f"take matrix {self.name} for {kind}: it has {self.size} elements; take one of "
                                   "them, as m[0, 0]")
        return self.array().item()

    def __int__(self) -> int:
        return int(self._one("an integer"))

    def __float__(self) -> float:
        return float(self._one("a float"))

    def __complex__(self) -> complex:
        return complex(self._one("a complex number"))

    # ---------------------------------------------------------- as a text, or bytes

    def __format__(self, spec: str) -> str:
        return format(self.array()[()], spec) if spec and not self.shape else object.__format__(self, spec)

    def __bytes__(self) -> bytes:
        return self.array().tobytes()

    # --------------------------------------------------------------- as NumPy has it

    fill = partition = put = resize = sort = __setitem__  # which write
    T = _OfArray()
    argpartition = _OfArray()
    argsort = _OfArray()
    astype = _OfArray()
    byteswap = _OfArray()
    choose = _OfArray()
    clip = _OfArray()
    compress = _OfArray()
    conj = _OfArray()
    conjugate = _OfArray()
    copy = _OfArray()
    cumprod = _OfArray()
    cumsum = _OfArray()
    diagonal = _OfArray()
    flags = _OfArray()
    flat = _OfArray()
    flatten = _OfArray()
    imag = _OfArray()
    item = _OfArray()
    mT = _OfArray()  # noqa: N815 - NumPy's name, from 2 on
    nonzero = _OfArray()
    ravel = _OfArray()
    real = _OfArray()
    repeat = _OfArray()
    reshape = _OfArray()
    round = _OfArray()
    searchsorted = _OfArray()
    squeeze = _OfArray()
    strides = _OfArray()
    swapaxes = _OfArray()
    take = _OfArray()
    tobytes = _OfArray()
    tofile = _OfArray()
    tolist = _OfArray()
    trace = _OfArray()
    transpose = _OfArray()
    view = _OfArray()
