"""What becomes of an executor's tasks, functions and processes when something ends or fails."""

import functools
import gc
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import hearth
from hearth_process import alive, kill, wait_until


def local_of(function, name):
    """A variable of a function that called the one that asks."""
    frame = sys._getframe()
    while frame.f_code.co_name != function:
        frame = frame.f_back
    return frame.f_locals[name]


# A program whose forked child has all its descriptors, and which says what is to end with it.
FORKED = """
import os, signal, sys, time
import hearth

def fork():
    pid = os.fork()
    if pid == 0:
        time.sleep(3600)
    return pid

if __name__ == "__main__":
    use = sys.argv[1]
    if use == "host":
        from hearth.functions import start_beside
        with hearth.local(workers=1) as cluster:
            start_beside(cluster)
            ending = [process.pid for process in cluster._processes]
            print(fork(), *ending, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    executor = hearth.Executor(2)
    print(fork(), *[process.pid for process in executor._processes], flush=True)
    executor.submit(int).result()
    if use == "with":
        with executor:
            pass
    elif use == "shutdown":
        executor.shutdown()
"""


@pytest.mark.parametrize("use", ["with", "shutdown", "exit", "host"])
def test_a_forked_child_that_lives_on_holds_up_no_end(use):
    program = subprocess.Popen([sys.executable, "-c", FORKED, use], stdout=subprocess.PIPE, text=True,
                               start_new_session=True)
    try:
        child, *ending = map(int, program.stdout.readline().split())
        assert ending
        assert program.wait(60) == (-signal.SIGKILL if use == "host" else 0)
        wait_until(lambda: not any(map(alive, ending)), 30, "the end of its processes")
        assert alive(child)
    finally:
        for pid in (program.pid, *ending):
            kill(pid)
        os.killpg(program.pid, signal.SIGKILL)
        program.stdout.close()
        program.wait()


def leave_a_thread():
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return os.getpid()


def test_a_process_that_does_not_end_by_itself_is_ended(monkeypatch):
    monkeypatch.setattr(hearth.executor, "_END_SECONDS", 0.2)
    executor = hearth.Executor(1)
    pid = executor.submit(leave_a_thread).result(20)
    ending = threading.Thread(target=executor.shutdown, daemon=True)
    ending.start()
    ending.join(30)
    try:
        assert not ending.is_alive() and not alive(pid)
    finally:
        kill(pid)


class Scale:
    def __init__(self, by):
        self.by = by

    def __call__(self, x):
        return x * self.by

    def method(self, x):
        return x * self.by


def test_a_function_is_what_it_was_when_it_was_submitted():
    scale, factor, factors = Scale(2), 2, [2]

    def closure(x):
        return x * factor

    def over_a_list(x):
        return [x * one for one in factors][0]

    functions = [scale, scale.method, functools.partial(Scale.method, scale), closure, over_a_list]
    with hearth.Executor(1) as executor:
        assert [executor.submit(one, 10).result(20) for one in functions] == [20] * 5
        waiting = [executor.submit(time.sleep, 0.1), *[executor.submit(one, 10) for one in functions]]
        scale.by = factor = factors[0] = 3
        assert [executor.submit(one, 10).result(20) for one in functions] == [30] * 5
        assert [one.result(20) for one in waiting[1:]] == [20] * 5


def test_a_function_of_a_script_sees_its_globals_as_they_are(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("""
import hearth
factor = 2

def inner(x):
    return x * factor

def scaled(x):
    return inner(x) + (lambda: factor)()

def default(x, by=2):
    return x * by

if __name__ == "__main__":
    with hearth.Executor(1) as executor:
        print([executor.submit(one, 10).result(20) for one in (inner, scaled, default)])
        factor = 3
        default.__defaults__ = (3,)
        print([executor.submit(one, 10).result(20) for one in (inner, scaled, default)])
        inner = abs
        print(executor.submit(scaled, 10).result(20))
""")
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=60)
    assert ran.stdout == "[20, 22, 20]\n[30, 33, 30]\n13\n", ran.stderr


loads = 0


class Loaded:
    """Says how often it was loaded where it runs."""

    def __init__(self, number=0):
        self.number = number

    def __setstate__(self, state):
        global loads
        loads += 1
        self.__dict__ = state

    def __call__(self):
        return loads


def kept():
    functions = local_of("serve", "functions")
    return len(functions._loaded) + len(functions._codes)


def test_a_function_is_sent_once_and_few_are_kept():
    with hearth.Executor(1) as executor:
        assert [executor.submit(Loaded()).result(20) for _ in range(5)] == [1] * 5
        many = [Scale(i) for i in range(100)]
        gone = [weakref.ref(one) for one in many]
        assert [executor.submit(one.method, 10).result(20) for one in many] == [10 * i for i in range(100)]
        del many
        assert executor.submit(kept).result(20) <= 8
        assert len(executor._processes[0]._defined) <= 8
        wait_until(lambda: gc.collect() >= 0 and not any(one() for one in gone), 20, "the end of what was submitted")
        assert len(executor._codes._shared) <= 1 and len(executor._codes._remembered) <= 8
        assert executor.submit(Loaded()).result(20) == 2  # it was let go of, and was sent again


