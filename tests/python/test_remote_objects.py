"""Remote objects from Python: served, called, and called from C++."""

import asyncio
import concurrent.futures
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from remote import Account, Cart, Counter, Guest, Serving

import hearth
from hearth_process import BINARY, kill, succeed, wait_until
from http_gateway import Gateway

EXAMPLES = BINARY.parent / "examples" / "objects"


@pytest.fixture(scope="module")
def serving(cluster):
    with Serving(cluster.address, "counter") as made:
        yield made


@pytest.fixture
def counter(cluster, serving):
    return hearth.Proxy("counter", cluster)


# --------------------------------------------------------------------------- calls

def test_a_method_is_called_with_its_defaults_and_by_name(counter):
    before = counter.sum
    assert counter.add(5) == before + 5
    assert counter.add(2, 3) == before + 11
    assert counter.add(times=2, amount=1) == before + 13
    with pytest.raises(TypeError, match="'often' is no parameter"):
        counter.add(1, often=2)


def test_an_attribute_is_read_and_written(counter):
    counter.step = 7
    assert counter.step == 7
    with pytest.raises(AttributeError, match="exposes no 'sum='"):
        counter.sum = 1


@pytest.mark.parametrize("value", [
    None, True, 0, 2**63 - 1, -2**63, 2**64 - 1, 1.5, float("inf"), "", "ä\0b", b"", b"\xff\0", [], [1, [None]],
    (1, "a"), {}, {"a": 1, 2: [3]}, 1 + 2j,
], ids=repr)
def test_a_value_comes_back_as_it_went(counter, value):
    came = counter.echo(value)
    assert came == value and (type(came) is type(value) or isinstance(value, complex))


leaves = st.none() | st.booleans() | st.integers(-2**63, 2**64 - 1) | st.floats(allow_nan=False) | st.binary() | \
    st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(value=st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner) |
                          st.tuples(inner, inner), max_leaves=30))
def test_any_nesting_comes_back_as_it_went(cluster, serving, value):
    assert hearth.Proxy("counter", cluster).echo(value) == value


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i8", "f2", "f4", "f8", "c8", "c16", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_comes_back_as_it_went(counter, dtype, order):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype, order=order)
    came = counter.echo(array)
    np.testing.assert_array_equal(came, array)
    assert came.dtype == array.dtype.newbyteorder("=") and came.flags.f_contiguous == (order == "F")
    assert came.flags.writeable
    np.testing.assert_array_equal(counter.echo(array[::2, 1:, ::-1]), array[::2, 1:, ::-1])


def test_a_dataclass_comes_as_a_struct(counter):
    came = counter.echo(Account("ann", 300))
    assert (came.owner, came.cents, repr(came)) == ("ann", 300, "Account(owner='ann', cents=300)")
    assert counter.echo(came) == came


@pytest.mark.parametrize("value, found", [
    (2**64, "is an int beyond 64 bits"), ({1}, "is of type set"), ([0, {"a": {1}}], "item 1 the value of 'a' is"),
    (object(), "is of type object"), (Guest(), "is a Guest, which is exposed and not served here"),
    (np.array(["a"]), "is an array of <U1"), (np.ma.masked_less([1, 2], 2), "is a masked array"),
    ("\ud800", "is a str with a lone surrogate"), ({"a": ["\udfff"]}, "item 0 is a str with a lone surrogate"),
    ({"\ud800": 1}, "a key is a str with a lone surrogate"), ((n for n in "ab"), "is a generator"),
], ids=["int", "set", "nested", "object", "exposed", "texts", "masked", "surrogate",
        "nested surrogate", "key", "generator"])
def test_what_can_not_travel_is_one_sentence_with_the_parameter(counter, value, found):
    with pytest.raises(hearth.errors.BadParameter) as told:
        counter.echo(value)
    assert str(told.value).startswith('call counter.echo: parameter "value" ')
    assert found in str(told.value)


