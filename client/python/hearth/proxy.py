"""Calling remote objects."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

from . import errors
from ._checks import seconds, text
from ._waiting import CancellableFuture

if TYPE_CHECKING:
    from ._native import RemoteObject
    from .cluster import Cluster
    from .objects import Objects


class Proxy:
    """Stands for an object elsewhere: its methods are called as if it were here.

    Cheap, safe from many threads, and may be an argument of other calls. What it
    has is asked of the object when it is first used. Names that begin with an
    underscore are the proxy's own.

    Parameters
    ----------
    name : str
        What the object is found by; looked up when it is first called, and again
        when it has moved.
    where : Cluster, Objects or str, optional
        The cluster, or its address; by default the one that this process is
        connected to, else ``$HEARTH_CLUSTER``.

    Examples
    --------
    >>> counter = hearth.Proxy("counter")
    >>> counter.add(5)                  # a call
    >>> counter.add.later(5).result()   # a concurrent.futures.Future
    >>> counter.add.oneway(5)           # waits for nothing
    >>> counter.step = 2                # an attribute
    >>> for item in counter.up_to(10): ...
    """

    _native: RemoteObject
    _methods: dict[str, dict[str, Any]] | None
    _class: dict[str, Any]

    def __init__(self, name: str, where: Cluster | Objects | str | None = None) -> None:
        from .objects import link_to
        self.__dict__.update(_native=link_to(where).get(text(name, "find an object named")), _methods=None, _class={})

    @classmethod
    def _of(cls, native: RemoteObject) -> Proxy:
        made = cls.__new__(cls)
        made.__dict__.update(_native=native, _methods=None, _class={})
        return made

    def _with(self, *, timeout: float | None = None, metadata: dict[str, str] | None = None,
              correlation: str = "", patience: float | None = None) -> Proxy:
        """The same object, called like this from now on.

        Parameters
        ----------
        timeout : float, optional
            Seconds for each call, retries included.
        metadata : dict of str, optional
            Travels along the calls that the method makes in turn.
        correlation : str
            A name for that chain; errors tell it.
        patience : float, optional
            Seconds for which an object that can't be reached is looked for again;
            10 by default.
        """
        made = self._of(self._native.with_options(*call_options(timeout, metadata, correlation, patience)))
        made.__dict__.update(_methods=self._methods, _class=self._class)
        return made

    def _batch(self) -> Batch:
        """Calls that are sent together: ``b.add(1); b.add(2); results = list(b())``."""
        return Batch(self)

    def _describe(self) -> dict[str, Any]:
        """What its class declares: name, doc, mode, methods."""
        self.__dict__["_class"] = said = self._native.describe()
        self.__dict__["_methods"] = {one["name"]: one for one in said["methods"]}
        return said

    # ---------------------------------------------------------------- attributes

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            if name == "__hearth_object__":
                return self.__dict__["_native"]
            raise AttributeError(name)
        said = self._said(name)
        if said["attribute"]:
            return self._native.call(name, (), None)
        method = self.__dict__[name] = Method(self._native, said)
        return method

    def __setattr__(self, name: str, value: Any) -> None:
        self._said(f"{name}=")
        self._native.call(f"{name}=", (value,), ("value",))

    def _said(self, name: str) -> dict[str, Any]:
        if self._methods is None or name not in self._methods:
            self._describe()
        assert self._methods is not None
        said = self._methods.get(name)
        if said is None:
            called, key, _ = self._native.handle
            raise AttributeError(f"call {called or key}: its class {self._class['name']} exposes no "
                                 f"{name!r}; it has {', '.join(self._methods)}")
        return said

    def __dir__(self) -> list[str]:
        if self._methods is None:
            self._describe()
        assert self._methods is not None
        return [*{*object.__dir__(self), *(name for name in self._methods if not name.endswith("="))}]

    def __reduce__(self) -> Any:
        name, _, class_name = self._native.handle
        if not name:
            raise errors.BadUsage(f"pickle a proxy of a {class_name}: it has no name that another process "
                                  "could look up; serve it by one, or pass the proxy by a remote call")
        return Proxy, (name, self._native.link.address)

    def __repr__(self) -> str:
        name, key, class_name = self._native.handle
        return f"<hearth.Proxy {name or key}{f' {class_name}' if class_name else ''}>"


def call_options(timeout: Any, metadata: Any, correlation: Any, patience: Any = None
                 ) -> tuple[float | None, dict[str, str], str, float | None]:
    """What the extension takes of them."""
    if not isinstance(metadata or {}, dict):
        raise errors.WrongType(f"call with the metadata {metadata!r}: it is of type {type(metadata).__name__}; give a "
                               "dict")
    return (seconds(timeout, "call with the timeout"),
            {text(key, "call with the metadata"): text(value, f"call with the metadata {key}:")
             for key, value in (metadata or {}).items()},
            text(correlation, "call with the correlation"), seconds(patience, "call with the patience"))


class Method:
    """A method of a remote object: to be called at once, later, or without an answer."""

    def __init__(self, native: RemoteObject, said: dict[str, Any]) -> None:
        self._native, self._name = native, said["name"]
        self._parameters = said["parameters"]
        self._names = tuple(one["name"] for one in self._parameters)
        self._oneway = said["oneway"]
        self._call = native.send if self._oneway else native.call
        self.__doc__ = said["doc"]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls it, and waits for what it gives."""
        if kwargs:
            args = self._bound(args, kwargs)
        return self._call(self._name, args, self._names)

    def later(self, *args: Any, **kwargs: Any) -> Call:
        """Calls it, and gives a future of the result at once."""
        return Call(self._native, self._name, self._bound(args, kwargs), self._names)

    def oneway(self, *args: Any, **kwargs: Any) -> None:
        """Calls it without waiting, and without learning what became of it."""
        self._native.send(self._name, self._bound(args, kwargs), self._names)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """All by place: names do not travel."""
        left = dict(kwargs)
        bound = list(args)
        for one in self._parameters[len(args):]:
            if one["name"] not in left:
                break
            bound.append(left.pop(one["name"]))
        if left:
            raise TypeError(f"call {self._name}({', '.join(self._names)}): {next(iter(left))!r} is no parameter "
                            "of it, was given already, or stands after one that was left out")
        return tuple(bound)

    def __repr__(self) -> str:
        name, key, _ = self._native.handle
        return f"<hearth remote method {name or key}.{self._name}({', '.join(self._names)})>"


