"""A bar for what takes long: one line in a terminal, or in a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

_WIDTH = 30


def reporter(progress: Any, what: str) -> Callable[[int, int], None] | None:
    """What to call with blocks done and blocks in all."""
    if not progress:
        return None
    return progress if callable(progress) else Bar(what, sys.stderr)


class Bar:
    """Draws itself over and over; ends its line when all is done."""

    def __init__(self, what: str, stream: TextIO) -> None:
        self._what = what
        self._stream = stream
        self._began = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """So many of so many blocks are done."""
        if total <= 0:
            return
        filled = _WIDTH * done // total
        seconds = time.monotonic() - self._began
        left = f", {seconds / done * (total - done):.0f} s left" if 0 < done < total else ""
        self._stream.write(f"\r{self._what} [{'#' * filled}{' ' * (_WIDTH - filled)}] "
                           f"{done}/{total} blocks, {seconds:.1f} s{left}   ")
        if done >= total:
            self._stream.write("\n")
        self._stream.flush()
