"""Classes that the tests serve, and a process that serves them."""

import dataclasses
import subprocess
import sys
import threading
import time

import numpy as np

import hearth


@dataclasses.dataclass
class Account:
    owner: str
    cents: int


@dataclasses.dataclass(frozen=True)
class Point:
    x: int


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@hearth.expose
class Counter:
    """Counts."""

    def __init__(self, start: int = 0):
        self.total, self._step = start, 1
        self.ended = threading.Event()

    def add(self, amount: int, times: int = 1) -> int:
        """Adds, and tells the sum."""
        self.total += amount * times
        return self.total

    @hearth.expose(exactly_once=True)
    def increment(self) -> int:
        self.total += 1
        return self.total

    @property
    def step(self) -> int:
        return self._step

    @step.setter
    def step(self, value):
        self._step = value

    @property
    def sum(self) -> int:
        return self.total

    @hearth.expose(concurrent=True)
    def echo(self, value):
        return value

    def half(self, value: float) -> float:
        return value / 2

    @hearth.expose(oneway=True)
    def note(self, amount: int):
        self.total += amount

    def up(self, count: int):
        for number in range(count):
            self.made = number
            yield number

    def burst(self, count: int):
        """These at once, and no other before the end."""
        yield from range(count)
        self.ended.wait()

    def by_point(self):
        return {Point(1): 2}

    def rare(self, seconds: float):
        self.asked = True
        time.sleep(seconds)
        yield self.total

    @property
    def rare_is_asked(self) -> bool:
        return getattr(self, "asked", False)

    def blocks(self, count: int, length: int):
        block = np.empty(length)
        for number in range(count):
            block[:] = number  # the same one each time
            yield block

    def keep(self, value):
        self.kept = value
        return 1

    def kept_sum(self) -> float:
        return float(self.kept.sum())

    def keep_and_sleep(self, value, seconds: float):
        self.kept = value
        time.sleep(seconds)

    def made_so_far(self):
        return self.made

    def fail(self, text: str):
        raise ValueError(text)

    def fail_badly(self, how: str):
        if how == "no text":
            raise Speechless
        raise ValueError("\ud800" if how == "surrogate" else "long " * 100_000)

    def fail_by_name(self):
        raise hearth.RemoteError("bank.NoSuchAccount", "nobody is called carl")

    def missing(self):
        return {}["key"]

    def give_much(self):
        return "x" * (70 << 20)

    def give_set(self):
        return {1}

    @hearth.expose(concurrent=True)
    def sleep(self, seconds: float):
        self.ended.wait(seconds)
        return "slept"

    def call_back(self, guest, count: int):
        return [guest.hear(number) for number in range(count)]

    def told(self):
        call = hearth.current_call()
        return call.metadata, call.correlation, call.deadline is not None

    def pass_on(self, name: str, method: str):
        return getattr(hearth.Proxy(name), method)()

    def matrix(self, matrix):
        array = np.asarray(matrix)
        is_view = isinstance(matrix, hearth.Array) or \
            isinstance(matrix, hearth.Matrix) and isinstance(matrix.array(), hearth.Array)
        return float(array.sum()), list(array.shape), is_view

    def _hidden(self):
        return "never"


class Partly:
    """Only what is marked."""

    @hearth.expose
    def seen(self):
        return hearth.current_call().session

    def unseen(self):
        return "never"


@hearth.expose(mode="session")
class Cart:
    def __init__(self):
        self.items = []

    @hearth.expose(exactly_once=True)
    def put(self, item):
        self.items.append(item)
        return self.items


@hearth.expose(mode="per-call")
class Once:
    def __init__(self):
        self.calls = 0

    def call(self):
        self.calls += 1
        return self.calls


@hearth.expose
class Guest:
    def __init__(self):
        self.heard = []

    def hear(self, what):
        self.heard.append(what)
        return what * 10


class Serving:
    """A process that serves a Counter by a name, and the classes by theirs."""

    def __init__(self, address, name, *options):
        self.name = name
        self.process = subprocess.Popen([sys.executable, "-m", "remote", address, name, *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.communicate(timeout=20)
        self.process.stdout.close()
        self.process.stdin.close()


def main():
    address, name, *_ = sys.argv[1:]
    with hearth.ObjectServer(address, classes=[Counter]) as server:
        counter = Counter()
        server.serve(name, counter, tags=["python", "test"])
        server.serve(f"{name}.partly", Partly())
        server.serve(f"{name}.cart", Cart)
        server.serve(f"{name}.once", Once)
        print("ready", flush=True)
        sys.stdin.read()
        counter.ended.set()  # nobody waits for who sleeps


if __name__ == "__main__":
    main()
