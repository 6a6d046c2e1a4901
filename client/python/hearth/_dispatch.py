"""NumPy's functions on a cluster's matrix: the operation where there is one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .matrix import Matrix

_SAME_NAME = ("sum prod nansum nanprod mean nanmean var std nanvar nanstd min max nanmin nanmax "
              "argmin argmax nanargmin nanargmax any all count_nonzero quantile median "
              "histogram").split()
_OPERATIONS: dict[Callable[..., Any], str] = {getattr(np, name): name for name in _SAME_NAME}
_OPERATIONS[np.amin] = "min"
_OPERATIONS[np.amax] = "max"
_LEAVE = "overwrite_input"  # of median and its like; a matrix is read-only, and makes no use of it


def dispatch(func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """Computes it in the cluster, or on the mapped array where it can't."""
    if func in (np.cov, np.corrcoef):
        found = _of_columns(func, *args, **kwargs)
        if found is not None:
            return found
    if func is np.dot and len(args) == 2 and not kwargs:
        return _product(func, *args)
    name = _OPERATIONS.get(func)
    if name is not None and args and isinstance(args[0], Matrix):
        method = getattr(args[0], name)
        given = _given(func, method, args[1:], kwargs)
        # Edges, rules to find them, and tables of quantiles are NumPy's alone.
        if given is not None and isinstance(given.get("bins", 1), (int, np.integer)) and np.ndim(given.get("q", 0)) < 2:
            return method(**given)
    args, kwargs = _without_leave(func, args, kwargs)
    return func(*_arrays(args), **_arrays(kwargs))


def dispatch_ufunc(ufunc: np.ufunc, method: str, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    """Matrix products in the cluster; anything else on the mapped arrays."""
    if ufunc is np.matmul and method == "__call__" and not kwargs:
        return _product(ufunc, *inputs)
    return getattr(ufunc, method)(*_arrays(inputs), **_arrays(kwargs))


def _product(func: Callable[..., Any], left: Any, right: Any) -> Any:
    """Where the matrix is the left factor, or is multiplied with a vector from the left."""
    if isinstance(left, Matrix) and left.ndim == 2 and np.ndim(right) in (1, 2):
        return left.matvec(right) if np.ndim(right) == 1 else left.matmul(right)
    if isinstance(right, Matrix) and right.ndim == 2 and np.ndim(left) == 1:
        return right.rmatvec(left)
    return func(*_arrays((left, right)))


def _of_columns(func: Callable[..., Any], matrix: Any, y: Any = None, rowvar: bool = True,
                bias: Any = False, ddof: int | None = None, fweights: Any = None,
                aweights: Any = None, dtype: Any = None) -> Any:
    """cov or corrcoef of the columns; None where the operation does something else."""
    others = (y, fweights, aweights, dtype)
    if not isinstance(matrix, Matrix) or matrix.ndim != 2 or rowvar \
            or any(one is not None for one in others):
        return None
    if func is np.corrcoef:
        return np.squeeze(matrix.corrcoef()) if bias in (False, np._NoValue) and ddof is None else None
    return np.squeeze(matrix.cov(ddof=ddof if ddof is not None else 0 if bias else 1))


def _given(func: Callable[..., Any], method: Callable[..., Any], args: tuple,
           kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments by name; None where the operation hasn't one of them."""
    ours = inspect.signature(method).parameters
    theirs = list(inspect.signature(func).parameters.values())[1:]
    given = {theirs[i].name: value for i, value in enumerate(args)} | kwargs
    missing = np._NoValue
    given = {name: value for name, value in given.items() if value is not missing and name != _LEAVE}
    for name in [name for name in given if name not in ours]:
        if given[name] is not None:
            return None
        del given[name]
    return given


def _without_leave(func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    names = list(inspect.signature(func).parameters)
    at = names.index(_LEAVE) if _LEAVE in names else len(args)
    if len(args) > at:
        return (*args[:at], False, *args[at + 1:]), kwargs
    return args, {**kwargs, _LEAVE: False} if _LEAVE in kwargs else kwargs


def _arrays(value: Any) -> Any:
    if isinstance(value, Matrix):
        return np.asarray(value)
    if isinstance(value, list):
        return [_arrays(one) for one in value]
    if isinstance(value, tuple):  # one with names, too, which NumPy takes as any other
        return tuple(_arrays(one) for one in value)
    if type(value) is dict:
        return {key: _arrays(one) for key, one in value.items()}
    return value
