"""NumPy's functions on a cluster's matrix: the operation where there is one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .cluster import Matrix

_SAME_NAME = ("sum prod nansum nanprod mean nanmean var std nanvar nanstd min max nanmin nanmax "
              "argmin argmax nanargmin nanargmax any all count_nonzero quantile median "
              "histogram").split()
_OPERATIONS: dict[Callable[..., Any], str] = {getattr(np, name): name for name in _SAME_NAME}
_OPERATIONS[np.amin] = "min"
_OPERATIONS[np.amax] = "max"


def dispatch(func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """Computes it in the cluster, or on the mapped array where it can't."""
    name = _OPERATIONS.get(func)
    if name is not None and args and isinstance(args[0], Matrix):
        method = getattr(args[0], name)
        given = _given(func, method, args[1:], kwargs)
        if given is not None:
            return method(**given)
    return func(*_arrays(args), **_arrays(kwargs))


def _given(func: Callable[..., Any], method: Callable[..., Any], args: tuple,
           kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments by name; None where the operation hasn't one of them."""
    ours = inspect.signature(method).parameters
    theirs = list(inspect.signature(func).parameters.values())[1:]
    given = {theirs[i].name: value for i, value in enumerate(args)} | kwargs
    missing = np._NoValue
    given = {name: value for name, value in given.items() if value is not missing}
    for name in [name for name in given if name not in ours]:
        if given[name] is not None:
            return None
        del given[name]
    return given


def _arrays(value: Any) -> Any:
    if isinstance(value, Matrix):
        return np.asarray(value)
    if type(value) in (tuple, list):
        return type(value)(_arrays(one) for one in value)
    if type(value) is dict:
        return {key: _arrays(one) for key, one in value.items()}
    return value
