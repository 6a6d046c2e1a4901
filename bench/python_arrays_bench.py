"""Arrays as arguments and results between two processes of a host, and what else there is.

    pip install -r bench/requirements.txt
    python bench/python_arrays_bench.py [--rounds 5]

The median of a call that takes an array, and of one that gives one, for several
sizes: as bytes inside the message, as a plain array (from 512 KiB on a segment), as
a shared array (its handle), and pickled through multiprocessing's BaseManager.
What takes an array reads all of it, and so does who gets one. All take turns.
"""

import argparse
import contextlib
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench")]

SIZES = [64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 4 << 20, 16 << 20, 128 << 20]


class Taker:
    def take(self, array):
        return float(np.frombuffer(array, np.float64).sum() if isinstance(array, bytes) else array.sum())

    def give(self, nbytes, as_bytes):
        array = np.full(nbytes // 8, 1.0)
        return array.tobytes() if as_bytes else array


def serve_hearth(address, _):
    import hearth
    server = hearth.ObjectServer(address)
    server.serve("taker", hearth.expose(Taker)())
    return address, server


def serve_manager(_, folder):
    import threading
    from multiprocessing.managers import BaseManager

    class Manager(BaseManager):
        pass

    taker = Taker()
    Manager.register("taker", lambda: taker, exposed=("take", "give"))
    server = Manager(f"{folder}/manager", b"bench").get_server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.address, server


def call_manager(address):
    from multiprocessing.managers import BaseManager

    class Manager(BaseManager):
        pass

    Manager.register("taker", exposed=("take", "give"))
    manager = Manager(address, b"bench")
    manager.connect()
    return manager, manager.taker()


def median(rounds, call):
    call()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return f"{statistics.median(times) * 1e6:>11,.0f}"


def measure(hearth_address, manager_address, rounds):
    import hearth
    ours = hearth.Objects(hearth_address).get("taker")
    _manager, theirs = call_manager(manager_address)
    print("us; size    take:     bytes      array     shared     pickle   give:     bytes      array     pickle")
    for size in SIZES:
        array = np.full(size // 8, 1.0)
        data, shared = array.tobytes(), hearth.share(array)
        fits = size < 64 << 20
        count = max(3, min(rounds * 20, rounds * (64 << 20) // size))
        row = [median(count, lambda: ours.take(data)) if fits else " " * 10 + "-",
               median(count, lambda: ours.take(array)), median(count, lambda: ours.take(shared)),
               median(count, lambda: theirs.take(array)), " " * 8,
               median(count, lambda: np.frombuffer(ours.give(size, True)).sum()) if fits else " " * 10 + "-",
               median(count, lambda: ours.give(size, False).sum()),
               median(count, lambda: theirs.give(size, False).sum())]
        print(f"{size >> 10:>7} KiB   {''.join(row)}", flush=True)


def main():
    if sys.argv[1:2] == ["serve"]:
        kind, where, folder = sys.argv[2:]
        address, _kept = globals()[f"serve_{kind}"](where, folder)
        print(address, flush=True)
        sys.stdin.read()
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    from hearth_process import Server
    with Server("coordinator") as coordinator, contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        addresses = []
        for kind in ("hearth", "manager"):
            server = stack.enter_context(subprocess.Popen(
                [sys.executable, __file__, "serve", kind, coordinator.address, folder],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            stack.callback(server.kill)
            addresses.append(server.stdout.readline().strip())
        measure(*addresses, options.rounds)


if __name__ == "__main__":
    main()
