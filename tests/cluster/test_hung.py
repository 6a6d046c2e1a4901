"""A worker that stands still: given up soon, replaced later, and welcome back before that."""

import ctypes
import os
import signal
import time

import pytest

from hearth_process import Server, alive, kill, wait_until

PTRACE_SEIZE, WALL = 0x4206, 0x40000000

HUNG_AFTER = 30  # limits::kSilentLooksMax


def states(local):
    return {worker["pid"]: worker["state"] for worker in local.succeed("workers")["workers"]}


def test_a_stopped_worker_comes_back_or_is_replaced():
    """It was declared lost and never started again: a cluster of one stayed without."""
    with Server("local", "--workers", "1") as local:
        local.succeed("make", "m", "--shape", "1000,10")
        [first] = [pid for pid, state in states(local).items() if state == "ready"]
        try:
            # For longer than its lease, which is not long enough to be killed.
            os.kill(first, signal.SIGSTOP)
            wait_until(lambda: "ready" not in states(local).values(), 20, "its loss")
            time.sleep(3)
            os.kill(first, signal.SIGCONT)
            wait_until(lambda: states(local).get(first) == "ready", 20, "its return")
            assert local.succeed("run", "count_nonzero", "m")["result"]["values"] == 10_000

            os.kill(first, signal.SIGSTOP)
            stopped = time.monotonic()
            wait_until(lambda: not alive(first), HUNG_AFTER + 20, "its end")
            assert time.monotonic() - stopped > HUNG_AFTER - 5
        finally:
            if alive(first):
                os.kill(first, signal.SIGKILL)
        [second] = wait_until(lambda: [pid for pid, state in states(local).items() if state == "ready"],
                              20, "another worker")
        assert second != first
        assert local.succeed("run", "count_nonzero", "m")["result"]["values"] == 10_000
        told = [worker["ended"] for worker in local.succeed("workers")["workers"] if worker["ended"]]
        assert any("stood still" in story for story in told), told


@pytest.mark.slow
def test_a_worker_that_a_debugger_holds_is_left_alone():
    libc = ctypes.CDLL(None, use_errno=True)
    with Server("local", "--workers", "1") as local:
        [worker] = states(local)
        # First: of a traced process the tracer would have to pass the signal on.
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: "ready" not in states(local).values(), 20, "its loss")
        if libc.ptrace(PTRACE_SEIZE, worker, None, None) != 0:
            kill(worker)
            pytest.skip(f"nobody may trace here: {os.strerror(ctypes.get_errno())}")
        try:
            time.sleep(HUNG_AFTER + 10)
            assert alive(worker), "killed under its debugger"
        finally:
            kill(worker)
            os.waitpid(worker, WALL)  # its keeper learns of it when its tracer has
        wait_until(lambda: "ready" in states(local).values(), 20, "another worker")
