"""Rows over a link of 1 Gbit/s with a round trip of 20 ms: Hearth's stream, and
`hearth get` of a matrix that another host holds, beside iperf3 and a bare TCP
stream of as many bytes over the same link, in turn. Each counts from the moment
when it connects. Needs root, libnetfilter-queue-dev, and the preset bench's link_peer.

    python bench/link_bench.py [--mib 512] [--rounds 5] [--congestion cubic]
"""

import argparse
import contextlib
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/network")]

import links  # noqa: E402
from bare_tcp import seconds_of_bare_tcp  # noqa: E402
from hearth_process import BINARY  # noqa: E402
from network_hosts import Network  # noqa: E402

PEER = BINARY.parent / "bench/link_peer"


def iperf3(sender, receiver, mib):
    """MB/s, by its own count."""
    if shutil.which("iperf3") is None:
        return None
    with subprocess.Popen([*sender.within, "iperf3", "-s", "-1", "--forceflush"],
                          stdout=subprocess.PIPE, text=True) as server:
        while "listening" not in server.stdout.readline():
            pass
        said = subprocess.run([*receiver.within, "iperf3", "-c", sender.address, "-R", "-f", "M",
                               "-n", f"{mib}M"], check=True, capture_output=True, text=True).stdout
    line = [each for each in said.splitlines() if each.endswith("receiver")][0]
    return float(line.split()[line.split().index("MBytes/sec") - 1]) * 1.048576


def stream(sender, receiver, mib):
    with subprocess.Popen([*sender.within, PEER, "serve", f"{sender.address}:0", str(mib)],
                          stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            return float(subprocess.run(
                [*receiver.within, PEER, "read", address, str(mib)], check=True,
                capture_output=True, text=True).stdout)
        finally:
            server.kill()


def get(receiver, address, out):
    began = time.monotonic()
    receiver.succeed("get", "m", "-o", out, "--cluster", address, "--insecure")
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabits", type=int, default=1000)
    parser.add_argument("--delay", type=int, default=20, help="milliseconds")
    parser.add_argument("--congestion", help="default: what this host uses")
    options = parser.parse_args()
    if links.missing():
        sys.exit(f"link_bench: {links.missing()}")
    count = options.mib << 20
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        sender, receiver = stack.enter_context(Network(2)).hosts
        if options.congestion:
            for host in (sender, receiver):
                links.within(host, "sysctl", "-q", "-w",
                             f"net.ipv4.tcp_congestion_control={options.congestion}")
        coordinator = stack.enter_context(
            sender.serve("coordinator", "--listen", f"{sender.address}:0", "--insecure"))
        stack.enter_context(sender.serve("worker", "--coordinator", coordinator.address,
                                         "--workers", "1", "--insecure"))
        sender.succeed("make", "m", "--shape", f"{count // 8192},1024", "--cluster",
                       coordinator.address, "--insecure")
        get(receiver, coordinator.address, folder / "m.npy")  # its pages are there
        stack.enter_context(links.paced(sender, options.megabits))
        stack.enter_context(links.delayed(receiver, options.delay))
        speeds = {"iperf3": [], "bare": [], "stream": [], "get": []}
        for _ in range(options.rounds):
            of_iperf3 = iperf3(sender, receiver, options.mib)
            if of_iperf3 is not None:
                speeds["iperf3"].append(of_iperf3)
            speeds["bare"].append(count / 1e6 / seconds_of_bare_tcp(sender, receiver, count))
            speeds["stream"].append(count / 1e6 / stream(sender, receiver, options.mib))
            took = get(receiver, coordinator.address, folder / "m.npy")
            speeds["get"].append(count / 1e6 / took)
        against = statistics.median(speeds["iperf3"] or speeds["bare"])
        for name, found in speeds.items():
            if found:
                print(f"{name:8} {statistics.median(found):8.1f} MB/s, "
                      f"ratio {statistics.median(found) / against:.3f}, "
                      f"{min(found):.1f} to {max(found):.1f}", flush=True)


if __name__ == "__main__":
    main()
