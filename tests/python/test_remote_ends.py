"""How waits for remote objects end: with a result, an error or not at all; and who has a name."""

import asyncio
import collections
import concurrent.futures
import os
import threading
import time

import numpy as np
import pytest
from remote import Cart, Counter, Serving

import hearth


@pytest.fixture(scope="module")
def serving(cluster):
    with Serving(cluster.address, "ends") as made:
        yield made


@pytest.fixture
def counter(cluster, serving):
    return hearth.Proxy("ends", cluster)


@pytest.mark.parametrize("count", [1, 2, 5, 700])
def test_items_come_though_the_next_one_is_long_in_coming(counter, count):
    items = counter.burst(count)
    assert [next(items) for _ in range(count)] == list(range(count))
    items.close()


def test_a_result_that_python_can_not_hold_is_an_error_however_it_is_waited_for(counter, cluster):
    with pytest.raises(TypeError, match="unhashable"):
        counter.by_point()
    with pytest.raises(TypeError, match="unhashable"):
        counter.by_point.later().result(20)

    async def awaited():
        await asyncio.wait_for(hearth.aio.Proxy("ends", cluster).by_point(), 20)

    with pytest.raises(TypeError, match="unhashable"):
        asyncio.run(awaited())


def test_a_connection_that_is_closed_leaves_others_theirs(cluster, counter):
    with hearth.ObjectServer(cluster.address) as server:
        server.serve("here", Counter(5))
        here = hearth.Proxy("here", cluster.address)
        assert here.add(1) == 6
        with hearth.connect(cluster.address) as passing:
            assert isinstance(passing.ls(), list)
        assert here.add(1) == 7
        assert counter.echo(1) == 1


def test_a_call_that_runs_while_its_server_leaves_runs_nowhere_else(cluster):
    runs = []

    @hearth.expose
    class Till:
        def __init__(self, name):
            self.name, self.begun, self.may_end = name, threading.Event(), threading.Event()

        def pay(self):
            runs.append(self.name)
            self.begun.set()
            self.may_end.wait(20)

    first, second = Till("first"), Till("second")
    second.may_end.set()
    with hearth.ObjectServer(cluster.address) as leaving, hearth.ObjectServer(cluster.address) as staying:
        leaving.serve("till", first)
        with concurrent.futures.ThreadPoolExecutor() as threads:
            paying = threads.submit(lambda: hearth.Proxy("till", cluster.address).pay())
            assert first.begun.wait(20)
            leaving.unserve("till")
            staying.serve("till", second)
            with pytest.raises(hearth.errors.OutcomeUnknown, match="taken away while the method ran"):
                paying.result(20)
            first.may_end.set()
    assert runs == ["first"]


def test_a_cancelled_loop_over_items_keeps_no_thread(cluster, serving):
    async def work():
        async def go():
            async for _ in hearth.aio.Proxy("ends", cluster).burst(3):
                pass
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(go(), 0.5)

    async def within_a_time():
        # What `run` would wait for at its end: the threads of the loop.
        await work()
        await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 20)

    asyncio.run(within_a_time())


def test_arrays_in_a_tuple_with_names_are_stacked():
    Pair = collections.namedtuple("Pair", "a b")
    pair = Pair(hearth.share(np.arange(3)), hearth.share(np.arange(3)))
    assert np.stack(pair).shape == (2, 3)


def test_a_name_is_replaced_within_a_process(cluster):
    with hearth.ObjectServer(cluster, classes=[Counter]) as server:
        server.serve("same", Counter(1))
        same = hearth.Proxy("same", cluster)
        assert same.add(0) == 1
        server.serve("same", Counter(2), replace=True)
        assert same.add(0) == 2
        server.serve("same", Cart, replace=True)
        assert same.put("a") == ["a"]
        with pytest.raises(hearth.errors.BadUsage):
            server.serve("same", Counter(3), tags=[""], replace=True)
        assert same.put("b") == ["a", "b"]  # what is refused replaces nothing
        with pytest.raises(hearth.errors.NameTaken):
            server.serve("$factory", Counter(4), replace=True)
        for start in 1, 2:
            made = cluster.objects.create("Counter", start, name="made", replace=True, pid=os.getpid())
            assert made.add(0) == start


def test_who_lost_a_name_neither_takes_it_away_nor_brings_it_back(cluster):
    with hearth.ObjectServer(cluster) as former, hearth.ObjectServer(cluster) as owner:
        former.serve("lost", Counter(1))
        owner.serve("lost", Counter(2), replace=True)
        former.unserve("lost")
        assert hearth.Proxy("lost", cluster).add(0) == 2
        former.serve("lost too", Counter(1))
        owner.serve("lost too", Counter(2), replace=True)
        owner.unserve("lost too")
        renewed = time.monotonic() + 3  # a third of the lease, twice
        while time.monotonic() < renewed:
            assert cluster.objects.find("lost too") == []
            time.sleep(0.1)
