"""Warm Python processes, and functions over the blocks of a matrix."""

import concurrent.futures
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import hearth
from hearth_process import alive, wait_until


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
    cluster.rm("to_reduce")


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


def test_blocks_are_views_that_nobody_copied(big):
    def anonymous_kb(block):
        for line in open("/proc/self/smaps_rollup"):
            if line.startswith("Anonymous:"):
                return block.flags.owndata, block.flags.writeable, int(line.split()[1])

    with hearth.Executor(1) as executor:  # the same process each time
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


class OfTwo(Exception):
    """Unpickling it fails: Exception keeps only one of its constructor's arguments."""

    def __init__(self, what, why):
        super().__init__(f"{what} because {why}")


class Silent(Exception):
    def __str__(self):
        raise ValueError("it says nothing")


def unmakeable():
    raise ValueError("can't be made again")


class Unmakeable:
    """Whatever unpickles it fails."""

    def __reduce__(self):
        return unmakeable, ()

    def __call__(self):
        return 1


def failing(error_type, *args):
    def function():
        raise error_type(*args)
    return function


# The thread that read such an answer ended with it, and the future was never done.
def test_an_error_that_cannot_be_made_again_is_an_error_all_the_same(executor):
    for _ in range(2 * executor.workers):
        with pytest.raises(RuntimeError, match="OfTwo: tea because rain"):
            executor.submit(failing(OfTwo, "tea", "rain")).result(20)
    assert isinstance(executor.submit(failing(Silent)).exception(20), Exception)
    assert executor.submit(pow, 2, 3).result(20) == 8


# A function that could not be loaded was answered twice; each call after it got the answer of the one before.
def test_what_cannot_be_loaded_there_leaves_answers_with_their_calls():
    with hearth.Executor(1) as executor:
        for _ in range(2):
            with pytest.raises(ValueError, match="made again"):
                executor.submit(Unmakeable()).result(20)
            with pytest.raises(ValueError, match="made again"):
                executor.submit(id, Unmakeable()).result(20)
        before = executor.submit(os.getpid).result(20)
        assert [executor.submit(abs, -i).result(20) for i in range(5)] == list(range(5))
        assert executor.submit(os.getpid).result(20) == before  # none of it cost a process


def test_arguments_of_a_script_s_own_classes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("""
import dataclasses, hearth

@dataclasses.dataclass
class Point:
    x: int

def moved(point):
    return Point(point.x + 1)

if __name__ == "__main__":
    with hearth.Executor(1) as executor:
        print(executor.submit(moved, Point(1)).result(20) == Point(2))
""")
    assert subprocess.run([sys.executable, script], capture_output=True, text=True, check=False).stdout == "True\n"


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused(workers):
    with pytest.raises(hearth.errors.BadUsage):
        hearth.Executor(workers)


# Its threads stay in the parent: what the child submitted was never done.
def test_a_forked_child_cannot_use_its_parent_s_executor(executor):
    def use(answers):
        try:
            executor.submit(abs, -1)
        except hearth.errors.BadUsage as error:
            answers.put(str(error))
        executor.shutdown()

    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    child = fork.Process(target=use, args=(answers,))
    child.start()
    assert "forked" in answers.get(timeout=20)
    child.join(20)
    assert child.exitcode == 0 and executor.submit(abs, -1).result(20) == 1


def test_what_a_shutdown_cancels_is_done_for_those_who_wait():
    executor = hearth.Executor(1)
    futures = [executor.submit(time.sleep, 0.2) for _ in range(4)]
    executor.shutdown(cancel_futures=True)
    done, waiting = concurrent.futures.wait(futures, timeout=10)
    assert not waiting and sum(future.cancelled() for future in done) >= 3


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


def test_a_shutdown_may_come_twice():
    executor = hearth.Executor(1)
    slow = executor.submit(time.sleep, 0.3)
    executor.shutdown(wait=False)
    executor.shutdown(cancel_futures=True)  # took out what ends the threads, once
    assert slow.done()