@pytest.mark.parametrize("how, told", [
    ("no text", "call Counter.fail_badly: Speechless: Speechless"),
    ("surrogate", r"call Counter.fail_badly: ValueError: \\ud800"),
    ("long", r"call Counter.fail_badly: ValueError: (long ){1000,2000}.*\.\.\. \(\d+ bytes in all\)"),
])
def test_an_error_that_can_not_be_told_is_told_nevertheless(counter, how, told):
    with pytest.raises(hearth.RemoteError, match=told) as raised:
        counter.fail_badly(how)
    assert len(str(raised.value)) < 9000


def test_wrong_arguments_are_told_before_anything_is_called(counter):
    before = counter.sum
    with pytest.raises(hearth.errors.BadParameter, match='Counter.add: parameter "amount" expects int64, got string'):
        counter.add("many")
    with pytest.raises(hearth.errors.BadParameter, match="takes 1 to 2 arguments"):
        counter.add()
    assert counter.half(3) == 1.5
    assert counter.sum == before


def test_nothing_can_be_called_that_is_not_exposed(cluster, counter):
    with pytest.raises(AttributeError, match="exposes no 'unseen'; it has seen"):
        hearth.Proxy("counter.partly", cluster).unseen()
    for name in "_hidden", "__init__", "total":
        with pytest.raises(hearth.errors.NameUnknown, match="exposes no method"):
            counter._native.call(name, (), None)


def test_errors_bring_type_message_and_stack(counter):
    with pytest.raises(ValueError, match="call Counter.fail: ValueError: too bad") as told:
        counter.fail("too bad")
    assert isinstance(told.value, hearth.RemoteError) and told.value.type == "ValueError"
    assert "in fail: raise ValueError(text)" in told.value.stack[0]
    assert told.value.stack[-1].startswith("counter.fail at pid ")
    assert pickle.loads(pickle.dumps(told.value)).stack == told.value.stack
    with pytest.raises(KeyError):
        counter.missing()
    with pytest.raises(hearth.RemoteError, match="nobody is called carl") as told:
        counter._with(correlation="order 7").fail_by_name()
    assert (told.value.type, told.value.correlation) == ("bank.NoSuchAccount", "order 7")
    with pytest.raises(hearth.errors.BadParameter, match="Counter.give_set: its result is of type set"):
        counter.give_set()


def test_a_result_that_can_not_travel_is_500_over_http():
    """It was 400, as if its caller had sent something wrong."""
    with Gateway("--insecure") as gateway, Serving(gateway.address, "counter"):
        error = gateway.call("counter", "give_set", status=500)
        assert error["type"] == "TypeError" and "its result is of type set" in error["message"]
        assert gateway.call("counter", "give_much", status=500)["type"] == "too-large"
        assert gateway.call("counter", "add", ["many"], status=400)


def test_an_error_tells_every_hop(cluster, serving):
    with Serving(cluster.address, "front"):
        with pytest.raises(hearth.RemoteError) as told:
            hearth.Proxy("front", cluster).pass_on("counter", "fail_by_name")
        hops = [line for line in told.value.stack if " at pid " in line]
        assert [hop.split(" at ")[0] for hop in hops] == ["counter.fail_by_name", "front.pass_on"]
        assert told.value.type == "bank.NoSuchAccount"


def test_a_deadline_and_a_cancel_end_the_wait(counter):
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="no answer came before its deadline"):
        counter._with(timeout=0.2).sleep(60.0)
    call = counter.sleep.later(60.0)
    assert call.cancel() and call.cancelled() and call.cancel()
    assert not concurrent.futures.wait([call], timeout=10).not_done
    with pytest.raises(concurrent.futures.CancelledError):
        call.result()
    assert time.monotonic() - began < 30


def test_who_is_told_of_a_result_may_make_the_next_call(counter):
    told = concurrent.futures.Future()
    first = counter.echo.later(1)
    first.add_done_callback(lambda done: told.set_result(counter.echo(done.result() + 1)))
    assert told.result(20) == 2

    async def awaited():
        return await asyncio.wait_for(asyncio.wrap_future(counter.echo.later(3)), 20)

    assert asyncio.run(awaited()) == 3


