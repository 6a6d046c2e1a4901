"""Arguments as the extension takes them, or a sentence on why it can't."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterable
from typing import Any

from . import errors

INT_MAX = 2**31 - 1


def text(value: Any, attempt: str) -> str:
    """The same, if it is one that C++ can have."""
    if not isinstance(value, str):
        raise errors.WrongType(f"{attempt} {reprlib.repr(value)}: it is of type {type(value).__name__}; give a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise errors.BadUsage(f"{attempt} {reprlib.repr(value)}: it has bytes that are not UTF-8; give one that has "
                              "none") from None
    return value


def texts(values: Any, attempt: str) -> list[str]:
    """Several; a single one is not taken for its letters."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise errors.WrongType(f"{attempt} {reprlib.repr(values)}: it is of type {type(values).__name__}; give a list "
                               "of texts")
    return [text(value, attempt) for value in values]


def whole(value: Any, attempt: str, least: int = 0, most: int = INT_MAX) -> int:
    """The same as an int, if it is a whole number within bounds."""
    advice = f"give a whole number, {least} or more"
    try:
        number = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
    except TypeError:
        raise errors.WrongType(f"{attempt} {reprlib.repr(value)}: it is of type {type(value).__name__}; "
                               f"{advice}") from None
    if not least <= number <= most:
        raise errors.BadUsage(f"{attempt} {reprlib.repr(number)}: it is not from {least} to {most}; {advice}")
    return number


def seconds(value: Any, attempt: str) -> float | None:
    """The same, or None."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        raise errors.WrongType(f"{attempt} {reprlib.repr(value)}: it is of type {type(value).__name__}; give seconds, "
                               "or None") from None
