"""`hearth top`: once where nobody watches, anew every second on a terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from hearth_process import BINARY, Server, environment, run, succeed

OPEN, CLOSE = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """`hearth top` on a terminal of `rows` and `columns`; what it draws gathers in `drawn`."""

    def __init__(self, cluster, rows=24, columns=80):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([BINARY, "top"], stdin=slave, stdout=slave, stderr=slave,
                                        env=environment(cluster), start_new_session=True)
        os.close(slave)
        self.drawn = b""

    def read(self, until, timeout=20):
        end = time.monotonic() + timeout
        while not until(self.drawn):
            assert time.monotonic() < end, self.drawn
            if not select.select([self.master], [], [], 0.1)[0]:
                continue
            try:
                self.drawn += os.read(self.master, 65536)
            except OSError:  # its other end is closed
                assert until(self.drawn), self.drawn
        return self.drawn

    def screens(self):
        """Each one drawn, as lines."""
        return [[line.replace("\x1b[K", "").replace("\x1b[J", "") for line in text.split("\r\n")]
                for text in self.drawn.split(CLOSE)[0].decode().split("\x1b[H")[1:]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


def two_screens(drawn):
    """Whole: the third has begun."""
    return drawn.count(b"\x1b[H") > 2


def test_once_where_nobody_watches(cluster, name):
    cluster.succeed("make", name, "--shape", "1000,64")
    cluster.succeed("run", "sum", name)
    result = run("top", cluster=cluster.address)
    assert result.status == 0 and result.err == "", result
    assert cluster.address in result.out and "5 ready" in result.out, result
    assert "\x1b" not in result.out, result
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 80, result
    assert any(name[:8] in line and "100 %" in line for line in lines), result
    workers = [line for line in lines if " ready " in line and line.startswith("w")]
    assert len(workers) == 5, result


def test_json_is_what_workers_and_jobs_print(cluster):
    document = succeed("top", cluster=cluster.address)
    assert list(document) == ["workers", "jobs"], document
    assert document["jobs"] == cluster.succeed("jobs")["jobs"]
    ids = [worker["id"] for worker in document["workers"]]
    assert ids == [worker["id"] for worker in cluster.succeed("workers")["workers"]]


def test_draws_anew_and_gives_the_terminal_back(cluster, name):
    with Terminal(cluster.address, rows=12, columns=60) as terminal:
        terminal.read(two_screens)
        cluster.succeed("make", name, "--shape", "100,4")
        cluster.succeed("run", "sum", name)
        terminal.read(lambda drawn: name[:6].encode() in drawn)
        terminal.process.send_signal(signal.SIGINT)
        terminal.read(lambda drawn: CLOSE in drawn)
        assert terminal.process.wait(10) == 130
        assert terminal.drawn.startswith(OPEN) and b"\x1b[?25h" in terminal.drawn
        for screen in terminal.screens():
            assert len(screen) <= 12 and max(map(len, screen)) <= 60, screen


@pytest.mark.parametrize("rows", [1, 5, 10])
def test_says_what_has_no_room(cluster, rows):
    with Terminal(cluster.address, rows=rows) as terminal:
        terminal.read(two_screens)
        for screen in terminal.screens():
            assert len(screen) <= rows, screen
        if rows == 10:
            assert any("more" in line for line in terminal.screens()[1]), terminal.screens()


def test_a_cluster_that_ends_meanwhile_is_one_error():
    with Server("local", "--workers", "1") as server:
        with Terminal(server.address) as terminal:
            terminal.read(two_screens)
            server.process.send_signal(signal.SIGINT)
            terminal.read(lambda drawn: b"hearth: " in drawn.split(CLOSE)[-1])
            assert terminal.process.wait(10) == 1
            after = terminal.drawn.split(CLOSE)[-1].decode()
            assert after.count("hearth:") == 1, after

