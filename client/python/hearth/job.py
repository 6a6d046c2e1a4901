"""Submitted computations, as futures."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import functools
import os
import weakref
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from . import _native, errors
from ._waiting import CancellableFuture, before_end, in_background

_running: weakref.WeakSet[Job] = weakref.WeakSet()

os.register_at_fork(after_in_child=_running.clear)  # they are the parent's to end


class Job(CancellableFuture):
    """A computation under way: a `concurrent.futures.Future`, and awaitable.

    Attributes
    ----------
    id : str
        What the cluster calls it.
    statistics : dict
        Once it is done: seconds, workers, row blocks, bytes mapped, streamed,
        copied and converted, retries.
    """

    def __init__(self, native: _native.Job, operation: str,
                 progress: Callable[[int, int], None] | None = None,
                 finally_: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.id = native.id
        self.operation = operation
        self.statistics: dict[str, Any] = {}
        self._native = native
        self._progress = progress
        self._finally = finally_
        self._cancel_asked = False
        _running.add(self)
        in_background(self._wait, f"job-{self.id}")

    def _wait(self) -> None:
        outcome: Callable[[Any], None]
        try:
            try:
                fields, statistics = self._native.wait(self._progress)
            finally:
                if self._finally is not None:
                    self._finally()
            self.statistics = statistics
            outcome, value = self.set_result, _result_of(self.operation, fields)
        except errors.JobCancelled as error:
            if self._cancel_asked:
                self._end_cancelled()  # the cluster's word may come before `cancel` has returned
                return
            outcome, value = self.set_exception, error  # somebody else cancelled it
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            outcome, value = self.set_exception, error
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled meanwhile
            outcome(value)

    def cancel(self) -> bool:
        """Stops it, within a second. False if it has ended already."""
        if self.done():
            return self.cancelled()
        self._refuse_forked("cancel a job")
        self._cancel_asked = True
        with contextlib.suppress(errors.Error):  # it ended just now
            self._native.cancel()
        return self._end_cancelled()

    def wait(self) -> Any:
        """The result; Ctrl-C cancels the computation."""
        try:
            return self.result()
        except KeyboardInterrupt:
            self.cancel()
            raise

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.wrap_future(self).__await__()

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled() else "done" if self.done() else "running"
        return f"<hearth.Job {self.id} {self.operation} {state}>"


def array_of(segment: _native.Segment, layout: tuple[str, str, tuple[int, ...]]) -> np.ndarray:
    """A result as a plain array that may be written to; large ones aren't copied."""
    dtype, order, shape = layout
    if segment.kind == "message":
        whole = np.ndarray(tuple(shape), np.dtype(dtype), buffer=segment, order=order)  # type: ignore[arg-type]
        return np.array(whole, order="K")
    return np.ndarray(tuple(shape), np.dtype(dtype), buffer=segment.private(), order=order)  # type: ignore[arg-type]


def _result_of(operation: str, fields: list[tuple[str, _native.Segment, Any]]) -> Any:
    arrays = []
    for _, segment, layout in fields:
        array = array_of(segment, layout)
        arrays.append(array[()] if array.ndim == 0 else array)
    if len(fields) == 1 and not fields[0][0]:
        return arrays[0]
    return _several(operation, tuple(name for name, *_ in fields), arrays)


@functools.cache
def _type_of(operation: str, names: tuple[str, ...]) -> Any:
    """Of an operation's several arrays: a named tuple, whose pickle needs no name in a module."""
    base: Any = collections.namedtuple  # noqa: PYI024
    made = base(operation, names)
    made.__reduce__ = lambda self: (_several, (operation, names, [*self]))
    return made


def _several(operation: str, names: tuple[str, ...], arrays: list[Any]) -> Any:
    return _type_of(operation, names)(*arrays)


def _cancel_all() -> None:
    for job in list(_running):
        if not job.done():
            job.cancel()


before_end(_cancel_all)
