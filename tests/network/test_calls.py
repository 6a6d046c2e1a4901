"""Remote calls of Python between hosts, with certificates and without: features, and arrays of any size."""

import json
import subprocess
import sys

import pytest

from hearth_process import Server, environment, succeed

pytest.importorskip("hearth")

SERVING = """
import os, resource, sys, numpy as np, hearth
@hearth.expose
class Mirror:
    def echo(self, value): return value
    def mean(self, array): return float(array.mean())
    def make(self, megabytes: int): return np.ones(megabytes << 17)
    def blocks(self, count: int):
        for number in range(count): yield np.full(1 << 18, number)
    def back(self, guest, array): return guest.mean(array)
    def fail(self, text: str): raise ValueError(text)
    def pid(self): return os.getpid()
with hearth.ObjectServer(sys.argv[1], **eval(sys.argv[2])) as server:
    server.serve("mirror", Mirror())
    print("ready", flush=True)
    sys.stdin.read()
"""
CALLING = """
import json, sys, numpy as np, hearth
objects = hearth.Objects(sys.argv[1], **eval(sys.argv[2]))
mirror = objects.get("mirror")
def tell(value): print(json.dumps(value))
"""


class Pair:
    """A process that serves on one host, and callers on another."""

    def __init__(self, hosts, address, secret):
        self.hosts, self.address, self.secret = hosts, address, secret
        self.process = subprocess.Popen([*hosts[1].within, sys.executable, "-c", SERVING, address, repr(secret)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
        assert self.process.stdout.readline() == "ready\n"

    def call(self, program):
        done = subprocess.run([*self.hosts[2].within, sys.executable, "-c", CALLING + program, self.address,
                               repr(self.secret)], capture_output=True, text=True, timeout=100, check=False,
                              env=environment())
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module", params=["insecure", "tls"])
def pair(hosts, request, tmp_path_factory):
    if request.param == "insecure":
        words, secret = ("--insecure",), {"insecure": True}
    else:
        folder = tmp_path_factory.mktemp("calls") / "tls"
        succeed("security", "init", "--tls-dir", folder)
        words, secret = ("--tls-dir", folder), {"tls_dir": str(folder)}
    first = hosts[0]
    with Server("coordinator", "--listen", f"{first.address}:0", *words, within=first.within) as coordinator:
        made = Pair(hosts, coordinator.address, secret)
        yield made
        made.process.communicate(timeout=20)


def test_methods_errors_and_callbacks(pair):
    echoed, failed, heard = pair.call("""
@hearth.expose
class Guest:
    def mean(self, array): return float(array.mean())
try: mirror.fail("no luck")
except ValueError as error: failed = str(error)
tell([mirror.echo({"a": [1, 2.5, None]}), failed, mirror.back(objects.expose(Guest()), np.ones(1 << 18))])
""")
    assert echoed == {"a": [1, 2.5, None]} and "no luck" in failed and heard == 1


def test_arrays_of_any_size_go_and_come(pair):
    """Beyond what one message takes, too: in pieces, which nobody keeps twice."""
    told = pair.call("""
result = []
for count in (10, 65536, 100_000, (80 << 20) // 8):
    sent = np.arange(count, dtype=float)
    result.append(bool(np.array_equal(mirror.echo([sent])[0], sent)))
result += [float(item.mean()) for item in mirror.blocks(4)]
tell(result)
""")
    assert told == [True] * 4 + [0, 1, 2, 3]


def test_an_array_in_pieces_takes_its_own_size_and_no_more(pair):
    """256 MiB arrive: the caller's memory beyond them, and the host's when they are given back."""
    grew, kept = pair.call("""
def peak(pid="self"):
    lines = open(f"/proc/{pid}/status").read().splitlines()
    return [int(line.split()[1]) >> 10 for line in lines if line.startswith(("VmHWM", "VmRSS"))]
mirror.make(1)
before = peak()[0]
made = mirror.make(256)
grew = peak()[0] - before
assert made.mean() == 1
del made
tell([grew, peak(mirror.pid())[1]])
""")
    assert grew < 256 + 64
    assert kept < 256 + 150
