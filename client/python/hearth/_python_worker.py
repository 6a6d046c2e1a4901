"""A warm Python process of an `Executor`: reads tasks, answers each.

The protocol, over a pipe each way: an unsigned 64-bit length, then so many bytes
of pickle. A request is ("define", id, cloudpickled function), ("call", id,
arguments) or ("forget",); each but the last is answered with (True, result) or
(False, cloudpickled error, traceback as text, error as text). The end of its
standard input is the end of the process, as is that of who started it, whatever
runs meanwhile.
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

from . import _lifeline

_LENGTH = struct.Struct("<Q")


def send(stream: IO[bytes], message: Any) -> None:
    """One message; arrays that are shared go as handles."""
    try:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        by_name = b"__main__" not in data  # what a script defines goes by value: the other end runs no script
    except Exception:  # noqa: BLE001 - lambdas, classes of a notebook
        by_name = False
    if not by_name:
        data = cloudpickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _next(stream: IO[bytes]) -> bytes:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    return stream.read(_LENGTH.unpack(head)[0])


def receive(stream: IO[bytes]) -> Any:
    """The next message; EOFError where the other end is gone."""
    return pickle.loads(_next(stream))


def _failure(error: BaseException) -> tuple[bool, bytes, str, str]:
    told = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    said = "".join(traceback.format_exception_only(type(error), error)).strip()
    try:
        data = cloudpickle.dumps(error)
    except Exception:  # noqa: BLE001 - an exception that can't travel
        data = cloudpickle.dumps(RuntimeError(said))
    return False, data, told, said


def error_of(data: bytes, told: str) -> BaseException:
    """The error that was raised there; one that can't be made again here, as a RuntimeError."""
    try:
        error = pickle.loads(data)
    except BaseException:  # noqa: BLE001 - as of a class whose constructor wants more than what Exception keeps
        return RuntimeError(told)
    return error if isinstance(error, BaseException) else RuntimeError(told)


class _Interrupts:
    """Ctrl-C ends the function that runs, once, as it would in a program; where none runs it does nothing."""

    def __init__(self) -> None:
        self.is_running = False
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGINT, self._take)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # whoever started us has blocked it

    def _take(self, *_: object) -> None:
        if self.is_running:
            self.is_running = False
            raise KeyboardInterrupt


def serve(requests: IO[bytes], answers: IO[bytes], interrupts: _Interrupts) -> None:
    """Answers until the other end is gone."""
    functions: dict[int, Any] = {}
    codes: dict[int, bytes] = {}  # of those that were not called yet: what can't be loaded fails its calls
    while True:
        try:
            data = _next(requests)
        except EOFError:
            return
        try:
            kind, *rest = pickle.loads(data)
            del data
            if kind == "define":
                codes[rest[0]] = rest[1]
                continue
            if kind == "undefine":
                functions.pop(rest[0], None)
                codes.pop(rest[0], None)
                continue
            function, args, kwargs = rest
            if function in codes:
                functions[function] = cloudpickle.loads(codes[function])
                del codes[function]
            interrupts.is_running = True
            answer: Any = (True, functions[function](*args, **kwargs))
            interrupts.is_running = False
            del args, kwargs, rest
        except BaseException as error:  # noqa: BLE001 - told to who asked
            interrupts.is_running = False
            answer = _failure(error)
        try:
            send(answers, answer)
        except BrokenPipeError:
            return
        except Exception as error:  # noqa: BLE001 - a result that can't travel
            send(answers, _failure(error))
        answer = None


def main() -> None:
    """`python -c ... PID`: serves who started it, on what were the standard streams."""
    interrupts = _Interrupts()
    requests, answers = _lifeline.take_streams()
    _lifeline.end_with(int(sys.argv[1]), requests)
    serve(os.fdopen(requests, "rb"), os.fdopen(answers, "wb"), interrupts)