def test_metadata_and_correlation_travel(counter):
    assert counter._with(metadata={"user": "ann"}, correlation="order 7", timeout=60).told() == \
        ({"user": "ann"}, "order 7", True)
    assert hearth.current_call() is None


# ------------------------------------------------------ later, oneway, batch, items

def test_a_future_is_one_of_concurrent_futures(counter):
    calls = [counter.echo.later(number) for number in range(100)]
    done, waiting = concurrent.futures.wait(calls, 30)
    assert not waiting and [call.result() for call in calls] == list(range(100))
    with pytest.raises(ValueError, match="later"):
        counter.fail.later("later").result()


def test_a_oneway_call_waits_for_nothing(counter):
    before = counter.sum
    counter.note(5)
    counter.add.oneway(2)
    wait_until(lambda: counter.sum == before + 7)


def test_a_batch_is_done_in_order_up_to_the_first_error(counter):
    before = counter.sum
    batch = counter._batch()
    for _ in range(1000):
        batch.add(1)
    assert list(batch()) == [before + number + 1 for number in range(1000)]
    batch.add(1), batch.fail("here"), batch.add(1)
    results = batch()
    assert next(results) == before + 1001
    with pytest.raises(ValueError, match="here"):
        next(results)
    assert counter.sum == before + 1001
    batch.add(amount=2), batch.add(3)
    assert list(batch()) == [before + 1003, before + 1006]
    with pytest.raises(TypeError, match="nonsense"):
        batch.add(nonsense=1)
    assert len(batch) == 0 and dir(counter).count("add") == 1


def test_items_come_as_they_are_made_and_not_far_ahead(counter):
    assert list(counter.up(10_000)) == list(range(10_000))
    items = counter.up(10**9)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    time.sleep(0.3)
    assert counter.made_so_far() < 10_000
    items.close()
    assert list(items) == []


def test_many_threads_call_one_proxy(counter):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(counter.echo, range(1000))) == list(range(1000))


# --------------------------------------------------------- callbacks, proxies, modes

def test_callbacks_come_through_the_callers_connection(cluster, counter):
    guest = Guest()
    proxy = cluster.objects.expose(guest)
    assert counter.call_back(proxy, 3) == [0, 10, 20]
    assert counter.call_back(guest, 1) == [0]
    assert guest.heard == [0, 1, 2, 0]


def test_a_proxy_is_an_argument_and_a_pickle(cluster, counter):
    assert counter.echo(counter).echo(5) == 5
    assert pickle.loads(pickle.dumps(counter)).echo(6) == 6
    with pytest.raises(hearth.errors.BadUsage, match="has no name"):
        pickle.dumps(cluster.objects.expose(Guest()))


