"""Every row of the design's table of where a handle goes."""

import concurrent.futures
import gc
import json
import os
import pickle
import shutil
import subprocess
import sys
import time

import children
import joblib
import numpy as np
import pytest
from processes import holders_of

import hearth
from hearth_process import wait_until

DATA = np.arange(24_000.0).reshape(2000, 12)
SLICE = np.s_[100:1900:3, ::-2]


@pytest.fixture
def shared():
    return hearth.share(DATA)


def check(found, expected):
    total, kind, on_shared_bytes, _ = found
    assert (total, kind, on_shared_bytes) == (expected.sum(), "Array", True)


def through_arguments(context, array):
    queue = context.SimpleQueue()
    process = context.Process(target=children.put_facts, args=(array, queue))
    process.start()
    found = queue.get()
    process.join()
    return found


def through_queue(context, array):
    source, answers = context.Queue(), context.SimpleQueue()
    process = context.Process(target=children.facts_of_next, args=(source, answers))
    process.start()
    source.put(array)
    found = answers.get()
    process.join()
    return found


def through_pipe(context, array):
    here, there = context.Pipe()
    process = context.Process(target=children.facts_from_pipe, args=(there,))
    process.start()
    here.send(array)
    found = here.recv()
    process.join()
    return found


def through_pool(context, array):
    with context.Pool(2) as pool:
        found = pool.map(children.facts, [array] * 4)
    assert len({total for total, *_ in found}) == 1
    return found[0]


def through_futures(context, array):
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(children.facts, array).result()


CARRIERS = [through_arguments, through_queue, through_pipe, through_pool, through_futures]


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.__name__)
def test_a_handle_goes_through(context, carrier, shared):
    check(carrier(context, shared), DATA)


@pytest.mark.parametrize("carrier", [through_arguments, through_queue],
                         ids=lambda carrier: carrier.__name__)
def test_a_slice_goes_through(context, carrier, shared):
    check(carrier(context, shared[SLICE]), DATA[SLICE])


def test_a_handle_goes_through_with_a_live_cluster_in_the_parent(context, shared, cluster):
    assert cluster.run("sum", shared) == DATA.sum()
    check(through_queue(context, shared), DATA)
    assert cluster.run("sum", shared) == DATA.sum()


def test_a_manager_holds_it(context):
    with context.Manager() as manager:
        kept = manager.dict()
        kept["m"] = hearth.share(DATA)
        gc.collect()  # nobody here has it any more: the manager's process does
        time.sleep(1.5)
        check(children.facts(kept["m"]), DATA)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_joblib_takes_it_as_it_is(shared, backend):
    found = joblib.Parallel(2, backend=backend, max_nbytes=1000)(
        joblib.delayed(children.facts)(shared[i::4]) for i in range(4))
    for i, one in enumerate(found):
        check(one, DATA[i::4])


def test_its_creator_may_be_gone_before_the_reader_comes(context):
    queue = context.Queue()
    creator = context.Process(target=children.share_and_leave, args=(queue, 5000))
    creator.start()
    creator.join()
    check(children.facts(queue.get()), np.arange(5000.0))


def test_the_same_bytes_serve_twice_while_somebody_holds_them(shared):
    text = pickle.dumps(shared)
    first, second = pickle.loads(text), pickle.loads(text)
    assert np.array_equal(first, DATA) and np.array_equal(second, DATA)


def test_from_disk_it_is_one_clear_error_once_all_are_gone(context, tmp_path):
    path = tmp_path / "handle.pickle"
    array = hearth.share(DATA)
    path.write_bytes(pickle.dumps(array))
    answers = context.SimpleQueue()

    def ask():
        process = context.Process(target=children.open_from_file, args=(path, answers))
        process.start()
        found = answers.get()
        process.join()
        return found

    assert ask() == DATA.sum()
    if context.get_start_method() != "fork":  # a forked child has what its parent has
        del array
        gc.collect()
        deadline = time.monotonic() + 10
        while not isinstance(gone := ask(), str) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert gone.startswith("SegmentGone: ") and "share it again" in gone


def test_an_unrelated_process_opens_its_text(shared):
    script = "import hearth, sys; print(float(hearth.open(sys.argv[1]).sum()))"
    for array, expected in ((shared, DATA), (shared[SLICE], DATA[SLICE])):
        out = subprocess.run([sys.executable, "-c", script, array.handle], capture_output=True,
                             text=True, check=True)
        assert float(out.stdout) == expected.sum()


