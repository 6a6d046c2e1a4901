"""What the extension asks of Python: values that only Python knows, and errors."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import _native, errors, sharing
from ._layout import known, layout_of
from .array import Array, segment_of
from .exposing import is_exposed
from .matrix import Matrix

_MESSAGE_BYTES_MAX = 8 << 10  # of an error
_CARRIED = ("None, bool, int, float, complex, str, bytes, list, tuple, dict, an array, a matrix, a dataclass "
            "or a hearth.Proxy")


class Struct:
    """A struct of a C++ class, or a dataclass that came by a call: fields as attributes."""

    def __init__(self, type_name: str, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields)
        self._type = type_name

    def _fields(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_type"}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Struct) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self._type}({', '.join(f'{key}={value!r}' for key, value in self._fields().items())})"


def pack(value: Any) -> tuple[Any, ...]:
    """What the extension does not know, in words that it does."""
    native = getattr(value, "__hearth_object__", None)
    if native is not None:
        return "object", native
    if isinstance(value, np.ndarray):
        return _pack_array(value)
    if isinstance(value, Matrix):
        return "matrix", value.name
    if isinstance(value, complex) and not isinstance(value, np.generic):
        return _pack_array(np.asarray(value))
    if isinstance(value, np.generic):
        return _pack_number(value)
    if isinstance(value, (bytearray, memoryview)):
        return "value", bytes(value)
    if isinstance(value, Struct):
        return "struct", value._type, tuple(value._fields().items())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return ("struct", type(value).__name__,
                tuple((field.name, getattr(value, field.name)) for field in dataclasses.fields(value)))
    if isinstance(value, Iterator):
        return "items", value
    from .objects import served_as
    native = served_as(value)
    if native is not None:
        return "object", native
    if is_exposed(type(value)):
        return "fault", (f"is a {type(value).__name__}, which is exposed and not served here; "
                         "send what hearth.Objects.expose gives for it")
    return "fault", f"is of type {type(value).__name__}, which no call carries; send {_CARRIED}"


def _pack_array(array: np.ndarray) -> tuple[Any, ...]:
    if isinstance(array, np.ma.MaskedArray):
        return "fault", "is a masked array, whose mask no call carries; fill it, or send data and mask apart"
    segment = segment_of(array)
    if isinstance(array, Array) and segment is not None and segment.kind in ("open", "sealed", "file"):
        return "matrix", array.handle
    if not known(array.dtype):
        return "fault", (f"is an array of {array.dtype}, which no call carries; send bool, integers, floats "
                         "or complex numbers")
    plain = np.asarray(array)
    if not plain.flags.c_contiguous and not plain.flags.f_contiguous:
        plain = np.ascontiguousarray(plain)
    if not plain.dtype.isnative:
        plain = plain.astype(plain.dtype.newbyteorder("="))
    layout = layout_of(plain.dtype, "C" if plain.flags.c_contiguous else "F", plain.shape)
    return "array", layout.dtype, layout.order, list(layout.shape), sharing.bytes_of(plain)


def _pack_number(value: np.generic) -> tuple[Any, ...]:
    plain = value.item()
    if isinstance(plain, (bool, int, float, str, bytes)):
        return "value", plain
    return _pack_array(np.asarray(value))


def array_of(data: Any, dtype: str, order: str, shape: tuple[int, ...]) -> Any:
    """An array on the bytes that came; a number where there is but one."""
    array = np.ndarray(shape, np.dtype(dtype), buffer=data, order=order)  # type: ignore[arg-type]
    return array if shape else array[()]


def matrix_of(text: str, link: _native.ObjectsLink) -> Any:
    """The matrix that a handle or a name stands for: a view, where this host has it."""
    if text.startswith("hearth1:"):
        return sharing.open_handle(text, from_call=True)
    from .objects import cluster_behind
    return cluster_behind(link).get(text)


def proxy_of(native: _native.RemoteObject) -> Any:
    """A proxy of what came."""
    from .proxy import Proxy
    return Proxy._of(native)


def failure(error: BaseException, what: str) -> tuple[str, str, str, list[str]]:
    """Of what a method has raised: reason, type, message and stack, innermost first."""
    kind = type(error)
    frames = [_sendable(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} in {frame.name}: {frame.line}"
                        .replace("\n", " "))
              for frame in reversed(traceback.extract_tb(error.__traceback__))]
    try:
        told = str(error)
    except Exception:  # noqa: BLE001 - its own mistake must not hide which error it was
        told = kind.__name__
    if isinstance(error, errors.Error):
        return (error.reason, error.type or ("" if error.reason != "unspecified" else kind.__name__), _sendable(told),
                [*error.stack, *frames])
    place = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return "", _sendable(f"{place}{kind.__qualname__}"), _sendable(f"call {what}: {kind.__name__}: {told}"), frames


def _sendable(text: str) -> str:
    """As UTF-8 has it, and not too long."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= _MESSAGE_BYTES_MAX:
        return data.decode()
    return f"{data[:_MESSAGE_BYTES_MAX].decode(errors='ignore')}... ({len(data)} bytes in all)"


_native.know({"pack": pack, "array_of": array_of, "matrix_of": matrix_of, "proxy_of": proxy_of,
              "struct_of": Struct, "failure": failure, "exception_of": errors.exception_of})
