"""What of a class others may call: nothing but what is exposed."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar, overload

import numpy as np

from . import errors
from ._checks import seconds, text, whole

T = TypeVar("T")

_MARK = "__hearth_marks__"
_MODES = ("single", "session", "per-call")
_TYPES = {int: "int64", float: "float64", str: "string", bool: "bool", bytes: "bytes", list: "list",
          tuple: "tuple", dict: "map", np.ndarray: "array", None: "", type(None): ""}
_ITEMS = (collections.abc.Iterator, collections.abc.Generator, collections.abc.Iterable)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@overload
def expose(what: T, /) -> T: ...
@overload
def expose(*, oneway: bool = ..., idempotent: bool = ..., exactly_once: bool = ..., concurrent: bool = ...,
           mode: str = ..., name: str | None = ..., waiting_max: int = ...,
           call_time_max: float | None = ...) -> Callable[[T], T]: ...


def expose(what: Any = None, /, *, oneway: bool = False, idempotent: bool = False, exactly_once: bool = False,
           concurrent: bool = False, mode: str = "single", name: str | None = None, waiting_max: int = 1024,
           call_time_max: float | None = None) -> Any:
    """Lets others call a method, read and write a property, or all that is public of a class.

    Parameters
    ----------
    what : class, function or property
        Of a class: its own methods and properties without a leading underscore.
        Annotations of plain types (`int`, `float`, `str`, `bool`, `bytes`) are
        checked before a method is called.
    oneway : bool
        Of a method: its caller does not wait, and learns nothing.
    idempotent, exactly_once : bool
        Of a method: asked again when a connection breaks; and then runs once.
    concurrent : bool
        May run beside other calls of the object; of a class: all its methods.
    mode : {"single", "session", "per-call"}
        Of a class: one instance for all, one a calling process, or one a call.
    name : str, optional
        What the class is called elsewhere.
    waiting_max : int
        Calls that may wait for an instance; more are refused.
    call_time_max : float, optional
        Seconds that a call may take, whatever its caller allows.
    """
    if mode not in _MODES:
        raise errors.BadUsage(f"expose a class with the mode {mode!r}: it is one of {', '.join(_MODES)}")
    waiting_max = whole(waiting_max, "expose a class whose waiting_max is")
    call_time_max = seconds(call_time_max, "expose a class whose call_time_max is")
    if name is not None:
        name = text(name, "expose a class named")
    marks = {"oneway": oneway, "idempotent": idempotent, "exactly_once": exactly_once, "concurrent": concurrent,
             "mode": mode, "name": name, "waiting_max": waiting_max, "call_time_max": call_time_max}

    def mark(of: Any) -> Any:
        target = of
        if isinstance(of, property):
            target = of.fget
        elif isinstance(of, (staticmethod, classmethod)):
            target = of.__func__
        elif not isinstance(of, type) and not isinstance(of, types.FunctionType):
            raise errors.BadUsage(f"expose {of!r}: it is neither a class, nor a method or property of one")
        setattr(target, _MARK, marks)
        return of

    return mark if what is None else mark(what)


def is_exposed(of: type) -> bool:
    """Whether the class, or something in it, is exposed."""
    return any(True for _ in _members(of))


def described(of: type) -> dict[str, Any]:
    """The class as the extension wants it: what it says of itself, and its methods."""
    if not isinstance(of, type):
        raise errors.WrongType(f"serve {of!r}: it is of type {type(of).__name__}; give a class")
    own = of.__dict__.get(_MARK, {})
    said = {"name": own.get("name") or of.__name__, "doc": inspect.getdoc(of) or "" if of.__doc__ else "",
            "mode": own.get("mode", "single"), "concurrent": own.get("concurrent", False),
            "waiting_max": own.get("waiting_max", 1024), "call_time_max": own.get("call_time_max"),
            "parameters": _constructor_of(of)}
    methods: list[dict[str, Any]] = []
    for name, member, marks in _members(of):
        methods += _attribute(of, name, member, marks) if isinstance(member, property) \
            else [_method(of, name, member, marks)]
    if not methods:
        raise errors.BadUsage(f"serve a {of.__name__}: nothing of it is exposed; put @hearth.expose before "
                              "the class or before its methods")
    return {"said": said, "methods": methods}


def _members(of: type) -> collections.abc.Iterator[tuple[str, Any, dict[str, Any]]]:
    """Name, member and marks; what a class overrides counts once."""
    seen: set[str] = set()
    for kind in of.__mro__[:-1]:
        whole = kind.__dict__.get(_MARK)
        for name, member in kind.__dict__.items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            marks = getattr(function, _MARK, None) if isinstance(function, types.FunctionType) else None
            if marks is None and whole is not None and not name.startswith("_") \
                    and isinstance(function, types.FunctionType):
                marks = {}
            if marks is not None and name not in seen:
                yield name, of.__dict__.get(name, member), marks
            seen.add(name)


def _method(of: type, name: str, member: Any, marks: dict[str, Any]) -> dict[str, Any]:
    is_plain = isinstance(member, types.FunctionType)
    function = member if is_plain else member.__func__
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise errors.BadUsage(f"expose {of.__name__}.{name}: it is async, and methods run in threads; "
                              "make it a plain method that calls asyncio.run")
    skip = 0 if isinstance(member, staticmethod) else 1
    called = function if is_plain else lambda self, *args: getattr(self, name)(*args)
    hints = _hints(function)
    result = hints.get("return", inspect.Parameter.empty)
    return _entry(name, _parameters(f"{of.__name__}.{name}", function, hints, skip),
                  "stream of any" if inspect.isgeneratorfunction(function) or _base(result) in _ITEMS
                  else _type_name(result), function, marks, called)


def _attribute(of: type, name: str, member: property, marks: dict[str, Any]) -> list[dict[str, Any]]:
    assert member.fget is not None
    getter = _hints(member.fget).get("return", inspect.Parameter.empty)
    marks = {**marks, "idempotent": True}
    entries = [_entry(name, [], _type_name(getter), member.fget, marks, member.fget, attribute=True)]
    if member.fset is not None:
        entries.append(_entry(f"{name}=", [("value", _type_name(getter), False)], "", member.fget, marks,
                              member.fset, attribute=True))
    return entries


def _entry(name: str, parameters: list[tuple[str, str, bool]], result: str, function: Any,
           marks: dict[str, Any], called: Any, attribute: bool = False) -> dict[str, Any]:
    return {"name": name, "parameters": parameters, "result": result, "doc": inspect.getdoc(function) or "",
            "attribute": attribute, "function": called,
            **{key: bool(marks.get(key)) for key in ("oneway", "idempotent", "concurrent", "exactly_once")}}


def _constructor_of(of: type) -> list[tuple[str, str, bool]]:
    made_by = getattr(of, "__init__")  # noqa: B009 - of the class, not of an instance
    if isinstance(made_by, types.FunctionType):
        return _parameters(of.__name__, made_by, _hints(made_by), 1)
    return []


def _parameters(what: str, function: Any, hints: dict[str, Any], skip: int) -> list[tuple[str, str, bool]]:
    found = []
    for parameter in list(inspect.signature(function).parameters.values())[skip:]:
        optional = parameter.default is not inspect.Parameter.empty
        if parameter.kind not in _POSITIONAL:
            raise errors.BadUsage(f"expose {what}: its parameter {parameter} has no place of its own in a call; "
                                  "name each parameter, without * and **")
        hint = hints.get(parameter.name, inspect.Parameter.empty)
        found.append((parameter.name, _type_name(hint), optional))
    return found


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - names that only a type checker knows
        return {}


def _base(hint: Any) -> Any:
    return typing.get_origin(hint) or hint


def _type_name(hint: Any) -> str:
    try:
        return _TYPES.get(_base(hint), "any")
    except TypeError:  # no hash
        return "any"
