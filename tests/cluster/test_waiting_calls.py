"""Calls that wait for what may never come: they hold up no coordinator that ends."""

import contextlib
import signal

import pytest

import stranger
from hearth_process import Server

WAIT_READY = "/hearth.proto.Coordinator/WaitReady"
FIVE_WORKERS = b"\x08\x05"


@contextlib.contextmanager
def somebody_who_waits(coordinator):
    """For more workers than there are; the coordinator has heard it."""
    with stranger.connect(coordinator.address) as line:
        line.sendall(stranger.begin_call(WAIT_READY)
                     + stranger.message(FIVE_WORKERS, flags=stranger.END_STREAM)
                     + stranger.frame(stranger.PING, 0, 0, bytes(8)))
        for kind, flags, _, _ in stranger.frames(line):
            if kind == stranger.PING and flags & stranger.ACK:
                break
        else:
            pytest.fail("the coordinator hung up")
        yield


def test_a_coordinator_ends_while_somebody_waits_for_workers():
    """It waited in turn, for that call to end."""
    with Server("coordinator") as coordinator, somebody_who_waits(coordinator):
        coordinator.process.send_signal(signal.SIGTERM)
        assert coordinator.process.wait(timeout=5) == 0


def test_a_coordinator_ends_after_somebody_gave_up_waiting_for_workers():
    with Server("coordinator") as coordinator:
        for _ in range(20):
            with somebody_who_waits(coordinator):
                pass
        assert coordinator.succeed("workers")["workers"] == []
        coordinator.process.send_signal(signal.SIGTERM)
        assert coordinator.process.wait(timeout=5) == 0
