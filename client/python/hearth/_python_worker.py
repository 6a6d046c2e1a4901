"""A warm Python process of an `Executor`: reads tasks, answers each.

The protocol, over a pipe each way: an unsigned 64-bit length, then so many bytes
of pickle. A request is ("define", key, pickled function), ("undefine", key),
("call", key, arguments) or ("end",). A call is answered with (True, result) or
(False, cloudpickled error, traceback as text, error as text), all else with
nothing. The end of its standard input is the end of the process, too, as is that
of who started it, whatever runs meanwhile.
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


def packed(message: Any) -> bytes:
    """Its pickle; arrays that are shared go as handles."""
    if not cloudpickle.list_registry_pickle_by_value():  # or somebody wants modules by value, too
        try:
            data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
            if b"__main__" not in data:  # what a script defines goes by value: the other end runs no script
                return data
        except Exception:  # noqa: BLE001, S110 - lambdas, classes of a notebook
            pass
    return cloudpickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def send(stream: IO[bytes], data: bytes) -> None:
    """One message, packed."""
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """The next message, packed and whole; EOFError where the other end is gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    length = _LENGTH.unpack(head)[0]
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


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


class _Functions:
    """What was defined here; loaded when it is called first: what can't be loaded fails its calls."""

    def __init__(self) -> None:
        self._codes: dict[bytes, bytes] = {}
        self._loaded: dict[bytes, Any] = {}

    def define(self, key: bytes, code: bytes) -> None:
        self._codes[key] = code

    def undefine(self, key: bytes) -> None:
        self._codes.pop(key, None)
        self._loaded.pop(key, None)

    def get(self, key: bytes) -> Any:
        if key in self._codes:
            self._loaded[key] = pickle.loads(self._codes[key])
            del self._codes[key]
        return self._loaded[key]


def serve(requests: IO[bytes], answers: IO[bytes], interrupts: _Interrupts) -> None:
    """Answers until it is told to end, or the other end is gone."""
    functions = _Functions()
    while True:
        try:
            answer = _answer(functions, receive(requests), interrupts)
            if answer is not None:
                send(answers, answer)
        except (_End, EOFError, BrokenPipeError):
            return


class _End(Exception):
    pass


def _answer(functions: _Functions, data: bytes, interrupts: _Interrupts) -> bytes | None:
    """What a request is answered with, if at all. Nothing that came with it is kept."""
    try:
        kind, *rest = pickle.loads(data)
        del data
        if kind == "call":
            result = _call(functions, rest, interrupts)
            del rest
            return packed((True, result))
    except BaseException as error:  # noqa: BLE001 - told to who asked
        interrupts.is_running = False
        failure = _failure(error)
        _clear_frames(error)
        return packed(failure)
    if kind == "end":
        raise _End
    getattr(functions, kind)(*rest)
    return None


def _call(functions: _Functions, request: list[Any], interrupts: _Interrupts) -> Any:
    key, args, kwargs = request
    request.clear()
    function = functions.get(key)
    interrupts.is_running = True
    result = function(*args, **kwargs)
    interrupts.is_running = False
    return result


def _clear_frames(error: BaseException | None) -> None:
    """Lets go of what functions had when they failed: an error that one of them keeps would hold it."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            waiting += [one.__cause__, one.__context__]


def main() -> None:
    """`python -c ... PID`: serves who started it, on what were the standard streams."""
    interrupts = _Interrupts()
    requests, answers = _lifeline.take_streams()
    _lifeline.end_with(int(sys.argv[1]), requests)
    serve(os.fdopen(requests, "rb"), os.fdopen(answers, "wb"), interrupts)
