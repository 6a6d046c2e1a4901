"""hearth.aio beside a loop that has to go on, and arguments that change while they are sent."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

import hearth
from remote import Serving


@pytest.fixture(scope="module")
def serving(cluster):
    with Serving(cluster.address, "async") as made:
        yield made


@pytest.fixture
def stopped(cluster):
    """The name of an object whose process does nothing any more."""
    with Serving(cluster.address, "stopped") as made:
        made.process.send_signal(signal.SIGSTOP)
        yield "stopped"
        made.process.send_signal(signal.SIGCONT)


async def longest_pause(work):
    """How long the loop stood still while `work` was awaited."""
    longest = 0.0

    async def beat():
        nonlocal longest
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()

    beating = asyncio.create_task(beat())
    await work
    beating.cancel()
    return longest


def test_the_loop_goes_on_while_an_object_is_looked_for(cluster, stopped):
    async def work():
        began = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(hearth.aio.Proxy(stopped, cluster).echo(1), 0.5)
        assert time.monotonic() - began < 3

    async def main():
        assert await longest_pause(work()) < 2
    asyncio.run(main())


def test_streams_that_wait_take_no_thread_that_others_need(cluster, serving):
    async def main():
        counter = hearth.aio.Proxy("async", cluster)

        async def listen():
            async for _ in counter.rare(10.0):
                pass

        listening = [asyncio.create_task(listen()) for _ in range((os.cpu_count() or 1) + 6)]
        await asyncio.sleep(1)
        assert await asyncio.wait_for(counter.echo(value=2), 20) == 2
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 3), 20) == 3
        for task in listening:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*listening, return_exceptions=True), 20)
    asyncio.run(main())


# In a process of its own, which a wrong pointer would end.
CHANGED = """
import sys, threading
import numpy as np
import hearth

def arrays():
    return [np.zeros(3) for _ in range(50)]

proxy, sent = hearth.Proxy("async", sys.argv[1]), {"k": arrays()}

def change():
    while True:
        sent["k"] = arrays()

sys.setswitchinterval(1e-5)
threading.Thread(target=change, daemon=True).start()
for _ in range(1000):
    assert len(proxy.echo(sent)["k"]) == 50
"""


def test_a_dict_may_change_while_it_is_sent(cluster, serving):
    subprocess.run([sys.executable, "-c", CHANGED, cluster.address], check=True, timeout=100)
