"""The arguments of operations, as the command line has them."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from . import _native, errors
from ._checks import text


@functools.cache
def parameter_kinds() -> dict[str, dict[str, str]]:
    """What the parameters of each operation take: "matrix", "axis", "axes", ..."""
    return {name: {parameter[0]: parameter[1] for parameter in parameters}
            for name, _, parameters in _native.operations()}


def argument_of(value: Any, kind: str, of: str) -> Any:
    """The same, if it is of a type that NumPy takes there."""
    if kind == "axes" and isinstance(value, (list, tuple)):
        return tuple(_axis(one, of) for one in value)
    if kind in ("axis", "axes"):
        return _axis(value, of)
    return value if kind != "dtype" or isinstance(value, str) else np.dtype(value)


def _axis(value: Any, of: str) -> int:
    try:
        if not isinstance(value, (bool, np.bool_)):
            return operator.index(value)
    except TypeError:
        pass
    raise errors.WrongType(f"run {of}: {value!r} is no axis, it is of type {type(value).__name__}; give a whole number")


def text_of(value: Any) -> str:
    """An argument as the command line has it."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return text_of(value[()])
    if isinstance(value, (list, tuple, np.ndarray)):
        if any(np.ndim(one) for one in value):
            raise errors.BadUsage(f"read the list {value!r}: its items are lists; give a list of single values")
        # "0.5," is a list of one, and gives a leading axis; "0.5" is a number.
        return ",".join(text_of(one) for one in value) + ("," if len(value) == 1 else "")
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (np.dtype, type)):
        return np.dtype(value).name
    return text(str(value), "run an operation with the argument")
