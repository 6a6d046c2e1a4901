"""What befalls the link of a host of network_hosts: cut, lossy, long, narrow.

The kernel may have no netem: packets are lost by iptables, held by our own
network_delay on INPUT of whoever receives them, and paced by tbf on their way out.
"""

import contextlib
import os
import shutil
import subprocess

from hearth_process import BINARY

DELAY = BINARY.parent / "tests/network/network_delay"


def missing():
    """Why there can be no lossy and long links here; empty where there can."""
    if shutil.which("iptables", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        return "iptables is not installed (deploy/install-dependencies.sh --tests)"
    if not DELAY.is_file():
        return f"{DELAY} was not built: install libnetfilter-queue-dev"
    return ""


def unpaced(host):
    """Why nothing that `host` sends can be paced; empty where it can."""
    try:
        with paced(host, 100):
            return ""
    except AssertionError as trouble:
        return f"tc or the kernel's sch_tbf is missing: {trouble}"


def within(host, *words):
    result = subprocess.run([*host.within, *map(str, words)], check=False, capture_output=True,
                            text=True)
    assert result.returncode == 0, f"{words}: {result.stderr}"


def whole_packets(host):
    """One packet is one frame from here on: what is lost or paced is 1,500 bytes."""
    within(host, "ip", "link", "set", "dev", "eth0", "gso_max_segs", "1")


@contextlib.contextmanager
def cut(host):
    host.plug("down")
    try:
        yield
    finally:
        host.plug("up")


@contextlib.contextmanager
def losing(host, share):
    """Of the packets that come to `host`, and of those that it sends."""
    whole_packets(host)
    rules = [("INPUT", "-i", "eth0"), ("OUTPUT", "-o", "eth0")]
    rest = ("-m", "statistic", "--mode", "random", "--probability", share, "-j", "DROP")
    for rule in rules:
        within(host, "iptables", "-w", "-I", *rule, *rest)
    try:
        yield
    finally:
        for rule in rules:
            within(host, "iptables", "-w", "-D", *rule, *rest)


@contextlib.contextmanager
def delayed(host, milliseconds):
    """Whatever comes to `host` comes so much later: its round trips grow by that."""
    rule = ("INPUT", "-i", "eth0", "-j", "NFQUEUE", "--queue-num", "0", "--queue-bypass")
    with subprocess.Popen([*host.within, DELAY, "0", str(milliseconds)],
                          stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n", "no queue of netfilter"
            within(host, "iptables", "-w", "-A", *rule)
            try:
                yield
            finally:
                within(host, "iptables", "-w", "-D", *rule)
        finally:
            process.kill()


@contextlib.contextmanager
def paced(host, megabits):
    """What `host` sends leaves at this rate, with 50 ms of room to wait in."""
    within(host, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate",
           f"{megabits}mbit", "burst", "256k", "latency", "50ms")
    try:
        yield
    finally:
        within(host, "tc", "qdisc", "del", "dev", "eth0", "root")