def bound(native: RemoteObject, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments of a method by place; asks what its class declares."""
    for said in native.describe()["methods"]:
        if said["name"] == name:
            return Method(native, said)._bound(args, kwargs)
    return args  # the object will say that it has none of that name


class Call(CancellableFuture):
    """A call under way: a `concurrent.futures.Future`, and awaitable."""

    def __init__(self, native: RemoteObject, name: str, args: tuple[Any, ...],
                 names: tuple[str, ...] | None) -> None:
        super().__init__()
        self._switch = native.later(name, args, names, self._finish)

    def _finish(self, value: Any, error: BaseException | None) -> None:
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled meanwhile
            if error is None:
                self.set_result(value)
            else:
                self.set_exception(error)

    def cancel(self) -> bool:
        """Tells the object to stop, and waits no longer. False if it has ended already."""
        if self.done():
            return self.cancelled()
        self._refuse_forked("cancel a call")
        cancelled = self._end_cancelled()
        self._switch.cancel()
        return cancelled

    def add_done_callback(self, fn: Callable[[concurrent.futures.Future[Any]], object]) -> None:
        """Calls `fn` with this once it has ended, on a thread of its own: it may make the next call and wait."""
        if self.done() or getattr(fn, "__module__", "") == "asyncio.futures":  # which only wakes its loop
            self._tell(fn)
        else:
            self._tell(functools.partial(_aside, fn))

    def _tell(self, fn: Callable[[concurrent.futures.Future[Any]], object]) -> None:
        """The same for one that never waits: who reads the answers of all calls runs it."""
        super().add_done_callback(fn)

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.wrap_future(self).__await__()


def _aside(fn: Callable[[concurrent.futures.Future[Any]], object], ended: concurrent.futures.Future[Any]) -> None:
    threading.Thread(target=_guarded, args=(fn, ended), name="hearth callback", daemon=True).start()


def _guarded(fn: Callable[[concurrent.futures.Future[Any]], object], ended: concurrent.futures.Future[Any]) -> None:
    try:
        fn(ended)
    except Exception:  # as concurrent.futures does
        logging.getLogger("concurrent.futures").exception("exception calling callback for %r", ended)


class Batch:
    """Calls of one object that go in one message, and are done in order.

    Calling it sends them; what it gives are the results, one after the other. The
    first call that fails raises in its place, and those after it are not done.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._native: RemoteObject = proxy.__dict__["_native"]
        self._steps: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        steps = self._steps

        def add(*args: Any, **kwargs: Any) -> None:
            steps.append((name, getattr(self._proxy, name)._bound(args, kwargs) if kwargs else args))

        self.__dict__[name] = add
        return add

    def __len__(self) -> int:
        return len(self._steps)

    def __call__(self) -> Iterator[Any]:
        """Sends what was called, and empties it."""
        steps = self._steps[:]
        self._steps.clear()
        values, error = self._native.call_all(steps)
        return _results(values, error)


def _results(values: list[Any], error: BaseException | None) -> Iterator[Any]:
    yield from values
    if error is not None:
        raise error
