"""Functions over blocks, run in the Python processes beside a cluster's workers."""

import concurrent.futures
import contextlib
import os
import pathlib
import signal
import sys
import threading
import time

import numpy as np
import pytest

import hearth
from hearth.array import segment_of
from hearth_process import Server, alive, environment, kill, wait_until
from hearth.functions import blocks_of, runs_of
from processes import holders_of, pss_kb
from remote import Counter


@pytest.fixture(scope="module")
def rows():
    return hearth.share(np.random.default_rng(7).random((1 << 15, 64)))  # 16 blocks of 1 MiB


@pytest.fixture(scope="module")
def matrix(cluster, rows):
    yield cluster.put("rows_of_functions", rows)
    cluster.rm("rows_of_functions")


@pytest.fixture
def allowing():
    """A coordinator, and workers that were started with --allow-python."""
    env = environment(HEARTH_PYTHON=sys.executable)
    with Server("coordinator", env=env) as coordinator, \
            Server("worker", "--coordinator", coordinator.address, "--workers", "2", "--allow-python", env=env) as made:
        made.cluster_address = coordinator.address
        yield made


def test_blocks_cover_the_rows_and_runs_are_aligned():
    for length, row_bytes in ((1, 8), (1000, 8), (1 << 15, 512), (12345, 100_000)):
        blocks = blocks_of((length,), length * row_bytes)
        assert [begin for begin, _ in blocks] == [0, *(end for _, end in blocks[:-1])] and blocks[-1][1] == length
        for processes in (1, 2, 7):
            runs = runs_of(blocks, processes)
            assert sum(runs, []) == blocks
            assert len(runs[0]) & (len(runs[0]) - 1) == 0


def test_a_reduction_is_that_of_numpy_and_has_the_same_bits_again(cluster, matrix, rows):
    result = cluster.map_reduce(lambda block: np.exp(block).sum(axis=0), matrix)
    np.testing.assert_allclose(result, np.exp(rows).sum(axis=0), rtol=1e-12)
    with hearth.Executor(1) as executor:
        alone = executor.map_reduce(lambda block: np.exp(block).sum(axis=0), rows)
    assert result.tobytes() == alone.tobytes()


@pytest.mark.parametrize("function, combine, expected", [
    (lambda block: float(block.max()), max, lambda rows: rows.max()),
    (lambda block: (block.sum(), len(block)), lambda a, b: (a[0] + b[0], a[1] + b[1]),
     lambda rows: (pytest.approx(rows.sum()), len(rows))),
    (lambda block: {"low": block.min()}, lambda a, b: {"low": min(a["low"], b["low"])},
     lambda rows: {"low": rows.min()}),
    (lambda block: np.float32(block[0, 0]), lambda a, b: b, lambda rows: np.float32(rows[-2048, 0])),
], ids=["number", "tuple", "dict", "numpy"])
def test_values_that_are_joined_may_be_of_many_types(cluster, matrix, rows, function, combine, expected):
    assert cluster.map_reduce(function, matrix, combine) == expected(np.asarray(rows))


@pytest.mark.parametrize("function", [np.sqrt, lambda block: block.sum(axis=1), lambda block: block > 0.5,
                                      lambda block: block[:, :3].astype(np.float32)],
                         ids=["rows", "column", "bool", "narrower"])
def test_a_new_matrix_is_that_of_numpy(cluster, matrix, rows, function):
    result = cluster.map_blocks(function, matrix)
    expected = function(np.asarray(rows))
    np.testing.assert_array_equal(result, expected)
    assert result.sealed and result.dtype == expected.dtype and type(result) is hearth.Array


