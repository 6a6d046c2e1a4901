"""A cluster's matrix, which is used as an array is."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _native, _segments
from ._as_array import AsArray
from ._layout import Layout, rows_of_key
from ._operations import Operations
from ._waiting import interruptible
from .array import Array, whole

if TYPE_CHECKING:
    from .cluster import Cluster
    from .job import Job


class Matrix(Operations, AsArray, np.lib.mixins.NDArrayOperatorsMixin):
    """A published matrix: computed on where it lies, read where you are.

    ``m[10:20]`` is a read-only view where this host has the bytes, a copy where
    they come from another one. ``np.asarray(m)`` is all of it. What else an array
    has, as ``m.T`` and ``m.tolist()``, is that array's.
    """

    __slots__ = ("__weakref__", "_array", "_cluster", "_dtype", "_info")
    __array_priority__ = 100.0
    __hash__ = object.__hash__  # == is NumPy's, of elements

    def __init__(self, cluster: Cluster, info: dict[str, Any]) -> None:
        self._cluster = cluster
        self._info = info
        dtype = info["layout"][0]
        self._dtype: Any = np.dtype(dtype) if dtype else None
        self._array: Array | None = None

    @property
    def cluster(self) -> Cluster:
        """Where it was published."""
        return self._cluster

    @property
    def info(self) -> dict[str, Any]:
        """What `hearth info --json` prints, as it was when this was looked up."""
        return self._info

    @property
    def name(self) -> str:
        """What it was published as."""
        return self._info["name"]

    @property
    def dtype(self) -> Any:
        """The type of its elements; None of bfloat16, which NumPy has not."""
        return self._dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Its lengths."""
        return tuple(self._info["shape"])

    @property
    def order(self) -> str:
        """``"C"`` or ``"F"``."""
        return self._info["order"]

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes it has."""
        return self._info["bytes"]

    @property
    def itemsize(self) -> int:
        """How many bytes an element has."""
        return 2 if self._dtype is None else self._dtype.itemsize

    def __reduce__(self) -> Any:
        return _found, (self.cluster, self.name)

    # --------------------------------------------------------------- as an array

    def array(self) -> Array:
        """All of it, as a read-only array on the bytes themselves."""
        if self._array is None:
            self._array = _array_on(*interruptible(self.cluster._native.get, self.name))
        return self._array

    def __getitem__(self, key: Any) -> Any:
        if self._array is None and self.order == "C":
            part = rows_of_key(key, self.shape)
            if part is not None:
                here = interruptible(self.cluster._native.here, self.name)
                if here is None:  # those rows alone come here
                    begin, end, rest = part
                    return _array_on(*interruptible(self.cluster._native.rows, self.name, begin, end))[rest]
                self._array = _array_on(*here)
        return self.array()[key]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        plain = np.asarray(self.array())
        if dtype is not None and np.dtype(dtype) != plain.dtype:
            if copy is False:
                raise ValueError(f"a matrix of {plain.dtype} is no array of {dtype} without a copy")
            return plain.astype(dtype)
        return plain.copy() if copy else plain

    def __dlpack__(self, **options: Any) -> Any:
        return np.asarray(self).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return np.asarray(self).__dlpack_device__()

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from ._dispatch import dispatch
        return dispatch(func, args, kwargs)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from ._dispatch import dispatch_ufunc
        return dispatch_ufunc(ufunc, method, inputs, kwargs)

    # ------------------------------------------------------------------ computing

    def dot(self, b: Any, out: Any = None) -> Any:
        """The product, as ``m @ b`` has it; with a number, each element's."""
        return np.dot(self, b) if out is None else np.dot(np.asarray(self), np.asarray(b), out)

    def run(self, operation: str, **arguments: Any) -> Any:
        """Computes an operation by its name, and waits for it."""
        return self.cluster.run(operation, self, **arguments)

    def submit(self, operation: str, **arguments: Any) -> Job:
        """Starts an operation by its name, and returns a future."""
        return self.cluster.submit(operation, self, **arguments)

    def explain(self, operation: str, **arguments: Any) -> dict:
        """Where every byte of an operation would come from."""
        return self.cluster.explain(operation, self, **arguments)

    def __repr__(self) -> str:
        lies = f" in {self.info['file']}" if self.info["file"] else ""
        return f"<hearth.Matrix {self.name} {self.dtype} {self.shape}{lies}>"

    def _repr_html_(self) -> str:
        facts = {"dtype": self.dtype, "shape": self.shape, "order": self.order,
                 "bytes": f"{self.nbytes:,}", "row blocks": self.info["row_blocks"],
                 "lies in": self.info["file"] or "memory"}
        rows = "".join(f"<tr><th>{key}</th><td>{html.escape(str(value))}</td></tr>"
                       for key, value in facts.items())
        return f"<b>hearth.Matrix</b> {html.escape(self.name)}<table>{rows}</table>"


def _found(cluster: Cluster, name: str) -> Matrix:
    return cluster[name]


def _array_on(segment: _native.Segment, layout: _native.PlainLayout) -> Array:
    dtype, order, shape = layout
    return whole(_segments.remember(segment, Layout(dtype, order, tuple(shape))))
