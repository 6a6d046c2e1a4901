"""Arrays as arguments, results and items of remote calls."""

import subprocess
import sys

import numpy as np
import pytest
from remote import Serving

import hearth
from hearth_process import kill, wait_until


@pytest.fixture(scope="module")
def serving(cluster):
    with Serving(cluster.address, "arrays") as made:
        yield made


@pytest.fixture
def counter(cluster, serving):
    return hearth.Proxy("arrays", cluster)


@pytest.mark.parametrize("count", [10, 100_000, (80 << 20) // 8])
def test_arrays_of_any_size_go_and_come(counter, count):
    sent = np.arange(count, dtype=np.float64).reshape(-1, 10)
    back = counter.echo({"a": [sent, 1], "b": sent[::2]})
    np.testing.assert_array_equal(back["a"][0], sent)
    np.testing.assert_array_equal(back["b"], sent[::2])
    assert type(back["a"][0]) is np.ndarray
    assert back["a"][0].flags.writeable == (sent.nbytes < 512 << 10)  # a segment is read-only
    np.testing.assert_array_equal(counter.echo.later(sent.T).result(60), sent.T)


def test_a_large_array_that_is_changed_after_the_call_began_arrives_as_it_was(counter):
    sent = np.ones(1 << 20)
    later = counter.echo.later(sent)
    sent[:] = 2
    assert later.result(60).max() == 1


def test_large_arrays_are_items(counter):
    for number, item in enumerate(counter.blocks(5, 1 << 17)):
        np.testing.assert_array_equal(item, np.full(1 << 17, number))
    assert number == 4


def segments_of(pid):
    return [line for line in open(f"/proc/{pid}/maps") if "memfd:hearth-call" in line]


def test_a_large_array_is_mapped_and_given_back(counter, serving):
    """What comes is a mapping, not a copy, and goes with the last view of it."""
    pid = serving.process.pid
    sent = np.ones(1 << 20)
    before = len(segments_of("self"))
    assert counter.keep(sent) == 1
    wait_until(lambda: len(segments_of(pid)) == 1)
    counter.keep(None)
    wait_until(lambda: not segments_of(pid))
    back = counter.echo(sent)[5:10]
    assert len(segments_of("self")) == before + 1
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 5
    del back
    wait_until(lambda: len(segments_of("self")) == before)


def test_a_killed_caller_leaves_what_it_sent_and_nothing_more(cluster, counter, serving):
    code = ("import hearth, numpy, sys; "
            "hearth.Proxy('arrays', sys.argv[1]).keep_and_sleep(numpy.ones(1 << 20), 1.0)")
    with subprocess.Popen([sys.executable, "-c", code, cluster.address]) as caller:
        wait_until(lambda: len(segments_of(serving.process.pid)) == 1)
        kill(caller.pid)
    assert counter.kept_sum() == 1 << 20
    counter.keep(None)
    wait_until(lambda: not segments_of(serving.process.pid))


def test_an_array_outlives_the_process_that_made_it(cluster):
    with Serving(cluster.address, "brief") as brief:
        back = hearth.Proxy("brief", cluster).echo(np.arange(1 << 20))
        kill(brief.process.pid)
        brief.process.wait(10)
        assert back.sum() == (1 << 20) * ((1 << 20) - 1) // 2
    wait_until(lambda: not cluster.objects.find("brief"))  # others look for who has its class
