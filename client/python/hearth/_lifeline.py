"""The standard streams of a process that runs functions of others.

Its standard input and output are its line to the process that started it. A
function may read, close or print to what it takes for those: so the line moves
to descriptors that functions don't know of.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time

_LOOK_EVERY_SECONDS, _LOOK_CLOSER_SECONDS = 1.0, 0.05


def take_streams() -> tuple[int, int]:
    """The line, to read and to write. From now on input is empty, and prints go to the standard error."""
    line = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    # `exit()` closes sys.stdin: whatever is opened next must not become descriptor 0.
    sys.stdin = open(0, closefd=False)
    sys.stdout = sys.stderr
    return line


def end_with(starter: int, line: int) -> None:
    """Ends this process, whatever it is doing, once the one that started it is gone."""
    threading.Thread(target=_watch, args=(starter, line), name="hearth-lifeline", daemon=True).start()


def _watch(starter: int, line: int) -> None:
    # The line says it at once, unless a fork of the starter holds its other end.
    poll = select.poll()
    poll.register(line, 0)
    while os.getppid() == starter:
        if poll.poll(_LOOK_EVERY_SECONDS * 1000):
            time.sleep(_LOOK_CLOSER_SECONDS)  # it lets us go, or is just ending
    os._exit(1)