def test_large_functions_are_not_kept_beside_each_other():
    with hearth.Executor(1) as executor:
        for number in range(4):
            large = functools.partial(len, bytes(12 << 20) + bytes([number]))
            assert executor.submit(large).result(60) == (12 << 20) + 1
        assert executor.submit(kept).result(20) == 3
        assert executor.submit(functools.partial(len, bytes(40 << 20))).result(60) == 40 << 20
        assert sum(executor._processes[0]._defined.values()) > 40 << 20  # one is kept, however large


def fails(array):
    raise ValueError("as told")


def fails_and_keeps(array):
    try:
        raise KeyError("the first")
    except KeyError as first:
        kept = first  # noqa: F841 - an error that its own frame holds
        raise ValueError("as told") from first


@pytest.mark.parametrize("function", [fails, fails_and_keeps])
def test_a_task_that_raised_keeps_none_of_its_arguments(function):
    with hearth.Executor(1) as executor:
        array = hearth.empty((1000, 8))
        array[:] = 1
        with pytest.raises(ValueError, match="as told"):
            executor.submit(function, array).result(20)
        assert array.seal().sum() == 8000
        with pytest.raises(ValueError, match="as told"):
            executor.submit(function, array=hearth.empty((10, 8))).result(20)
        assert executor.submit(mapped).result(20) == 0


def mapped():
    return sum(isinstance(one, hearth.Array) for one in gc.get_objects())


def test_a_result_is_let_go_of_with_its_future():
    with hearth.Executor(1) as executor:
        result = executor.submit(Scale, 2).result(20)
        gone = weakref.ref(result)
        del result
        wait_until(lambda: gone() is None, 20, "its end")


def dies_within_its_answer():
    answers = local_of("serve", "answers")
    os.write(answers.fileno(), struct.pack("<Q", 1000) + pickle.dumps("x" * 900, 5)[:500])
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_within_its_answer_costs_one_task():
    with hearth.Executor(1) as executor:
        lost = executor.submit(dies_within_its_answer)
        later = executor.submit(pow, 2, 10)
        with pytest.raises(hearth.errors.WorkerLost, match="signal 9"):
            lost.result(20)
        assert later.result(20) == 1024


class Nameless:
    def __repr__(self):
        raise ValueError("no name")

    def __call__(self):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_function_without_a_name_ends_as_any_other():
    with hearth.Executor(1) as executor:
        with pytest.raises(hearth.errors.WorkerLost, match="run a Nameless: .* signal 9"):
            executor.submit(Nameless()).result(20)
        assert executor.submit(pow, 2, 10).result(20) == 1024


def test_where_no_process_can_be_started_what_waits_fails(monkeypatch):
    def start(*_, **__):
        raise OSError("no more processes")

    with hearth.Executor(1) as executor:
        executor.submit(int).result(20)
        with monkeypatch.context() as patched:
            patched.setattr(hearth.executor.subprocess, "Popen", start)
            futures = [executor.submit(Nameless()), executor.submit(pow, 2, 10), executor.submit(pow, 2, 11)]
            assert "signal 9" in str(futures[0].exception(20))
            for future in futures[1:]:
                with pytest.raises(hearth.errors.WorkerLost, match="could be started: no more processes"):
                    future.result(20)
        assert executor.submit(np.sqrt, 16).result(20) == 4


# Two processes, six tasks, and a program that does not wait for them.
LEFT_BEHIND = """
import pathlib, sys, time
import hearth

def work(folder, number):
    time.sleep(0.2)
    (pathlib.Path(folder) / str(number)).touch()

if __name__ == "__main__":
    how, folder = sys.argv[1:]
    executor = hearth.Executor(workers=2)
    futures = [executor.submit(work, folder, number) for number in range(6)]
    if how == "result":
        futures[0].result()
    elif how == "shutdown":
        executor.shutdown(wait=False)
    elif how == "raise":
        raise ValueError
    elif how == "interrupt":
        raise KeyboardInterrupt
"""


@pytest.mark.parametrize("how", ["end", "result", "shutdown", "raise", "interrupt"])
def test_what_was_submitted_is_done_before_the_program_ends(how, tmp_path):
    (tmp_path / "left_behind.py").write_text(LEFT_BEHIND)
    (tmp_path / "done").mkdir()
    program = subprocess.run([sys.executable, tmp_path / "left_behind.py", how, tmp_path / "done"],
                             stderr=subprocess.PIPE, text=True, timeout=60)
    done = len(list((tmp_path / "done").iterdir()))
    assert done == 6 if how != "interrupt" else done < 6, program.stderr
    assert (program.returncode == 0) == (how in ("end", "result", "shutdown")), program.stderr
