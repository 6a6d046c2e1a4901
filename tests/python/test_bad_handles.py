"""Handles that nobody handed out, and keepers that are not ours, or can't be."""

import base64
import os
import subprocess
import sys

import numpy as np
import pytest

import hearth
from hearth import _values


@pytest.fixture
def shared():
    return hearth.share(np.arange(10.0))


def view_of(handle, packed, dtype="", length=None):
    rest = base64.urlsafe_b64encode(packed + dtype.encode()).decode()
    return f"{handle}:{len(packed) if length is None else length}:{rest}"


def made_up(handle):
    """The same place, without the ticket that only its holders know."""
    form, _, _, nbytes, _, where = handle.split(":")
    return ":".join([form, "0" * 32, "0" * 32, nbytes, "", where])


def test_a_call_opens_only_what_its_keeper_knows(shared):
    """A caller who guessed where an array lies was answered from it, or wrote to it."""
    assert _values.matrix_of(shared.handle, None).sum() == 45
    assert _values.matrix_of(shared[2:5].handle, None).sum() == 9
    for array in (shared, hearth.empty(4)):
        for forged in (made_up(array.handle), view_of(made_up(array.handle), b"\0" * 8)):
            with pytest.raises(hearth.errors.SegmentGone):
                _values.matrix_of(forged, None)


@pytest.mark.parametrize("dtype", ["'|O'", "[('a', '|O')]", "('|O', (2,))"])
def test_shared_bytes_are_never_taken_for_objects(dtype):
    numbers = hearth.share(np.array([0x4141414141414141]))
    with pytest.raises(hearth.errors.BadUsage, match="not how the elements"):
        hearth.open(view_of(numbers.handle, b"\0" * 8, dtype))


def numbers_of(*values):
    return np.array(values, "<i8").tobytes()


@pytest.mark.parametrize("packed, dtype, length", [
    (b"\xff" * 30, "", None), (b"\0" * 8, "(((", None), (b"\0" * 8, "'no such'", None), (b"\0" * 8, "(1, 2, 3)", None),
    (b"\0" * 8, "[]", 8), (b"\0" * 8, "'f8'", -5), (b"\0" * 8, "", 800), (b"", "'f8'", 0),
    (numbers_of(0, 2**62, 4), "", None), (numbers_of(0, 100, 8), "", None), (numbers_of(-8, 1, 8), "", None),
    (numbers_of(0, -1, 8), "", None), (numbers_of(0, 2, -8), "", None), (b"\0" * 8 + b"\xff", "", 8),
], ids=str)
def test_a_text_that_nobody_handed_out_is_bad_usage(shared, packed, dtype, length):
    try:
        opened = hearth.open(view_of(shared.handle, packed, dtype, length))
    except hearth.errors.BadUsage as error:
        assert "handed out" in str(error)
    else:  # an array of no elements
        assert opened.nbytes == 0


@pytest.mark.parametrize("text", ["", " ", "hearth1:::", "hearth1:" + "0" * 32 + ":" + "0" * 32 + ":8:", "::::::::"])
def test_so_is_one_that_stands_for_nothing(text):
    with pytest.raises((hearth.errors.BadUsage, hearth.errors.SegmentGone)):
        hearth.open(text)


SQUATTER = """
import os, socket, sys
os.setgid(65534)
os.setuid(65534)
asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
asked.bind("\\0hearth-" + sys.argv[1])
asked.listen(10)
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.bind("\\0hearth-" + sys.argv[1] + ".notices")
told.setblocking(False)
print("there", flush=True)
sys.stdin.read()
try:
    print(len(told.recv(100)))
except BlockingIOError:
    print("nothing")
"""

CREATOR = """
import hearth, numpy as np, os, pickle, signal, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from processes import keepers_of
array = hearth.share(np.ones(10))
keeper = array.handle.split(":")[1]
pickle.dumps(array)
[pid] = keepers_of(os.getpid())
os.kill(pid, signal.SIGKILL)
while keepers_of(os.getpid()):
    time.sleep(0.01)
squatter = subprocess.Popen([sys.executable, "-c", sys.argv[2], keeper], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
assert squatter.stdout.readline() == "there\\n"
other = hearth.share(np.ones(7))
texts = [pickle.dumps(array), pickle.dumps(other)]
assert keeper not in (array.handle.split(":")[1], other.handle.split(":")[1])
assert squatter.communicate("")[0] == "nothing\\n"
assert [pickle.loads(text).sum() for text in texts] == [10, 7]
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_who_takes_a_dead_keepers_name_hears_and_stops_nothing():
    folder = os.path.dirname(__file__)
    subprocess.run([sys.executable, "-c", CREATOR, folder, SQUATTER], check=True, timeout=60)


def test_a_keeper_that_cannot_start_says_why():
    """Its sentence went to /dev/null, and the creator heard of a "status 256"."""
    script = ("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))\n"
              "import hearth, numpy as np, pickle\n"
              "try: pickle.dumps(hearth.share(np.ones(3)))\n"
              "except hearth.errors.Error as error: print(error)")
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert "start a keeper" in told and "may open 60 files (ulimit -n), and needs 128" in told
