"""A bare TCP stream between two hosts of network_hosts, to hold Hearth's against."""

import subprocess
import sys
import textwrap

SEND = textwrap.dedent("""
    import socket, sys
    line = socket.create_server((sys.argv[1], 0))
    print(line.getsockname()[1], flush=True)
    peer, _ = line.accept()
    left, block = int(sys.argv[2]), bytes(1 << 20)
    while left > 0:
        left -= peer.send(block[:left])
    peer.shutdown(socket.SHUT_WR)
    peer.recv(1)
""")
RECEIVE = textwrap.dedent("""
    import socket, sys, time
    began = time.monotonic()
    line = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    left, into = int(sys.argv[3]), bytearray(1 << 20)
    while left > 0:
        now = line.recv_into(into)
        assert now > 0, "it ended early"
        left -= now
    print(time.monotonic() - began)
""")


def seconds_of_bare_tcp(sender, receiver, count):
    """Seconds that `count` bytes take from connect() to the last one."""
    with subprocess.Popen([*sender.within, sys.executable, "-c", SEND, sender.address, str(count)],
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip()
            got = subprocess.run(
                [*receiver.within, sys.executable, "-c", RECEIVE, sender.address, port, str(count)],
                check=True, capture_output=True, text=True, timeout=120)
            return float(got.stdout)
        finally:
            process.kill()
