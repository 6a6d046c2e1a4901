"""Warm Python processes, and functions over the blocks of a matrix."""

import concurrent.futures
import functools
import os
import signal
import time

import numpy as np
import pytest

import hearth


@pytest.fixture(scope="module")
def executor():
    with hearth.Executor(workers=2) as made:
        yield made


@pytest.fixture(scope="module")
def big():
    return hearth.share(np.random.default_rng(5).random((300_000, 8)))


def test_it_is_an_executor(executor):
    assert executor.submit(pow, 2, 10).result() == 1024
    assert list(executor.map(lambda x: x + 1, range(20))) == list(range(1, 21))
    done, _ = concurrent.futures.wait([executor.submit(os.getpid) for _ in range(20)])
    assert os.getpid() not in {future.result() for future in done}


def test_arrays_go_by_handle_and_come_back_so(executor, big):
    def on_shared_bytes(array):
        return type(array).__name__, hearth.array.segment_of(array) is not None, array.sum()

    assert executor.submit(on_shared_bytes, big[5:]).result() == ("Array", True, big[5:].sum())
    back = executor.submit(lambda array: array[10:20], big).result()
    assert type(back) is hearth.Array and np.array_equal(back, big[10:20])
    made = executor.submit(lambda: hearth.share(np.arange(10.0))).result()
    assert made.sealed and made.sum() == 45


def test_map_reduce(executor, big, cluster):
    assert np.allclose(executor.map_reduce(lambda block: np.exp(block).sum(axis=0), big),
                       np.exp(big).sum(axis=0))
    assert executor.map_reduce(np.max, big, max) == big.max()
    named = cluster.put("to_reduce", big)
    assert executor.map_reduce(len, named, int.__add__) == len(big)


def test_the_same_bits_with_any_number_of_processes(big):
    results = []
    for workers in (1, 2, 3):
        with hearth.Executor(workers) as executor:
            results.append(executor.map_reduce(lambda block: np.exp(block).sum(axis=0), big))
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()


def test_map_blocks(executor, big):
    roots = executor.map_blocks(np.sqrt, big)
    assert type(roots) is hearth.Array and roots.sealed and np.array_equal(roots, np.sqrt(big))
    sums = executor.map_blocks(lambda block: block.sum(axis=1), big)
    assert np.array_equal(sums, big.sum(axis=1))
    with pytest.raises(hearth.errors.BadUsage, match="as many rows"):
        executor.map_blocks(np.sum, big)


def test_blocks_are_views_that_nobody_copied(executor, big):
    def anonymous_kb(block):
        for line in open("/proc/self/smaps_rollup"):
            if line.startswith("Anonymous:"):
                return block.flags.owndata, block.flags.writeable, int(line.split()[1])

    owns, writeable, before = executor.submit(anonymous_kb, big[:1]).result()
    assert (owns, writeable) == (False, False)
    executor.map_reduce(lambda block: block.sum(), big)
    after = executor.submit(anonymous_kb, big).result()[2]
    assert after - before < 3000  # of 18,750


def test_errors_come_back_with_where_they_happened(executor):
    def divide(x):
        return 1 / x

    future = executor.submit(divide, 0)
    with pytest.raises(ZeroDivisionError) as raised:
        future.result()
    assert "in divide" in str(raised.value.__cause__)
    with pytest.raises(TypeError, match="pickle"):
        executor.submit(lambda: __import__("threading").Lock()).result()
    assert executor.submit(divide, 2).result() == 0.5


def test_a_killed_process_is_one_error_and_the_next_task_runs(executor):
    with pytest.raises(hearth.errors.WorkerLost, match="signal 9"):
        executor.submit(lambda: os.kill(os.getpid(), signal.SIGKILL)).result()
    assert [future.result() for future in [executor.submit(int, "7") for _ in range(6)]] == [7] * 6


def test_shutdown():
    executor = hearth.Executor(1)
    slow = executor.submit(time.sleep, 0.3)
    later = [executor.submit(int, "1") for _ in range(5)]
    executor.shutdown(cancel_futures=True)
    assert slow.done() and all(future.cancelled() for future in later)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(int)


def test_what_it_costs_a_block(executor):
    empty = hearth.share(np.zeros((1 << 20, 2)))
    nothing = functools.partial(len)
    executor.map_reduce(nothing, empty, int.__add__)
    began = time.perf_counter()
    futures = [executor.submit(nothing, empty[:1]) for _ in range(200)]
    concurrent.futures.wait(futures)
    assert (time.perf_counter() - began) / 200 < 0.02  # generous: it is 0.2 ms on a quiet machine