def test_what_nobody_came_for_is_held_until_its_family_ends():
    script = ("import hearth, numpy, pickle, sys, time, os\n"
              "text = pickle.dumps(hearth.share(numpy.ones(1 << 20)))\n"
              "print(text.hex(), flush=True); sys.stdin.read()")
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as other:
        text = bytes.fromhex(other.stdout.readline())
        time.sleep(1.5)
        held = pickle.loads(text)
        assert held.sum() == 1 << 20
        del held
        gc.collect()
    deadline = time.monotonic() + 10
    with pytest.raises(hearth.errors.SegmentGone):
        while time.monotonic() < deadline:
            pickle.loads(text)
            gc.collect()
            time.sleep(0.2)


def test_a_killed_keeper_costs_tickets_of_what_was_let_go_and_nothing_else():
    script = """
import gc, os, pickle, signal, sys, time
import numpy as np, hearth
from processes import keepers_of
array = hearth.share(np.arange(1000.0))
text = pickle.dumps(array)
for keeper in keepers_of(os.getpid()):
    os.kill(keeper, signal.SIGKILL)
    while os.path.exists(f"/proc/{keeper}"):
        time.sleep(0.01)
assert array.sum() == 499500.0
assert pickle.loads(text).sum() == 499500.0
assert pickle.loads(pickle.dumps(array)).sum() == 499500.0
text = pickle.dumps(array)
for keeper in keepers_of(os.getpid()):
    os.kill(keeper, signal.SIGKILL)
    while os.path.exists(f"/proc/{keeper}"):
        time.sleep(0.01)
del array
gc.collect()
try:
    pickle.loads(text)
except hearth.errors.SegmentGone as error:
    assert "share it again" in str(error), error
else:
    raise AssertionError("an unfetched ticket outlived its keeper")
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_many_pickles_of_one_array_are_one_ticket(shared):
    for i in range(3000):
        pickle.loads(pickle.dumps(shared[i % 7:]))
    assert len({shared[i:].handle.split(":")[2] for i in range(5)}) == 1


def test_a_child_that_lets_go_frees_the_memory(context):
    array = hearth.share(np.ones(1 << 20))
    identity = hearth.array.segment_of(array).identity
    through_arguments(context, array)
    assert holders_of(identity)
    del array
    gc.collect()
    deadline = time.monotonic() + 10
    while holders_of(identity) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not holders_of(identity)


def test_bytes_on_the_wire(shared):
    assert len(pickle.dumps(shared)) < 200
    assert len(pickle.dumps(shared[10:20])) - len(pickle.dumps(shared)) <= 24 * shared.ndim
    assert len(pickle.dumps(shared[3])) < 200
    assert len(shared.handle.encode()) < 200
    cube = hearth.share(np.zeros((4, 5, 6, 7)))
    for view in (cube[1:3, ::2, :, 1:], cube.T, cube[..., 0]):
        assert len(pickle.dumps(view)) - len(pickle.dumps(cube)) <= 24 * view.ndim
        assert np.array_equal(pickle.loads(pickle.dumps(view)), view)


def test_what_nobody_came_for_is_held_to_the_end_of_its_giver_and_named_by_doctor():
    script = """
import gc, pickle, sys
import numpy as np, hearth
array = hearth.share(np.arange(1000.0))
text = pickle.dumps(array)
del array
gc.collect()
print("given", flush=True)
sys.stdin.read()
"""
    # In a session of its own: else we were an ancestor, with whom such handles stay.
    giver = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert giver.stdout.readline() == "given\n"
    command = shutil.which("hearth", path=os.path.dirname(sys.executable))

    def judged():
        ran = subprocess.run([command, "doctor", "--json"], capture_output=True, text=True, check=True)
        check = next(one for one in json.loads(ran.stdout)["checks"] if one["name"] == "handles")
        return check["state"], check["found"]

    def named():
        state, said = judged()  # beside many others it may be one of them
        return state == "warn" and (f" {giver.pid}" in said or ", others" in said)

    wait_until(named, 20, "its giver's name")
    giver.communicate("")
    wait_until(lambda: f" {giver.pid}" not in judged()[1], 20, "its end")


def test_a_file_in_memory_goes_as_a_file():
    """A tmpfs knows seals, too; what lies there is a file all the same."""
    path = f"/dev/shm/hearth-handles-{os.getpid()}.raw"
    DATA.tofile(path)
    try:
        loaded = hearth.load(path, dtype="float64", shape=DATA.shape)
        assert np.array_equal(pickle.loads(pickle.dumps(loaded)), DATA)
        assert np.array_equal(hearth.open(loaded.handle), DATA)
    finally:
        os.unlink(path)