# Two processes that never end by themselves, each of which says that it has begun.
BUSY = """
import os, signal, sys, time
import hearth

def busy(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    if kind == "spins":
        while True:
            pass
    time.sleep(3600)

def begin(executor):
    started = [executor.submit(busy, folder) for _ in range(4)]
    while len(os.listdir(folder)) < 2:
        time.sleep(0.01)
    print("go", flush=True)
    started[0].result()

folder, kind, use = sys.argv[1:]
if use == "with":
    with hearth.Executor(2) as executor:
        begin(executor)
elif use == "exit":
    try:
        begin(hearth.Executor(2))
    except KeyboardInterrupt:
        sys.exit(130)
else:
    executor = hearth.Executor(2)
    if use == "forked" and os.fork() == 0:
        time.sleep(3600)  # it has our ends of their pipes
    begin(executor)
"""


def busy(folder, kind, use):
    """A program whose two processes are at work, and their numbers."""
    program = subprocess.Popen([sys.executable, "-c", BUSY, str(folder), kind, use], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert program.stdout.readline() == "go\n", program.communicate()[1]
    return program, [int(name) for name in os.listdir(folder)]


def end_group(program):
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    program.communicate()


@pytest.mark.parametrize("kind", ["spins", "sleeps"])
@pytest.mark.parametrize("use", ["plain", "forked"])
def test_processes_end_with_a_program_that_was_killed(tmp_path, kind, use):
    program, pids = busy(tmp_path, kind, use)
    try:
        program.kill()
        program.wait()
        wait_until(lambda: not any(alive(pid) for pid in pids), 20, "the end of its processes")
    finally:
        end_group(program)


@pytest.mark.parametrize("use, who", [("with", os.killpg), ("with", os.kill), ("plain", os.killpg),
                                      ("plain", os.kill), ("exit", os.killpg)])
def test_one_interrupt_ends_the_program_and_what_it_waits_for(tmp_path, use, who):
    program, pids = busy(tmp_path, "sleeps", use)
    try:
        who(program.pid, signal.SIGINT)
        _, said = program.communicate(timeout=30)  # of an hour
        assert program.returncode == (130 if use == "exit" else -signal.SIGINT), said
        assert said.count("Traceback") == (0 if use == "exit" else said.count("KeyboardInterrupt")), said
        wait_until(lambda: not any(alive(pid) for pid in pids), 20, "the end of its processes")
    finally:
        end_group(program)


def test_an_interrupt_ends_a_function_and_costs_no_process(tmp_path):
    with hearth.Executor(2) as executor:
        def work(path):
            open(path, "w").close()
            time.sleep(60)

        def pids():
            return {executor.submit(lambda: (time.sleep(0.01), os.getpid())[1]).result() for _ in range(20)}

        runs = executor.submit(work, tmp_path / "flag")
        wait_until((tmp_path / "flag").exists, 20, "its beginning")
        for process in executor._processes:  # one of them has nothing to do
            os.kill(process.pid, signal.SIGINT)
        assert isinstance(runs.exception(timeout=20), KeyboardInterrupt)
        assert pids() <= {process.pid for process in executor._processes}


@pytest.mark.parametrize("function, raised", [
    (lambda: exit(), SystemExit), (lambda: sys.exit(3), SystemExit), (lambda: input(), (EOFError, ValueError)),
    (lambda: [os.close(fd) for fd in range(3)], None), (lambda: os.write(1, b"x" * 1000), None),
], ids=["exit", "sys.exit", "input", "close", "write"])
def test_functions_may_do_what_they_like_to_the_standard_streams(function, raised):
    with hearth.Executor(1) as executor:
        error = executor.submit(function).exception(timeout=20)
        assert isinstance(error, raised) if raised else error is None
        assert executor.submit(pow, 2, 10).result(timeout=20) == 1024


def test_what_it_costs_a_block(executor):
    empty = hearth.share(np.zeros((1 << 20, 2)))
    nothing = functools.partial(len)
    executor.map_reduce(nothing, empty, int.__add__)
    began = time.perf_counter()
    futures = [executor.submit(nothing, empty[:1]) for _ in range(200)]
    concurrent.futures.wait(futures)
    assert (time.perf_counter() - began) / 200 < 0.02  # generous: it is 0.2 ms on a quiet machine
