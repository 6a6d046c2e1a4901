"""Calls that wait, made so that Ctrl-C and the interpreter's end need not."""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from . import _native, errors

T = TypeVar("T")

_PATIENCE_SECONDS = 5.0
_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_at_end: list[Callable[[], None]] = []

os.register_at_fork(after_in_child=_threads.clear)  # they stayed with the parent
os.register_at_fork(after_in_child=_native.note_main_thread)


def in_background(work: Callable[[], None], name: str) -> threading.Thread:
    """Runs `work` in a thread that the interpreter's end waits for, but not long."""
    refuse_at_end(f"start a thread for {name}")
    thread = threading.Thread(target=work, name=f"hearth-{name}", daemon=True)
    _threads.add(thread)
    thread.start()
    return thread


def refuse_at_end(attempt: str) -> None:
    """Raises where threads can't begin any more: in the `__del__` of what the interpreter's end lets go of."""
    if sys.is_finalizing():
        raise errors.ClusterEnded(f"{attempt}: the interpreter is ending, and its clusters and processes have ended; "
                                  "use them before it does")


def interruptible(call: Callable[..., T], *args: Any) -> T:
    """The call's result; in the main thread, Ctrl-C ends the wait for it."""
    refuse_at_end(call.__name__)
    if threading.current_thread() is not threading.main_thread():
        return call(*args)
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.extend((True, call(*args)))
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            outcome.extend((False, error))

    in_background(work, call.__name__).join()
    done, value = outcome
    if done:
        return value
    try:
        raise value
    finally:
        del value, outcome


class CancellableFuture(concurrent.futures.Future):
    """A future whose cancellation `wait` and `as_completed` see at once.

    In a forked child, what had not ended before never will: it refuses to wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made_in = os.getpid()
        self._told = threading.Lock()  # taken by who tells them, and kept

    def result(self, timeout: float | None = None) -> Any:
        """As of any future."""
        self._refuse_forked("wait for a future")
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As of any future."""
        self._refuse_forked("wait for a future")
        return super().exception(timeout)

    def _refuse_forked(self, attempt: str) -> None:
        if os.getpid() != self._made_in and not self.done():
            raise errors.BadUsage(f"{attempt} in a forked process: it is for process {self._made_in}, which began it; "
                                  "start this one with spawn or forkserver")

    def _end_cancelled(self) -> bool:
        """Cancels it, unless it has ended. Python leaves the second step to an executor; there is none here."""
        cancelled = super().cancel()
        if cancelled and self._told.acquire(blocking=False):
            self.set_running_or_notify_cancel()
        return cancelled


def before_end(call: Callable[[], None], first: bool = False) -> None:
    """Calls it when the interpreter ends, before what waits is waited for."""
    _at_end.insert(0 if first else len(_at_end), call)


@atexit.register
def _end() -> None:
    # A thread that came back from a long call after the interpreter is gone would
    # end the process with a crash: so no call may still be under way.
    for call in _at_end:
        with contextlib.suppress(KeyboardInterrupt):  # whoever waited has hurried; the others end, too
            call()
    for thread in list(_threads):
        if thread.is_alive():
            thread.join(_PATIENCE_SECONDS)
    _native.let_nobody_back()
    if threading.active_count() > 1:  # those that are on their way back still are let through
        time.sleep(0.01)
