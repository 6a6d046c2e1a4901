"""What waits, for asyncio: the same names, to be awaited.

    m = await hearth.aio.load("big.npy")
    async with await hearth.aio.local(workers=5) as cluster:
        mean = await cluster.submit("mean", m, axis=0)

    counter = hearth.aio.Proxy("counter")
    total = await counter.add(5)
    async for item in counter.up_to(10): ...

A `Job` can be awaited by itself.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

from . import cluster as _cluster
from . import errors
from . import objects as _objects
from . import sharing as _sharing
from ._checks import text
from .array import Array
from .proxy import Call, bound, call_options

_BYTES_BEGUN_HERE = 1 << 20  # of an array: copied in a fraction of a millisecond


class Cluster:
    """A `hearth.Cluster` whose calls are awaited."""

    def __init__(self, cluster: _cluster.Cluster) -> None:
        self.cluster = cluster

    @property
    def address(self) -> str:
        """What another process connects to."""
        return self.cluster.address

    async def put(self, name: str, matrix: Any, **options: Any) -> _cluster.Matrix:
        """See `hearth.Cluster.put`."""
        return await asyncio.to_thread(self.cluster.put, name, matrix, **options)

    async def make(self, name: str, shape: Any, **options: Any) -> _cluster.Matrix:
        """See `hearth.Cluster.make`."""
        return await asyncio.to_thread(self.cluster.make, name, shape, **options)

    async def get(self, name: str) -> _cluster.Matrix:
        """See `hearth.Cluster.get`."""
        return await asyncio.to_thread(self.cluster.get, name)

    async def ls(self) -> list[_cluster.Matrix]:
        """See `hearth.Cluster.ls`."""
        return await asyncio.to_thread(self.cluster.ls)

    async def rm(self, name: str) -> None:
        """See `hearth.Cluster.rm`."""
        await asyncio.to_thread(self.cluster.rm, name)

    async def submit(self, operation: str, matrix: Any, **options: Any) -> Any:
        """The result of an operation; to be cancelled like any task."""
        submitting = asyncio.ensure_future(asyncio.to_thread(self.cluster.submit, operation, matrix, **options))
        try:
            return await (await asyncio.shield(submitting))
        except asyncio.CancelledError:
            with contextlib.suppress(errors.Error):  # a thread can't be called back: what it submits is cancelled
                await asyncio.to_thread((await submitting).cancel)
            raise

    run = submit

    async def explain(self, operation: str, matrix: Any, **options: Any) -> dict[str, Any]:
        """See `hearth.Cluster.explain`."""
        return await asyncio.to_thread(self.cluster.explain, operation, matrix, **options)

    async def map_blocks(self, function: Callable[[Any], Any], matrix: Any, **options: Any) -> Array:
        """See `hearth.Cluster.map_blocks`; once begun, it goes on to its end."""
        return await asyncio.to_thread(self.cluster.map_blocks, function, matrix, **options)

    async def map_reduce(self, function: Callable[[Any], Any], matrix: Any, *combine: Callable[[Any, Any], Any],
                         **options: Any) -> Any:
        """See `hearth.Cluster.map_reduce`; once begun, it goes on to its end."""
        return await asyncio.to_thread(self.cluster.map_reduce, function, matrix, *combine, **options)

    async def jobs(self) -> list[dict[str, Any]]:
        """See `hearth.Cluster.jobs`."""
        return await asyncio.to_thread(self.cluster.jobs)

    async def cancel(self, job: str) -> None:
        """See `hearth.Cluster.cancel`."""
        await asyncio.to_thread(self.cluster.cancel, job)

    async def workers(self) -> list[dict[str, Any]]:
        """See `hearth.Cluster.workers`."""
        return await asyncio.to_thread(self.cluster.workers)

    async def drain(self, worker: str) -> int:
        """See `hearth.Cluster.drain`."""
        return await asyncio.to_thread(self.cluster.drain, worker)

    async def close(self) -> None:
        """See `hearth.Cluster.close`."""
        await asyncio.to_thread(self.cluster.close)

    async def __aenter__(self) -> Cluster:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def local(workers: int | None = None, threads: int | None = None) -> Cluster:
    """See `hearth.local`."""
    return Cluster(await asyncio.to_thread(_cluster.local, workers, threads))


async def connect(address: str | None = None, **options: Any) -> Cluster:
    """See `hearth.connect`."""
    return Cluster(await asyncio.to_thread(_cluster.connect, address, **options))


async def share(array: Any, consume: bool = False) -> Any:
    """See `hearth.share`."""
    return await asyncio.to_thread(_sharing.share, array, consume)


async def load(path: str | os.PathLike[str], **options: Any) -> Array:
    """See `hearth.load`."""
    return await asyncio.to_thread(_sharing.load, path, **options)


async def open(handle: str) -> Any:  # noqa: A001 - as hearth.open
    """See `hearth.open`."""
    return await asyncio.to_thread(_sharing.open, handle)


class Proxy:
    """A `hearth.Proxy` whose calls are awaited, and whose streams are read by ``async for``.

    An attribute is awaited as a method without parameters, ``await counter.sum()``,
    and written by ``await counter("sum=", 5)``.
    """

    def __init__(self, name: str, where: Any = None, *, timeout: float | None = None,
                 metadata: dict[str, str] | None = None, correlation: str = "") -> None:
        where = where.cluster if isinstance(where, Cluster) else where
        self._native = _objects.link_to(where).get(text(name, "find an object named")).with_options(
            *call_options(timeout, metadata, correlation))
        self._is_reached = False  # its last call came through

    def __getattr__(self, name: str) -> Callable[..., Awaited]:
        if name == "__hearth_object__":
            return self._native  # type: ignore[return-value]
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: Awaited(self, name, args, kwargs)

    def __call__(self, method: str, /, *args: Any, **kwargs: Any) -> Awaited:
        """A call of a method by its name."""
        return Awaited(self, text(method, "call the method"), args, kwargs)


class Awaited:
    """A call to be awaited, or gone through; it starts then."""

    def __init__(self, proxy: Proxy, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._proxy, self._name, self._args, self._kwargs = proxy, name, args, kwargs

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result().__await__()

    async def _result(self) -> Any:
        return await self._told(await self._begun())

    async def _begun(self) -> Call:
        native, args = self._proxy._native, self._args
        if self._kwargs:
            args = await asyncio.to_thread(bound, native, self._name, args, self._kwargs)
        # A call of an object at hand takes no time to begin. To look for one, or to copy large arrays, does.
        if self._proxy._is_reached and all(getattr(arg, "nbytes", 0) <= _BYTES_BEGUN_HERE for arg in args):
            return Call(native, self._name, args, None)
        beginning = asyncio.ensure_future(asyncio.to_thread(Call, native, self._name, args, None))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            beginning.add_done_callback(_cancel_begun)  # the thread goes on to look
            raise

    async def _told(self, call: Call) -> Any:
        try:
            result = await call
        except asyncio.CancelledError:
            call.cancel()
            raise
        except BaseException:
            self._proxy._is_reached = False
            raise
        self._proxy._is_reached = True
        return result

    async def __aiter__(self) -> AsyncIterator[Any]:
        call = await self._begun()
        items = await self._told(call)
        end = object()
        # A thread of its own: asyncio's are few, and this one may wait for long.
        thread = concurrent.futures.ThreadPoolExecutor(1, "hearth stream")
        try:
            loop = asyncio.get_running_loop()
            while (item := await loop.run_in_executor(thread, next, items, end)) is not end:
                yield item
        finally:
            call._switch.cancel()  # the thread may wait for the next one still
            items.close()
            thread.shutdown(wait=False)


def _cancel_begun(beginning: asyncio.Future[Call]) -> None:
    if not beginning.cancelled() and beginning.exception() is None:
        beginning.result().cancel()
