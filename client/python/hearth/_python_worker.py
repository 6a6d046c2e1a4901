"""A warm Python process of an `Executor`: reads tasks, answers each.

The protocol, over a pipe each way: an unsigned 64-bit length, then so many bytes
of pickle. A request is ("define", id, cloudpickled function), ("call", id,
arguments) or ("forget",); each but the last is answered with (True, result) or
(False, cloudpickled error, traceback as text). The end of its standard input is
the end of the process: so it never outlives who started it.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
import traceback
from typing import IO, Any

import cloudpickle

_LENGTH = struct.Struct("<Q")


def send(stream: IO[bytes], message: Any) -> None:
    """One message; arrays that are shared go as handles."""
    try:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - lambdas, classes of a notebook
        data = cloudpickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """The next message; EOFError where the other end is gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    return pickle.loads(stream.read(_LENGTH.unpack(head)[0]))


def _failure(error: BaseException) -> tuple[bool, bytes, str]:
    told = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        return False, cloudpickle.dumps(error), told
    except Exception:  # noqa: BLE001 - an exception that can't travel
        return False, cloudpickle.dumps(RuntimeError(f"{type(error).__name__}: {error}")), told


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answers until the other end is gone."""
    functions: dict[int, Any] = {}
    while True:
        try:
            kind, *rest = receive(requests)
        except EOFError:
            return
        try:
            if kind == "define":
                functions[rest[0]] = cloudpickle.loads(rest[1])
                continue
            if kind == "undefine":
                functions.pop(rest[0], None)
                continue
            function, args, kwargs = rest
            answer: Any = (True, functions[function](*args, **kwargs))
            del args, kwargs, rest
        except BaseException as error:  # noqa: BLE001 - told to who asked
            answer = _failure(error)
        try:
            send(answers, answer)
        except BrokenPipeError:
            return
        except Exception as error:  # noqa: BLE001 - a result that can't travel
            send(answers, _failure(error))
        answer = None


def main() -> None:
    """Serves on what were the standard streams; prints go to the standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    serve(requests, answers)
