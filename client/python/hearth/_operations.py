"""Every operation as a method, with NumPy's names, defaults and results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import numpy.typing as npt

Axis = Union[None, int, tuple[int, ...]]


class Operations:
    """What can be computed of a matrix where it lies.

    Each method waits for its result. For a future, give the same arguments to
    `submit("mean", axis=0)`.
    """

    __slots__ = ()

    def run(self, operation: str, **arguments: Any) -> Any:
        """Computes an operation by its name, and waits for it."""
        raise NotImplementedError

    def sum(self, axis: Axis = None, keepdims: bool = False, dtype: npt.DTypeLike | None = None) -> Any:
        """The sum of the elements."""
        return self.run("sum", axis=axis, keepdims=keepdims, dtype=dtype)

    def prod(self, axis: Axis = None, keepdims: bool = False, dtype: npt.DTypeLike | None = None) -> Any:
        """The product of the elements."""
        return self.run("prod", axis=axis, keepdims=keepdims, dtype=dtype)

    def nansum(self, axis: Axis = None, keepdims: bool = False, dtype: npt.DTypeLike | None = None) -> Any:
        """The sum of the elements that are not NaN."""
        return self.run("nansum", axis=axis, keepdims=keepdims, dtype=dtype)

    def nanprod(self, axis: Axis = None, keepdims: bool = False,
                dtype: npt.DTypeLike | None = None) -> Any:
        """The product of the elements that are not NaN."""
        return self.run("nanprod", axis=axis, keepdims=keepdims, dtype=dtype)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The arithmetic mean."""
        return self.run("mean", axis=axis, keepdims=keepdims)

    def nanmean(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The mean of the elements that are not NaN."""
        return self.run("nanmean", axis=axis, keepdims=keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Any:
        """The variance."""
        return self.run("var", axis=axis, keepdims=keepdims, ddof=ddof)

    def std(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Any:
        """The standard deviation."""
        return self.run("std", axis=axis, keepdims=keepdims, ddof=ddof)

    def nanvar(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Any:
        """The variance of the elements that are not NaN."""
        return self.run("nanvar", axis=axis, keepdims=keepdims, ddof=ddof)

    def nanstd(self, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Any:
        """The standard deviation of the elements that are not NaN."""
        return self.run("nanstd", axis=axis, keepdims=keepdims, ddof=ddof)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The least element."""
        return self.run("min", axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The greatest element."""
        return self.run("max", axis=axis, keepdims=keepdims)

    def nanmin(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The least element that is not NaN."""
        return self.run("nanmin", axis=axis, keepdims=keepdims)

    def nanmax(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The greatest element that is not NaN."""
        return self.run("nanmax", axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Any:
        """Where the least element is: the first of equals, the first NaN before all."""
        return self.run("argmin", axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Any:
        """Where the greatest element is: the first of equals, the first NaN before all."""
        return self.run("argmax", axis=axis, keepdims=keepdims)

    def nanargmin(self, axis: int | None = None, keepdims: bool = False) -> Any:
        """Where the least element that is not NaN is."""
        return self.run("nanargmin", axis=axis, keepdims=keepdims)

    def nanargmax(self, axis: int | None = None, keepdims: bool = False) -> Any:
        """Where the greatest element that is not NaN is."""
        return self.run("nanargmax", axis=axis, keepdims=keepdims)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """Whether an element is not 0."""
        return self.run("any", axis=axis, keepdims=keepdims)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """Whether every element is not 0."""
        return self.run("all", axis=axis, keepdims=keepdims)

    def count_nonzero(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """How many elements are not 0."""
        return self.run("count_nonzero", axis=axis, keepdims=keepdims)

    def norm(self, ord: Any = 2, axis: Axis = None,  # noqa: A002 - NumPy's name for it
             keepdims: bool = False) -> Any:
        """The vector norm: of all elements, flattened, unless an axis is given."""
        return self.run("norm", ord=ord, axis=axis, keepdims=keepdims)

    def quantile(self, q: float | Sequence[float] = 0.5, axis: Axis = None,
                 keepdims: bool = False, method: str = "linear") -> Any:
        """Exact quantiles, by any method of `numpy.quantile`; a list of q gives a leading axis."""
        return self.run("quantile", q=q, axis=axis, keepdims=keepdims, method=method)

    def median(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """The middle element, or the mean of the middle two."""
        return self.run("median", axis=axis, keepdims=keepdims)

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
