"""What anybody can send to any port: refused and bounded, and the others are served."""

import contextlib
import os
import re
import resource
import socket
import struct
import time

import numpy as np
import pytest

import stranger
from hearth_process import ROOT, Server, alive, succeed, wait_until

KIB, MIB = 1 << 10, 1 << 20
IDLE = 10_000
BYTES = 64 * MIB
VERSION = re.search(r'kVersion\[\] = "(.*)"', (ROOT / "hearth/base/version.h").read_text())[1]
SESSION = "/hearth.proto.Coordinator/WorkerSession"
GET = "/hearth.proto.Coordinator/GetMatrix"
SUBMIT = "/hearth.proto.Coordinator/Submit"
BULK = "/hearth.proto.Bulk/Read"


class Cluster:
    """A coordinator and a worker on loopback, and a matrix whose sum is known."""

    def __init__(self, stack, folder):
        self.coordinator = stack.enter_context(
            Server("coordinator", "--listen", "127.0.0.1:0", "--insecure"))
        self.address = self.coordinator.address
        stack.enter_context(Server("worker", "--coordinator", self.address, "--workers", "1",
                                   "--insecure"))
        self.matrix = folder / "m.npy"
        np.save(self.matrix, np.ones((BYTES // 8 // 64, 64)))
        self.succeed("put", "m", self.matrix, "--copy")
        worker, = self.succeed("workers")["workers"]
        self.keeper = worker["host"]
        self.ports = {"coordinator": (self.address, self.coordinator.pids[0]),
                      "rows": (worker["address"], worker["pid"])}

    def succeed(self, *words):
        return succeed(*words, "--insecure", cluster=self.address)

    def assert_serves(self):
        assert self.succeed("run", "sum", "m")["result"]["values"] == BYTES // 8
        assert all(alive(pid) for _, pid in self.ports.values())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Cluster(stack, tmp_path_factory.mktemp("ports"))


def own_memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read())[1]) * KIB


RUDE = {
    "random bytes": [os.urandom(65536)],
    "nothing": [b""],
    "HTTP/1": [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
    "half a preface": [stranger.PREFACE[:10]],
    "random after the preface": [stranger.PREFACE + os.urandom(4096)],
    "half a frame": [stranger.PREFACE + stranger.frame(stranger.SETTINGS, 0, 0)
                     + b"\x00\x40\x00" + b"\x01"],
    "a frame of 16 MiB": [stranger.PREFACE + stranger.frame(stranger.SETTINGS, 0, 0)
                          + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(65536)],
    "half a call": [stranger.begin_call(SESSION)[:-7]],
}


@pytest.mark.parametrize("port", ["coordinator", "rows"])
@pytest.mark.parametrize("what", RUDE)
def test_what_is_no_call(cluster, port, what):
    address, pid = cluster.ports[port]
    before = own_memory(pid)
    for _ in range(20):
        with stranger.connect(address) as line, contextlib.suppress(OSError):
            for part in RUDE[what]:
                line.sendall(part)
    cluster.assert_serves()
    assert own_memory(pid) < before + 16 * MIB


def test_a_coordinator_of_one_machine_is_as_unimpressed():
    with Server("local", "--workers", "1") as server:
        for parts in RUDE.values():
            with stranger.connect(server.address) as line, contextlib.suppress(OSError):
                for part in parts:
                    line.sendall(part)
        assert len(server.succeed("workers")["workers"]) == 1


@pytest.mark.parametrize("port, method", [("coordinator", SUBMIT), ("rows", BULK)])
def test_a_message_that_is_too_long(cluster, port, method):
    address, pid = cluster.ports[port]
    before = own_memory(pid)
    assert stranger.call_with_long_message(address, method, 256 * MIB) < 16 * MIB
    # One that never comes to its end is held as far as it came.
    with stranger.connect(address) as line:
        line.sendall(stranger.begin_call(method) + stranger.message(bytes(8192), length=2**31))
        cluster.assert_serves()
        assert own_memory(pid) < before + 16 * MIB


@pytest.mark.parametrize("port, method", [
    ("coordinator", SUBMIT), ("coordinator", GET), ("coordinator", SESSION), ("rows", BULK),
    ("rows", "/no/such")])
def test_a_message_that_is_none(cluster, port, method):
    address, _ = cluster.ports[port]
    data, headers = stranger.call(
        address, method, stranger.message(b"\xff" * 100, flags=stranger.END_STREAM))
    assert not data
    assert b"grpc-status" in headers and b"grpc-status\x010" not in headers or method == SESSION
    cluster.assert_serves()


def test_a_worker_of_another_version_is_told_both(cluster):
    hello = stranger.field(1, stranger.field(1, "7.3.1") + stranger.field(2, "unix-abstract:x"))
    data, _ = stranger.call(cluster.address, SESSION, stranger.message(hello))
    assert b"7.3.1" in data and VERSION.encode() in data
    cluster.assert_serves()


def test_what_a_keeper_is_sent(cluster):
    name = "\0" + cluster.keeper.partition(":")[2]
    good = struct.pack("<IHHIHHQQQQIHH8x", 0x48525448, 1, 5, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    packets = [os.urandom(64), os.urandom(4000), b"x", good[:63], good + b"x",
               good[:4] + b"\x63\0" + good[6:], good[:48] + b"\xff\xff\xff\xff" + good[52:]]
    for packet in packets:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.settimeout(10)
            line.connect(name)
            line.sendall(packet)
            assert line.recv(100) == b"", "not refused"
    lines = []
    for _ in range(200):  # and who says nothing
        lines.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        lines[-1].connect(name)
    cluster.assert_serves()
    for line in lines:
        line.close()


@pytest.fixture
def many_descriptors():
    """As many as may be had here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("port", ["coordinator", "rows"])
def test_ten_thousand_who_say_nothing(cluster, many_descriptors, port):
    count = min(IDLE, many_descriptors // 4 * 3 - 500)
    if count < IDLE:
        print(f"{count} connections instead of {IDLE}: the hard limit is {many_descriptors}")
    address, pid = cluster.ports[port]
    files = f"/proc/{pid}/fd"
    before, open_before = own_memory(pid), len(os.listdir(files))
    lines = []
    try:
        for _ in range(count):
            lines.append(stranger.connect(address))
        # The first ones may be dropped already when the last ones come.
        wait_until(lambda: len(os.listdir(files)) > open_before + count // 2, 10)
        assert own_memory(pid) - before < count * 64 * KIB
        cluster.assert_serves()
        wait_until(lambda: len(os.listdir(files)) < open_before + 50, 30, "the end of the silent")
    finally:
        for line in lines:
            line.close()
    cluster.assert_serves()
    assert own_memory(pid) - before < count * 64 * KIB


def test_a_coordinator_without_descriptors_serves_again(tmp_path):
    with Server("coordinator", "--listen", "127.0.0.1:0", "--insecure",
                within=("prlimit", "--nofile=256:256")) as server:
        # gRPC's own listener never accepted anybody again after this.
        lines = [stranger.connect(server.address) for _ in range(600)]
        time.sleep(0.5)  # they are to be accepted, or refused, while they all are there
        for line in lines:
            line.close()
        assert server.succeed("workers", "--insecure")["workers"] == []


def test_readers_that_never_read(cluster):
    data, _ = stranger.call(cluster.address, GET,
                            stranger.message(stranger.field(1, "m"), flags=stranger.END_STREAM))
    request = (stranger.field(1, stranger.token_in(data))
               + b"\x18" + bytes([BYTES >> 7 * i & 0x7f | 0x80 for i in range(3)])
               + bytes([BYTES >> 21]))
    address, pid = cluster.ports["rows"]
    before = own_memory(pid)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            line = stack.enter_context(stranger.connect(address))
            line.sendall(stranger.begin_call(BULK)
                         + stranger.message(request, flags=stranger.END_STREAM))
            line.recv(1)  # it has begun
        time.sleep(1)  # what would pile up has the time to
        assert own_memory(pid) < before + 32 * MIB, "what is not read piles up"
        cluster.assert_serves()
    cluster.assert_serves()
