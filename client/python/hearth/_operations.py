"""Every operation as a method, with NumPy's names, defaults, results and order of arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from . import errors

if TYPE_CHECKING:
    from .array import Array

Axis = Union[None, int, tuple[int, ...]]
Type = Union[npt.DTypeLike, None]
Out = Union[np.ndarray, None]


class Operations:
    """What can be computed of a matrix where it lies.

    Each method waits for its result, and writes it into `out`, if that is given.
    For a future, give the same arguments by name to `submit("mean", axis=0)`. What
    NumPy can and no operation, as ``where=`` or ``axis=()``, is computed here.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        def array(self) -> Array: ...

    def run(self, operation: str, **arguments: Any) -> Any:
        """Computes an operation by its name, and waits for it."""
        raise NotImplementedError

    def _reduced(self, operation: str, axis: Any, out: Any, numpys: dict[str, Any], **arguments: Any) -> Any:
        if out is not None and not isinstance(out, np.ndarray):
            raise errors.WrongType(f"run {operation}: out is of type {type(out).__name__}; give an array")
        numpys = {name: value for name, value in numpys.items() if value is not None}
        if numpys or isinstance(axis, tuple) and not axis:
            result = getattr(np, operation)(np.asarray(self.array()), axis=axis, **arguments, **numpys)
        else:
            result = self.run(operation, axis=axis, **arguments)
        if out is None:
            return result
        if out.shape != np.shape(result):
            raise errors.BadUsage(f"run {operation} into an array of shape {out.shape}: the result's is "
                                  f"{np.shape(result)}; give one of that shape")
        np.copyto(out, result, casting="same_kind")
        return out

    def sum(self, axis: Axis = None, dtype: Type = None, out: Out = None, keepdims: bool = False,
            **numpys: Any) -> Any:
        """The sum of the elements."""
        return self._reduced("sum", axis, out, numpys, keepdims=keepdims, dtype=dtype)

    def prod(self, axis: Axis = None, dtype: Type = None, out: Out = None, keepdims: bool = False,
             **numpys: Any) -> Any:
        """The product of the elements."""
        return self._reduced("prod", axis, out, numpys, keepdims=keepdims, dtype=dtype)

    def nansum(self, axis: Axis = None, dtype: Type = None, out: Out = None, keepdims: bool = False,
               **numpys: Any) -> Any:
        """The sum of the elements that are not NaN."""
        return self._reduced("nansum", axis, out, numpys, keepdims=keepdims, dtype=dtype)

    def nanprod(self, axis: Axis = None, dtype: Type = None, out: Out = None, keepdims: bool = False,
                **numpys: Any) -> Any:
        """The product of the elements that are not NaN."""
        return self._reduced("nanprod", axis, out, numpys, keepdims=keepdims, dtype=dtype)

    def mean(self, axis: Axis = None, dtype: Type = None, out: Out = None, keepdims: bool = False,
             **numpys: Any) -> Any:
        """The arithmetic mean."""
        return self._reduced("mean", axis, out, {"dtype": dtype, **numpys}, keepdims=keepdims)

    def nanmean(self, axis: Axis = None, dtype: Type = None, out: Out = None, keepdims: bool = False,
                **numpys: Any) -> Any:
        """The mean of the elements that are not NaN."""
        return self._reduced("nanmean", axis, out, {"dtype": dtype, **numpys}, keepdims=keepdims)

    def var(self, axis: Axis = None, dtype: Type = None, out: Out = None, ddof: float = 0, keepdims: bool = False,
            **numpys: Any) -> Any:
        """The variance."""
        return self._reduced("var", axis, out, {"dtype": dtype, **numpys}, keepdims=keepdims, ddof=ddof)

    def std(self, axis: Axis = None, dtype: Type = None, out: Out = None, ddof: float = 0, keepdims: bool = False,
            **numpys: Any) -> Any:
        """The standard deviation."""
        return self._reduced("std", axis, out, {"dtype": dtype, **numpys}, keepdims=keepdims, ddof=ddof)

    def nanvar(self, axis: Axis = None, dtype: Type = None, out: Out = None, ddof: float = 0, keepdims: bool = False,
               **numpys: Any) -> Any:
        """The variance of the elements that are not NaN."""
        return self._reduced("nanvar", axis, out, {"dtype": dtype, **numpys}, keepdims=keepdims, ddof=ddof)

    def nanstd(self, axis: Axis = None, dtype: Type = None, out: Out = None, ddof: float = 0, keepdims: bool = False,
               **numpys: Any) -> Any:
        """The standard deviation of the elements that are not NaN."""
        return self._reduced("nanstd", axis, out, {"dtype": dtype, **numpys}, keepdims=keepdims, ddof=ddof)

    def min(self, axis: Axis = None, out: Out = None, keepdims: bool = False, **numpys: Any) -> Any:
        """The least element."""
        return self._reduced("min", axis, out, numpys, keepdims=keepdims)

    def max(self, axis: Axis = None, out: Out = None, keepdims: bool = False, **numpys: Any) -> Any:
        """The greatest element."""
        return self._reduced("max", axis, out, numpys, keepdims=keepdims)

    def nanmin(self, axis: Axis = None, out: Out = None, keepdims: bool = False, **numpys: Any) -> Any:
        """The least element that is not NaN."""
        return self._reduced("nanmin", axis, out, numpys, keepdims=keepdims)

    def nanmax(self, axis: Axis = None, out: Out = None, keepdims: bool = False, **numpys: Any) -> Any:
        """The greatest element that is not NaN."""
        return self._reduced("nanmax", axis, out, numpys, keepdims=keepdims)

    def argmin(self, axis: int | None = None, out: Out = None, *, keepdims: bool = False) -> Any:
        """Where the least element is: the first of equals, the first NaN before all."""
        return self._reduced("argmin", axis, out, {}, keepdims=keepdims)

    def argmax(self, axis: int | None = None, out: Out = None, *, keepdims: bool = False) -> Any:
        """Where the greatest element is: the first of equals, the first NaN before all."""
        return self._reduced("argmax", axis, out, {}, keepdims=keepdims)

    def nanargmin(self, axis: int | None = None, out: Out = None, *, keepdims: bool = False) -> Any:
        """Where the least element that is not NaN is."""
        return self._reduced("nanargmin", axis, out, {}, keepdims=keepdims)

    def nanargmax(self, axis: int | None = None, out: Out = None, *, keepdims: bool = False) -> Any:
        """Where the greatest element that is not NaN is."""
        return self._reduced("nanargmax", axis, out, {}, keepdims=keepdims)

    def any(self, axis: Axis = None, out: Out = None, keepdims: bool = False, **numpys: Any) -> Any:
        """Whether an element is not 0."""
        return self._reduced("any", axis, out, numpys, keepdims=keepdims)

    def all(self, axis: Axis = None, out: Out = None, keepdims: bool = False, **numpys: Any) -> Any:
        """Whether every element is not 0."""
        return self._reduced("all", axis, out, numpys, keepdims=keepdims)

    def count_nonzero(self, axis: Axis = None, *, keepdims: bool = False) -> Any:
        """How many elements are not 0."""
        return self._reduced("count_nonzero", axis, None, {}, keepdims=keepdims)

    def norm(self, ord: Any = 2, axis: Axis = None,  # noqa: A002 - NumPy's name for it
             keepdims: bool = False) -> Any:
        """The vector norm: of all elements, flattened, unless an axis is given."""
        return self.run("norm", ord=ord, axis=axis, keepdims=keepdims)

    def quantile(self, q: float | Sequence[float] = 0.5, axis: Axis = None, out: Out = None,
                 overwrite_input: bool = False, method: str = "linear", keepdims: bool = False,
                 **numpys: Any) -> Any:
        """Exact quantiles, by any method of `numpy.quantile`; a list of q gives a leading axis."""
        return self._reduced("quantile", axis, out, numpys, q=q, keepdims=keepdims, method=method)

    def median(self, axis: Axis = None, out: Out = None, overwrite_input: bool = False,
               keepdims: bool = False) -> Any:
        """The middle element, or the mean of the middle two."""
        return self._reduced("median", axis, out, {}, keepdims=keepdims)

    def histogram(self, bins: int = 10, range: tuple[float, float] | None = None) -> Any:  # noqa: A002
        """Counts and edges, as `numpy.histogram`."""
        return self.run("histogram", bins=bins, range=range)

    def describe(self) -> Any:
        """Of each column: count, nans, mean, std, min, q25, q50, q75 and max."""
        return self.run("describe")

    def matvec(self, v: npt.ArrayLike) -> Any:
        """The product with a vector as long as the columns: a number a row."""
        return self.run("matvec", v=v)

    def rmatvec(self, v: npt.ArrayLike) -> Any:
        """The transposed's product with a vector as long as the rows: a number a column."""
        return self.run("rmatvec", v=v)

    def matmul(self, b: npt.ArrayLike) -> Any:
        """The product with a matrix that has as many rows as this has columns, or with a vector."""
        return self.run("matmul", b=b)

    def gram(self) -> Any:
        """The products of every two columns."""
        return self.run("gram")

    def cov(self, ddof: int = 1) -> Any:
        """The covariances of every two columns, as `numpy.cov` with ``rowvar=False``."""
        return self.run("cov", ddof=ddof)

    def corrcoef(self, ddof: int = 1) -> Any:
        """The correlations of every two columns, as `numpy.corrcoef` with ``rowvar=False``."""
        return self.run("corrcoef", ddof=ddof)
