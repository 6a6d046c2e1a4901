"""What anybody can send to a worker's port for rows: refused, bounded, and no harm."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from memory_probe import MIB, memory_of

# Runs in the host's namespace: what a stranger there would do.
STRANGER = textwrap.dedent("""
    import os, socket, sys, time
    host, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    def connect():
        return socket.create_connection((host, port), timeout=5)
    if kind == "random":
        for _ in range(50):
            with connect() as line:
                try:
                    line.sendall(os.urandom(65536))
                except OSError:
                    pass
    if kind == "http":
        with connect() as line:
            line.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            line.settimeout(5)
            try:
                line.recv(100)
            except OSError:
                pass
    if kind == "idle":
        lines = [connect() for _ in range(500)]
        print("connected", flush=True)
        sys.stdin.read()
    if kind == "preface":
        lines = []
        for _ in range(100):
            line = connect()
            line.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + os.urandom(4096))
            lines.append(line)
        time.sleep(0.2)
""")


@pytest.mark.parametrize("kind", ["random", "http", "idle", "preface"])
def test_a_stranger_at_the_port_for_rows(cluster, tmp_path, kind):
    path, out = tmp_path / "a.npy", tmp_path / "out.npy"
    a = np.random.default_rng(2).standard_normal((40_000, 64))
    np.save(path, a)
    cluster.succeed("put", "m", path, "--copy")
    worker = cluster.succeed("workers")["workers"][0]
    host, _, port = worker["address"].rpartition(":")
    own = memory_of(worker["pid"])[1]
    stranger = subprocess.Popen(
        [*cluster.hosts[1].within, sys.executable, "-c", STRANGER, host, port, kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if kind == "idle":
            assert stranger.stdout.readline() == "connected\n"
        else:
            assert stranger.wait(60) == 0
        cluster.succeed("run", "gram", "m", "-o", out, at=1)
        np.testing.assert_allclose(np.load(out), a.T @ a, rtol=1e-9)
        states = {one["pid"]: one["state"] for one in cluster.succeed("workers")["workers"]}
        assert states[worker["pid"]] == "ready"
        assert memory_of(worker["pid"])[1] < own + 100 * MIB
    finally:
        stranger.kill()
        stranger.communicate()
