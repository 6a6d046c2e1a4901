"""What a forked child inherits of its parent's connections, jobs and processes is the parent's still."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

import hearth
from hearth_process import wait_until

SECONDS_MAX = 20


@pytest.fixture(scope="module")
def one_worker():
    with hearth.local(workers=1, threads=1) as made:
        yield made


@pytest.fixture(scope="module")
def serving(one_worker):
    with hearth.ObjectServer(one_worker) as server:
        server.serve("forked.counter", Counting())
        yield server


@hearth.expose
class Counting:
    def up(self, count: int):
        yield from range(count)

    def one(self) -> int:
        return 1

    def sleep(self, seconds: float) -> int:
        time.sleep(seconds)
        return 1


@contextlib.contextmanager
def stopped(cluster):
    """A job that was submitted meanwhile runs."""
    pid = cluster.workers()[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def in_child(work):
    """What `work` gives, or raises, in a forked child."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            told = repr(work())
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    try:
        wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, SECONDS_MAX, "the child's end")
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        with open(reading) as told:
            pass_on = told.read()
    return pass_on


def assert_refused(told):
    assert told.startswith("BadUsage: ") and "forked process" in told and "spawn or forkserver" in told


# A child that ends as any program does, by sys.exit.
ENDING = """
import os, signal, sys
import numpy as np
import hearth

with hearth.local(workers=1, threads=1) as cluster:
    matrix = cluster.put("m", np.ones((1000, 1000)))
    worker = cluster.workers()[0]["pid"]
    if sys.argv[1] == "beside":
        cluster.map_reduce(len, matrix, int.__add__)
        before = [process.pid for process in cluster._processes]
    if sys.argv[1] == "objects":
        server = hearth.ObjectServer(cluster)
        watch = cluster.objects.watch(lambda *_: None)
    os.kill(worker, signal.SIGSTOP)
    job = cluster.submit("sum", matrix)
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        sys.exit(0)  # leaves the `with`, too
    status = os.waitpid(pid, 0)[1]
    os.kill(worker, signal.SIGCONT)
    print(status, job.result(20), cluster.run("max", matrix))
    if sys.argv[1] == "beside":
        assert before == [process.pid for process in cluster._processes if process.poll() is None]
"""


@pytest.mark.parametrize("also", ["nothing", "beside", "objects"])
def test_the_end_of_a_forked_child_ends_nothing_of_its_parent(also):
    ran = subprocess.run([sys.executable, "-c", ENDING, also], capture_output=True, text=True, timeout=90, check=False)
    assert (ran.stdout, ran.returncode) == ("0 1000000.0 1.0\n", 0), ran


def test_a_job_is_the_process_s_that_submitted_it(one_worker, digits):
    with stopped(one_worker):
        job = one_worker.submit("sum", digits)
        assert_refused(in_child(job.result))
        assert_refused(in_child(job.cancel))
        assert_refused(in_child(job._native.wait))
        assert_refused(in_child(job._native.cancel))
    assert job.result(20) == pytest.approx(digits.sum())
    assert in_child(job.result) == repr(job.result())
    assert in_child(job.cancel) == "False"


def test_a_call_and_its_items_are_the_process_s_that_asked(serving):
    counter = serving.objects.get("forked.counter")
    items = counter.up(20_000)
    call = counter.sleep.later(1.0)
    assert next(items) == 0
    assert_refused(in_child(lambda: next(items)))
    assert in_child(items.close) == "None"
    assert_refused(in_child(call.result))
    assert_refused(in_child(call.cancel))
    assert_refused(in_child(call._switch.cancel))
    assert call.result(20) == 1 and sum(1 for _ in items) == 19_999


def test_a_watch_goes_on_where_a_forked_child_lets_go_of_it(serving):
    seen = []
    watch = serving.objects.watch(lambda info, left: seen.append((info.name, left)), prefix="forked.watched")
    assert in_child(watch.close) == "None"
    serving.serve("forked.watched", Counting())
    wait_until(lambda: seen == [("forked.watched", False)], SECONDS_MAX, "what is watched")
    watch.close()


def test_an_executor_that_is_at_work_in_its_parent_refuses_a_child():
    with hearth.Executor(1) as executor, executor._lock:  # as where a process is being started
        assert_made_elsewhere(in_child(lambda: executor.submit(int)))
        assert_made_elsewhere(in_child(lambda: executor.map(int, "12")))
        assert in_child(executor.shutdown) == "None"
        assert in_child(lambda: executor.__exit__(KeyboardInterrupt, None, None)) == "None"
        with_own = in_child(own_result)
    assert with_own == "1024"


def assert_made_elsewhere(told):
    assert told.startswith("BadUsage: use an executor in a forked process") and "make one here" in told


def own_result():
    with hearth.Executor(1) as executor:
        return executor.submit(pow, 2, 10).result(20)


def test_a_process_is_told_what_it_has_served_though_a_thread_that_is_gone_was_at_work(serving):
    with hearth.objects._lock:
        assert_refused(in_child(lambda: serving.serve("forked.other", Counting())))
        assert in_child(serving.close) == "None"
    assert serving.objects.get("forked.counter").one() == 1


# The main thread of a child is the thread that forked it.
FROM_A_THREAD = """
import os, signal, sys, threading
import hearth

def fork():
    pid = os.fork()
    if pid:
        return
    counter = hearth.Proxy("forked.counter", sys.argv[1])
    counter.one()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        counter.sleep(60.0)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    os._exit(0)

thread = threading.Thread(target=fork)
thread.start()
thread.join()
os.wait()
"""


def test_ctrl_c_is_answered_in_a_child_that_a_thread_forked(serving):
    began = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", FROM_A_THREAD, serving.objects.address], capture_output=True,
                         text=True, timeout=90, check=False)
    assert (ran.stdout, ran.returncode) == ("interrupted\n", 0), ran
    assert time.monotonic() - began < 30