@pytest.mark.parametrize("shape", [(1,), (3, 2), (100_000,), (5, 4, 3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_array_will_do(cluster, shape, order):
    array = np.asarray(np.random.default_rng(8).random(shape), order=order)
    np.testing.assert_array_equal(cluster.map_blocks(lambda block: block * 2, array), array * 2)
    assert cluster.map_reduce(lambda block: block.sum(), array) == pytest.approx(array.sum())
    assert not [one for one in cluster.ls() if one.name.startswith("_lent_")]


def test_a_file_and_a_name_will_do(cluster, matrix, rows, tmp_path):
    np.save(tmp_path / "rows.npy", rows)
    total = cluster.map_reduce(lambda block: block.sum(), "rows_of_functions")
    assert cluster.map_reduce(lambda block: block.sum(), tmp_path / "rows.npy") == total


def test_blocks_are_views_of_the_shared_bytes(cluster, matrix):
    told = cluster.map_reduce(lambda block: [[block.flags.owndata, block.flags.writeable, type(block).__name__]],
                              matrix, lambda a, b: a + b)
    assert told == [[False, False, "Array"]] * len(told)


def test_a_function_is_sent_once_to_a_process(cluster, matrix, monkeypatch):
    from hearth import proxy
    sent = []
    call = proxy.Method.__call__
    monkeypatch.setattr(proxy.Method, "__call__", lambda self, *args: (sent.append(self._name), call(self, *args))[1])

    def once(block):
        return block.sum() + 31

    for _ in range(3):
        cluster.map_reduce(once, matrix)
    assert sent.count("define") == 2 and sent.count("begin") == 2 * 3 + 2


def test_functions_are_let_go_of_in_the_processes(cluster, matrix):
    def with_capture(number):
        held = np.full(1 << 20, number, np.float64)  # 8 MiB
        return lambda block: held[0] * len(block)

    def memory():
        return sum(pss_kb(one.pid) for one in cluster.objects.find(prefix="_python."))

    for number in range(6):
        assert cluster.map_reduce(with_capture(number), matrix) == number * matrix.shape[0]
    before = memory()
    for number in range(6, 16):
        assert cluster.map_reduce(with_capture(number), matrix) == number * matrix.shape[0]
    assert memory() < before + 90_000  # 160 MiB, were they kept


def test_many_functions_at_once_push_each_other_out_and_are_sent_again(cluster, matrix):
    functions = [lambda block, number=number: number * len(block) for number in range(12)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for _ in range(3):
            results = list(pool.map(lambda one: cluster.map_reduce(one, matrix), functions))
            assert results == [number * matrix.shape[0] for number in range(12)]


# All but the first found that the processes were started, and went on before they were ready: a division by zero.
def test_the_first_functions_may_come_all_at_once(matrix):
    rows = matrix.array()
    with hearth.local(workers=2) as own, concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: own.map_reduce(len, rows), range(8))) == [len(rows)] * 8
        assert len(own._processes) == 2


def test_progress_is_told(cluster, matrix):
    told = []
    cluster.map_reduce(lambda block: block.sum(), matrix, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (16, 16) and [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize("function, kind, found", [
    (lambda block: 1 / 0, ZeroDivisionError, "division by zero"),
    (lambda block: {1}, hearth.errors.BadParameter, "its result .*is of type set"),
], ids=["raises", "no value"])
def test_what_a_function_does_wrong_is_told(cluster, matrix, function, kind, found):
    with pytest.raises(kind, match=found):
        cluster.map_reduce(function, matrix)
    assert cluster.map_reduce(lambda block: len(block), matrix) == matrix.shape[0]


@pytest.mark.parametrize("function, kind, found", [
    (lambda block: exit(), hearth.RemoteError, "SystemExit"),  # closes sys.stdin, too
    (lambda block: sys.exit(3), hearth.RemoteError, "SystemExit: 3"),
    (lambda block: input(), hearth.RemoteError, "EOFError|I/O operation on closed file|lost sys.stdin"),
], ids=["exit", "sys.exit", "input"])
def test_a_function_that_ends_the_program_or_asks_for_input_is_an_error(cluster, matrix, function, kind, found):
    before = {one.pid for one in cluster.objects.find(prefix="_python.")}
    with pytest.raises(kind, match=found):
        cluster.map_reduce(function, matrix)
    assert cluster.map_reduce(lambda block: len(block), matrix) == matrix.shape[0]
    assert before <= {one.pid for one in cluster.objects.find(prefix="_python.")}


def test_a_function_may_print_and_close_the_standard_streams(rows):
    def closing(block):
        print("a line of many" * 50)
        for fd in range(3):
            with contextlib.suppress(OSError):
                os.close(fd)
        return len(block)

    with hearth.local(workers=1) as own:  # they stay closed
        for _ in range(2):
            with contextlib.suppress(hearth.RemoteError):  # prints fail from then on
                assert own.map_reduce(closing, rows) == len(rows)
        assert own.map_reduce(lambda block: len(block), rows) == len(rows)


def test_a_wrong_shape_is_told(cluster, matrix):
    with pytest.raises(hearth.errors.BadUsage, match=r"a block of 2048 rows gave an array of shape \(64,\)"):
        cluster.map_blocks(lambda block: block.sum(axis=0), matrix)
    with pytest.raises(hearth.errors.BadParameter, match="it has no rows"):
        cluster.map_reduce(len, np.empty((0, 3)))


def later_blocks_give(make):
    """Floats of one column for the first block, and something else for all others."""
    def function(block):
        return block[:, :1].copy() if block[0, 0] == 0 else make(block)
    return function


@pytest.fixture(scope="module")
def counted():
    return np.arange(1 << 19, dtype=np.float64).reshape(-1, 64)  # 4 blocks of 1 MiB, the first begins with 0


@pytest.mark.parametrize("where", ["cluster", "executor"])
@pytest.mark.parametrize("make, came", [
    (lambda block: 7.0, r"float64 of shape \(\)"),
    (lambda block: block[:1, :1], r"float64 of shape \(1, 1\)"),
    (lambda block: block[:, 0], r"float64 of shape \(2048,\)"),
    (lambda block: block[:, :1] + 1j, r"complex128 of shape \(2048, 1\)"),
    (lambda block: [[None]] * len(block), r"object of shape \(2048, 1\)"),
    (lambda block: np.ma.masked_less(block[:, :1], 5), "a masked array"),
    (lambda block: [[1], [2, 3]], "no array"),
], ids=["scalar", "one row", "one axis", "complex", "None", "masked", "ragged"])
def test_a_block_that_gives_other_than_the_first_is_told(cluster, counted, where, make, came):
    with hearth.Executor(1) as executor:
        with pytest.raises(hearth.errors.BadUsage, match=rf"rows \[\d+, \d+\) gave {came}"):
            (cluster if where == "cluster" else executor).map_blocks(later_blocks_give(make), counted)


def test_no_value_of_a_later_block_is_rounded_to_the_type_of_the_first(cluster, counted):
    def integers_first(block):
        return block[:, 0].astype(np.int64) if block[0, 0] == 0 else block[:, 0] / 2

    with pytest.raises(hearth.errors.BadUsage, match=r"gave float64 of shape \(2048,\), and the first block promised "
                                                     r"int64 of shape \(2048,\); give the same of every block"):
        cluster.map_blocks(integers_first, counted)
    narrower = cluster.map_blocks(later_blocks_give(lambda block: block[:, :1].astype(np.int32)), counted)
    np.testing.assert_array_equal(narrower, counted[:, :1])


def test_what_was_mapped_is_let_go_of_once_the_matrix_is_removed(cluster):
    made = cluster.make("passing", (1000, 1000))
    cluster.map_reduce(lambda block: block.sum(), made)
    array = made.array()
    identity = segment_of(array).identity
    beside = {one.pid for one in cluster.objects.find(prefix="_python.")}
    assert beside <= set(holders_of(identity))
    cluster.rm("passing")
    wait_until(lambda: not beside & set(holders_of(identity)), 10, "their letting go")
    np.testing.assert_allclose(array.mean(), 0.5, atol=0.01)


# ------------------------------------------------------------------------- what dies

def dies_while(flag):
    def function(block):
        try:
            os.unlink(flag)
        except FileNotFoundError:
            return block.sum()
        os.kill(os.getpid(), signal.SIGKILL)
    return function


def test_a_process_that_is_killed_costs_nothing_but_time(cluster, matrix, rows, tmp_path):
    for _ in range(3):
        (tmp_path / "flag").touch()
        assert cluster.map_reduce(dies_while(tmp_path / "flag"), matrix) == pytest.approx(rows.sum())
    (tmp_path / "flag").touch()
    function = dies_while(tmp_path / "flag")
    result = cluster.map_blocks(lambda block: block * (function(block) > 0), matrix)
    np.testing.assert_array_equal(result, rows)


def test_a_block_that_kills_three_processes_fails_with_their_stories(cluster, matrix):
    def deadly(block):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(hearth.errors.TaskFailed) as told:
        cluster.map_reduce(deadly, matrix)
    assert "deadly over rows [" in str(told.value) and "3 attempts failed; attempt 1: process " in str(told.value)
    assert cluster.map_reduce(lambda block: len(block), matrix) == matrix.shape[0]


def test_a_deadly_function_takes_no_more_processes_than_its_attempts(cluster, matrix, rows, tmp_path):
    folder = str(tmp_path)

    def deadly(block):
        with open(os.path.join(folder, str(os.getpid())), "w"):
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(hearth.errors.TaskFailed, match="3 attempts failed"):
        cluster.map_reduce(deadly, matrix)
    assert 3 <= len(os.listdir(folder)) <= 4  # two at once, and two further attempts at one run


def test_a_function_that_captures_too_much_is_told_at_once(cluster, matrix):
    held = np.zeros(9 << 20)  # 72 MiB
    began = time.monotonic()
    with pytest.raises(hearth.errors.TooLarge, match=r"takes 7549\d{4} bytes with all that it captures, over the "
                                                     r"66060288 of a call; hearth.share the arrays"):
        cluster.map_reduce(lambda block: held[0], matrix)
    assert time.monotonic() - began < 5
    shared = hearth.share(held)
    assert cluster.map_reduce(lambda block: float(shared[0]), matrix) == 0
    nearly = np.ones(7 << 20)  # 56 MiB
    assert cluster.map_reduce(lambda block: float(nearly[0]), matrix) > 0


def test_an_object_that_only_looks_like_a_process_is_passed_over(cluster, matrix):
    with hearth.ObjectServer(cluster) as server:
        server.serve("_python.looks_like_it", Counter(), tags=["python"])
        assert cluster.map_reduce(lambda block: len(block), matrix) == matrix.shape[0]


def interrupted(work, after):
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            work()
    finally:
        timer.cancel()


def test_a_function_that_never_ends_is_got_rid_of_by_an_interrupt(cluster, matrix, rows):
    interrupted(lambda: cluster.map_reduce(lambda block: time.sleep(3600), matrix), 1)
    began = time.monotonic()
    assert cluster.map_reduce(lambda block: block.sum(), matrix) == pytest.approx(rows.sum())
    assert time.monotonic() - began < 60


def settled(cluster, matrix):
    """The Python processes, once there are two."""
    def both():
        assert cluster.map_reduce(len, matrix) == matrix.shape[0]
        pids = {one.pid for one in cluster.objects.find(prefix="_python.")}
        return pids if len(pids) == 2 and all(map(alive, pids)) else None

    return wait_until(both, 60, "two Python processes")


def test_a_process_that_died_after_its_last_job_is_replaced(cluster, matrix):
    before = settled(cluster, matrix)
    kill(min(before))
    assert len(settled(cluster, matrix) & before) == 1


def test_a_function_that_ends_soon_after_an_interrupt_costs_no_process(cluster, matrix, rows):
    before = settled(cluster, matrix)
    interrupted(lambda: cluster.map_reduce(lambda block: time.sleep(0.5), matrix), 0.7)
    assert cluster.map_reduce(lambda block: block.sum(), matrix) == pytest.approx(rows.sum())
    time.sleep(4)  # longer than a function may go on
    assert settled(cluster, matrix) == before


# ------------------------------------------------------------- workers, --allow-python

def test_a_cluster_that_does_not_allow_it_says_so(rows):
    with Server("coordinator") as coordinator, Server("worker", "--coordinator", coordinator.address), \
            hearth.connect(coordinator.address) as cluster:
        with pytest.raises(hearth.errors.NotAllowed, match="start hearth worker with --allow-python"):
            cluster.map_reduce(len, rows)


def test_workers_that_allow_it_run_functions(allowing, rows):
    with hearth.connect(allowing.cluster_address) as cluster:
        total = cluster.map_reduce(lambda block: block.sum(), rows)
        assert total == pytest.approx(rows.sum())
        pids = cluster.map_reduce(lambda block: {os.getpid(): 1}, rows, lambda a, b: {**a, **b})
        workers = {one["pid"] for one in cluster.workers()}
        # The keeper, two workers, and what runs beside each.
        assert len(allowing.pids) == 5 and set(pids) <= set(allowing.pids) - workers
        np.testing.assert_array_equal(cluster.map_blocks(np.sqrt, rows), np.sqrt(rows))


def test_what_dies_beside_a_worker_is_started_again(allowing, rows):
    with hearth.connect(allowing.cluster_address) as cluster:
        workers = {one["pid"] for one in cluster.workers()}
        beside = set(allowing.pids[1:]) - workers
        kill(first := min(beside))
        assert cluster.map_reduce(lambda block: block.sum(), rows) == pytest.approx(rows.sum())

        def fresh():
            return {one.pid for one in cluster.objects.find(prefix="_python.")} - {first}

        wait_until(lambda: len(fresh()) == 2, 20, "another Python process")
        assert cluster.map_reduce(lambda block: block.sum(), rows) == pytest.approx(rows.sum())
        assert {one["pid"] for one in cluster.workers()} == workers


@pytest.mark.slow
def test_a_function_that_crashes_takes_python_away_for_a_minute_and_not_for_good(rows, tmp_path):
    env = environment(HEARTH_PYTHON=sys.executable)
    with Server("coordinator", env=env) as coordinator, \
            Server("worker", "--coordinator", coordinator.address, "--allow-python", env=env), \
            hearth.connect(coordinator.address) as cluster:
        with pytest.raises(hearth.errors.TaskFailed):
            cluster.map_reduce(lambda block: os.kill(os.getpid(), signal.SIGKILL), rows)
        wait_until(lambda: not cluster.objects.find(prefix="_python."), 20, "the leaving of its name")
        with pytest.raises(hearth.errors.NotAllowed, match="or, where it was, wait a minute"):
            cluster.map_reduce(lambda block: block.sum(), rows)
        wait_until(lambda: cluster.objects.find(prefix="_python."), 90, "another Python process")
        assert cluster.map_reduce(lambda block: block.sum(), rows) == pytest.approx(rows.sum())


def test_what_never_ends_beside_a_worker_is_no_crash(allowing, rows):
    with hearth.connect(allowing.cluster_address) as cluster:
        for _ in range(4):  # three crashes in a minute would take it away
            interrupted(lambda: cluster.map_reduce(lambda block: time.sleep(3600), rows), 1)
            assert cluster.map_reduce(lambda block: block.sum(), rows) == pytest.approx(rows.sum())


def test_what_runs_beside_a_worker_ends_with_it(allowing):
    with hearth.connect(allowing.cluster_address) as cluster:
        worker = cluster.workers()[0]["pid"]
        parents = {pid: int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
                   for pid in allowing.pids[1:]}
        beside = next(pid for pid, parent in parents.items() if parent == worker)
        kill(worker)
        wait_until(lambda: not alive(beside), 10, "its end")


def test_a_python_without_the_package_is_told_at_the_start(tmp_path):
    bare = tmp_path / "python3"
    bare.write_text("#!/bin/sh\nexit 3\n")
    bare.chmod(0o755)
    with Server("coordinator") as coordinator:
        began = time.monotonic()
        with pytest.raises(AssertionError) as told:
            Server("worker", "--coordinator", coordinator.address, "--allow-python",
                   env=environment(HEARTH_PYTHON=bare))
        assert "ended with status 3 before it was ready; install the hearth package for it" in str(told.value)
        assert time.monotonic() - began < 20


def test_a_python_that_never_gets_ready_holds_up_no_end(tmp_path):
    python, stuck = tmp_path / "python3", tmp_path / "stuck"
    python.write_text(f'#!/bin/sh\n[ -e {stuck} ] && : > {stuck}.seen && exec sleep 600\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    env = environment(HEARTH_PYTHON=python)
    with Server("coordinator", env=env) as coordinator:
        with Server("worker", "--coordinator", coordinator.address, "--allow-python", env=env) as worker:
            stuck.touch()
            kill(worker.pids[-1])
            wait_until(pathlib.Path(f"{stuck}.seen").exists, 10, "its being started again")
            began = time.monotonic()
        assert time.monotonic() - began < 30


def test_a_pickle_is_read_by_nobody_who_was_not_allowed_to(cluster):
    """A worker's process has no object that takes code, unless it was started with --allow-python."""
    with Server("coordinator") as coordinator, Server("worker", "--coordinator", coordinator.address), \
            hearth.connect(coordinator.address) as other:
        assert other.objects.find() == []
        with pytest.raises(hearth.errors.NameUnknown):
            other.objects.create("PythonFunctions")


@pytest.mark.parametrize("how", ["map_blocks", "map_reduce"])
def test_a_generator_is_refused(cluster, matrix, how):
    with pytest.raises(hearth.errors.BadParameter, match="list of its items"):
        getattr(cluster, how)(lambda block: (row for row in block), matrix)
