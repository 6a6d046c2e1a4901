"""However processes end, in whatever order, nothing is left and nobody complains."""

import concurrent.futures
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from processes import descendants, marked

# Shares, hands out under every start method, and works; ends by itself soon.
SCENARIO = """
import multiprocessing, sys, time
import numpy as np
import children, hearth

def main():
    method, seed = sys.argv[1], int(sys.argv[2])
    context = multiprocessing.get_context(method)
    array = hearth.share(np.arange(100_000.0).reshape(1000, 100))
    opened = hearth.empty((100, 100))
    print("go", flush=True)
    with context.Pool(2) as pool:
        rounds = pool.starmap_async(children.work_a_while, [(array, 0.6), (array[10:], 0.6)])
        processes = [context.Process(target=children.fill_rows, args=(opened, 0, 100))]
        for process in processes:
            process.start()
        while not rounds.ready():
            if time.monotonic() > started + 4:
                return  # a worker was killed, and Pool waits for ever
            time.sleep(0.01)
        for process in processes:
            process.join(1)

started = time.monotonic()
if __name__ == "__main__":
    main()
"""


def play(method, seed, tmp_path):
    """One round: kills one process of the tree at a random moment."""
    chance = random.Random(seed)
    mark = f"{os.getpid()}.{seed}.{time.monotonic_ns()}"
    script = tmp_path / f"scenario{seed}.py"
    script.write_text(SCENARIO)
    folder = tmp_path / f"tmp{seed}"
    folder.mkdir()
    errors = tmp_path / f"errors{seed}"
    with errors.open("w") as stderr, subprocess.Popen(
            [sys.executable, script, method, str(seed)], stdout=subprocess.PIPE, stderr=stderr, text=True,
            start_new_session=True,  # or we were an ancestor, with whom unfetched handles stay
            env={**os.environ, "HEARTH_TEST_MARK": mark, "TMPDIR": str(folder)}) as other:
        assert other.stdout.readline() == "go\n"
        time.sleep(chance.uniform(0, 0.9 if method == "fork" else 2.0))
        tree = [other.pid, *descendants(other.pid), *marked(f"HEARTH_TEST_MARK={mark}")]
        victim = chance.choice(sorted(set(tree)))
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            pass
        parent_died = victim == other.pid
        try:
            other.wait(timeout=20)
        except subprocess.TimeoutExpired:
            other.kill()
            parent_died = True
    deadline = time.monotonic() + 10
    while (left := marked(f"HEARTH_TEST_MARK={mark}")) and time.monotonic() < deadline:
        if parent_died and time.monotonic() > deadline - 8:
            # Python's own: a pool's processes outlive a master that was killed, and wait for work.
            for pid in left:
                if not is_keeper(pid):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        time.sleep(0.05)
    said = f"killed {victim} of {sorted(set(tree))}\n" + errors.read_text()
    left = [f"{pid} {command_of(pid)}" for pid in left]
    return left, [line for line in said.splitlines() if "leaked shared_memory" in line
                  or "nanobind" in line or "Fatal" in line or "terminate" in line], \
        list(folder.iterdir()), said


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_keeper(pid):
    return " keeper " in command_of(pid)


def rounds_of(count, tmp_path):
    def one(seed):
        method = ("fork", "spawn", "forkserver")[seed % 3]
        return seed, method, *play(method, seed, tmp_path)

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        played = list(threads.map(one, range(count)))
    for seed, method, left, complaints, files, said in played:
        files = [path for path in files if not path.name.startswith("pymp-")]  # of a killed Python
        assert (left, files) == ([], []), f"round {seed}, {method}:\n{said}"
        assert not complaints, f"round {seed}, {method}: {complaints}"


def test_a_kill_at_any_moment_leaves_nothing(tmp_path):
    rounds_of(20, tmp_path)


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_nothing_often(tmp_path):
    rounds_of(200, tmp_path)


# Objects of every kind, let go in a random order, some never, some by threads still at work.
EXIT = """
import contextlib, random, sys, threading, pickle
import numpy as np
import hearth
chance = random.Random(int(sys.argv[1]))
things = [hearth.share(np.arange(100.0)) for _ in range(3)]
things += [things[0][5:], things[1].private(), np.asarray(things[2]), hearth.empty(10), memoryview(things[0])]
things.append(pickle.loads(pickle.dumps(things[1])))
opened = hearth.empty(10)
opened.seal()
if len(sys.argv) > 2:
    cluster = hearth.local(workers=1)
    things += [cluster, cluster.put("m", things[0]), cluster.put("m2", things[1])[2:4]]
    things.append(cluster["m"].submit("sum"))
    if chance.random() < 0.5:
        def sum_it(of):
            with contextlib.suppress(hearth.Error):  # the cluster may end first
                of.run("sum", "m")
        threading.Thread(target=sum_it, args=(cluster,), daemon=True).start()
    del cluster
chance.shuffle(things)
del things[:chance.randrange(len(things))]
if chance.random() < 0.3:
    globals()["cycle"] = things
    things.append(things)
if chance.random() < 0.2:
    sys.exit(0)
"""


def exits(count):
    """Interpreters that end at once, two at a time."""
    running = []
    for seed in range(count):
        arguments = [sys.executable, "-c", EXIT, str(seed), *(["cluster"] if seed % 5 == 0 else [])]
        running.append((seed, subprocess.Popen(arguments, stdout=subprocess.PIPE,
                                               stderr=subprocess.STDOUT, text=True)))
        if len(running) == 4 or seed == count - 1:
            for number, process in running:
                out, _ = process.communicate(timeout=60)
                assert (process.returncode, out) == (0, ""), f"round {number}"
            running = []


def test_the_interpreter_ends_cleanly():
    exits(50)


@pytest.mark.slow
def test_the_interpreter_ends_cleanly_often():
    exits(1000)


# What the interpreter lets go of after all else has ended, and which still uses all of it.
LAST = """
import sys
import numpy as np
import hearth

class Last:
    def __init__(self):
        self.cluster = hearth.local(workers=1)
        self.matrix = self.cluster.put("m", np.arange(10.0))
        self.executor = hearth.Executor(1)

    def __del__(self):
        for use in (self.matrix.sum, lambda: self.matrix.submit("sum"), self.cluster.ls, self.cluster.close,
                    lambda: self.executor.submit(int), self.executor.shutdown, lambda: hearth.Executor(1),
                    lambda: hearth.local(workers=1)):
            try:
                sys.stdout.write(f"{use()}\\n")
            except Exception as error:
                sys.stdout.write(f"{type(error).__name__}: {error}\\n")

last = Last()
last.cycle = last
"""


def test_what_is_let_go_of_at_the_end_can_use_nothing_and_hangs_at_nothing():
    ended = subprocess.run([sys.executable, "-c", LAST], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0 and ended.stderr == ""
    asked, submitted, _, closed, task, shut_down, executor, cluster = ended.stdout.splitlines()
    assert (closed, shut_down) == ("None", "None")
    for one in (asked, submitted, executor, cluster):
        assert one.startswith("ClusterEnded: ") and "the interpreter is ending" in one
    assert task == "RuntimeError: cannot schedule new futures after shutdown"