def test_instances_are_made_as_the_mode_says(cluster, serving):
    cart, once = hearth.Proxy("counter.cart", cluster), hearth.Proxy("counter.once", cluster)
    assert cart.put(1) == [1] and cart.put(2) == [1, 2]
    assert once.call() == once.call() == 1
    told = subprocess.run(
        [sys.executable, "-c", "import hearth, sys; print(hearth.Proxy('counter.cart', sys.argv[1]).put(9))",
         cluster.address], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == "[9]\n"


def test_an_object_is_created_where_its_class_is(cluster, serving):
    made = cluster.objects.create("Counter", 40, name="made", tags=["fresh"])
    assert made.add(2) == 42
    assert [one.pid for one in cluster.objects.find(tags=["fresh"])] == [serving.process.pid]
    cluster.objects.remove("made")
    assert cluster.objects.find("made") == []


def test_a_shared_array_and_a_matrix_are_arguments_by_view(cluster, counter):
    array = hearth.share(np.ones((1000, 3)))
    assert counter.matrix(array) == (3000.0, [1000, 3], True)
    assert counter.matrix(array[10:20]) == (30.0, [10, 3], True)
    assert counter.matrix(cluster.put("ones", array, replace=True)) == (3000.0, [1000, 3], True)
    assert counter.matrix(np.ones(5)) == (5.0, [5], False)
    cluster.rm("ones")


# ------------------------------------------------------------------- the directory

def test_objects_are_found_by_name_prefix_and_tags(cluster, serving):
    objects = cluster.objects
    found = objects.find("counter")[0]
    assert (found.name, found.class_name, found.tags, found.pid) == \
        ("counter", "Counter", ("python", "test"), serving.process.pid)
    assert [one.name for one in objects.find(prefix="counter.")] == ["counter.cart", "counter.once", "counter.partly"]
    assert [one.name for one in objects.find(tags=["python", "test"])] == ["counter"]
    assert objects.find(tags=["python", "other"]) == []
    assert [one.name for one in objects.find(any_tags=["other", "test"])] == ["counter"]


def test_a_watch_tells_what_comes_and_leaves(cluster):
    changes = []
    watch = cluster.objects.watch(lambda one, left: changes.append((one.name, left)), prefix="watched")
    with Serving(cluster.address, "watched"):
        wait_until(lambda: ("watched", False) in changes)
    wait_until(lambda: ("watched", True) in changes)
    watch.close()


def test_what_died_leaves_and_its_callers_are_told(cluster):
    with Serving(cluster.address, "mortal") as mortal:
        proxy = hearth.Proxy("mortal", cluster)
        assert proxy.add(1) == 1
        kill(mortal.process.pid)
        mortal.process.wait(10)
        with pytest.raises((hearth.errors.ObjectGone, hearth.errors.NameUnknown, hearth.errors.OutcomeUnknown)):
            proxy._with(timeout=20).add(1)
        wait_until(lambda: not cluster.objects.find("mortal"))
    with Serving(cluster.address, "mortal"):
        assert proxy.add(2) == 2


def test_names_are_taken_replaced_and_given_up(cluster):
    with hearth.ObjectServer(cluster) as server:
        server.serve("own", Counter(1))
        with pytest.raises(hearth.errors.NameTaken):
            server.serve("own", Counter(2))
        assert hearth.Proxy("own", cluster).add(0) == 1
        server.unserve("own")
        server.serve("own", Cart)
        cart = hearth.Proxy("own", cluster)
        assert cart.put("a") == ["a"]
        server.listen_elsewhere()
        assert cart.put("b") == ["a", "b"]
    assert cluster.objects.find("own") == []


# ----------------------------------------------------------------- C++ on either end

@pytest.fixture(scope="module")
def other():
    """A cluster whose names are free."""
    with hearth.local(workers=1) as made:
        yield made


def cpp(name, *arguments):
    if not (EXAMPLES / f"example_{name}").is_file():
        pytest.skip("the examples were not built")
    return [EXAMPLES / f"example_{name}", *map(str, arguments)]


def test_a_cpp_program_and_the_shell_call_a_python_object(other):
    with Serving(other.address, "counter2"):
        with hearth.ObjectServer(other) as server:
            server.serve("counter", Counter(), replace=True)
            done = subprocess.run(cpp("counter", other.address, 7), capture_output=True, text=True, timeout=60,
                                  check=True)
            assert done.stdout == "7\n"
        where = {"cluster": other.address}
        assert succeed("call", "counter2", "add", "5", **where)["result"] == 5
        assert succeed("call", "counter2", "echo", '{"a": [1, 2.5, null]}', **where)["result"] == {"a": [1, 2.5, None]}
        assert succeed("call", "counter2", "up", "3", **where) == {"result": [0, 1, 2]}
        described = succeed("call", "counter2", "$describe", **where)["result"]
        add = next(one for one in described["methods"] if one["name"] == "add")
        assert add["parameters"][1] == {"name": "times", "type": "int64", "optional": True}


def test_python_calls_a_cpp_object(other):
    process = subprocess.Popen(cpp("counter", other.address, "serve"), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        proxy = other.objects.find(tags=["example"])
        assert [one.pid for one in proxy] == [process.pid]
        counter = hearth.Proxy("counter", other)
        assert (counter.add(5), counter.add.later(2).result(), counter.sum) == (5, 7, 7)
        with pytest.raises(hearth.errors.BadParameter, match='parameter "amount" expects int64, got string'):
            counter.add("many")
    finally:
        process.communicate(timeout=20)


# ------------------------------------------------------------- asyncio, Ctrl-C, forks

def test_asyncio_awaits_calls_and_goes_through_items(cluster, serving):
    async def work():
        counter = hearth.aio.Proxy("counter", cluster)
        assert await asyncio.gather(*(counter.echo(number) for number in range(20))) == list(range(20))
        await counter("step=", 3)
        assert await counter.step() == 3
        assert [item async for item in counter.up(5)] == list(range(5))
        before = await counter.sum()
        assert await counter.add(times=3, amount=2) == before + 6
        with pytest.raises(TypeError, match="nonsense"):
            await counter.add(1, nonsense=2)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(counter.sleep(3.0), 0.2)
    asyncio.run(work())


def test_ctrl_c_ends_a_wait(counter):
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        counter.sleep(60.0)
    assert time.monotonic() - began < 30
    assert counter.echo(1) == 1


def test_other_threads_run_while_one_waits(counter):
    call = threading.Thread(target=counter.sleep, args=(0.5,))
    call.start()
    steps = 0
    while call.is_alive():
        steps += 1
    assert steps > 1000


def test_a_forked_child_is_told(counter):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            counter.echo(1)
        except hearth.errors.BadUsage as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    assert b"spawn or forkserver" in os.read(reading, 4096)
    os.close(reading)
    os.waitpid(pid, 0)


@pytest.mark.parametrize("end", ["", "counter.sleep.later(5.0)", "items = counter.up(10**9); next(items)",
                                 "server = hearth.ObjectServer(); server.serve('ending', Partly())",
                                 "watch = hearth.Objects().watch(print)", "hearth.Objects().expose(Partly())"])
def test_the_interpreter_ends_cleanly(cluster, serving, end):
    done = subprocess.run(
        [sys.executable, "-c", "import hearth\nfrom remote import Partly\n"
                               f"counter = hearth.Proxy('counter', {cluster.address!r}); counter.echo(1)\n{end}"],
        capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and done.stderr == "", done


def test_what_two_servers_serve_goes_as_itself_while_one_of_them_does(cluster, serving, counter):
    from hearth import objects
    guest = Guest()
    noted = len(objects._served)
    with hearth.ObjectServer(cluster) as first:
        first.serve("guest.first", guest)
        with hearth.ObjectServer(cluster) as second:
            second.serve("guest.second", guest)
            second.serve("guest.third", guest)
            second.unserve("guest.third")
            assert counter.call_back(guest, 2) == [0, 10]
        assert counter.call_back(guest, 2) == [0, 10]
    with pytest.raises(hearth.errors.BadParameter, match="exposed and not served here"):
        counter.call_back(guest, 2)
    assert len(objects._served) == noted


def test_mistakes_of_a_class_are_told_when_it_is_served(cluster):
    class Bare:
        def method(self):
            pass

    class Starred:
        @hearth.expose
        def method(self, *args):
            pass

    class ByName:
        @hearth.expose
        def method(self, *, often=2):
            pass

    class Waiting:
        @hearth.expose
        async def method(self):
            pass

    with hearth.ObjectServer(cluster) as server:
        for kind, found in ((Bare, "nothing of it is exposed"), (Starred, r"\*args has no place"),
                            (ByName, "often=2 has no place of its own in a call"), (Waiting, "is async")):
            with pytest.raises(hearth.errors.BadUsage, match=found):
                server.serve("wrong", kind())
    with pytest.raises(hearth.errors.BadUsage, match="one of single, session, per-call"):
        hearth.expose(mode="many")
