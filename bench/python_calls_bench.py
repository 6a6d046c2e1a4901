"""Remote calls from Python beside Pyro5, multiprocessing's BaseManager and grpcio.

    pip install -r bench/requirements.txt
    python bench/python_calls_bench.py [--rounds 3] [--calls 2000]

Each adds one to a number in another process: the median of one caller's calls, all
calls of 16 threads on one proxy (on one a thread, of Pyro5, whose proxies are not
shared), and a batch of 10,000. First over Unix sockets; then, as root, over TCP
between two network namespaces, where there is nothing but TCP. All take turns, a
round each; the best round of each is told.
"""

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/network")]

THREADS, BATCH = 16, 10_000
PEERS = ("hearth", "pyro5", "manager", "grpcio")


class Adder:
    def add(self, number):
        return number + 1


# ------------------------------------------------------------------------- serving

def serve_hearth(where, _):
    import hearth
    server = hearth.ObjectServer(where, insecure=not where.startswith("unix"))
    server.serve("adder", hearth.expose(concurrent=True)(Adder)())
    return where, server


def serve_pyro5(where, folder):
    import Pyro5.api
    options = {"unixsocket": f"{folder}/pyro"} if where.startswith("unix") else {"host": where, "port": 0}
    daemon = Pyro5.api.Daemon(**options)
    uri = str(daemon.register(Pyro5.api.expose(Adder)()))
    threading.Thread(target=daemon.requestLoop, daemon=True).start()
    return uri, daemon


def serve_manager(where, folder):
    from multiprocessing.managers import BaseManager

    class Manager(BaseManager):
        pass

    adder = Adder()
    Manager.register("adder", lambda: adder, exposed=("add",))
    server = Manager(f"{folder}/manager" if where.startswith("unix") else (where, 0), b"bench").get_server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return json.dumps(server.address), server


def serve_grpcio(where, folder):
    import grpc
    adder = Adder()
    handler = grpc.method_handlers_generic_handler("Adder", {"add": grpc.unary_unary_rpc_method_handler(
        lambda request, _: adder.add(int.from_bytes(request, "little")).to_bytes(8, "little"))})
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers((handler,))
    address = f"unix:{folder}/grpc" if where.startswith("unix") else f"{where}:0"
    port = server.add_insecure_port(address)
    server.start()
    return address if where.startswith("unix") else f"{where}:{port}", server


def serve(kind, where, folder):
    address, _kept = globals()[f"serve_{kind}"](where, folder)
    print(address, flush=True)
    sys.stdin.read()
    sys.stdout.flush()
    import os
    os._exit(0)


# ------------------------------------------------------------------------- calling

def call_hearth(address):
    import hearth
    proxy = hearth.Objects(address, insecure=not address.startswith("unix")).get("adder")

    def batch():
        calls = proxy._batch()
        for number in range(BATCH):
            calls.add(number)
        return list(calls())
    return lambda: proxy.add, batch


def call_pyro5(address):
    import Pyro5.api

    def batch():
        calls = Pyro5.api.BatchProxy(Pyro5.api.Proxy(address))
        for number in range(BATCH):
            calls.add(number)
        return list(calls())
    return lambda: Pyro5.api.Proxy(address).add, batch


def call_manager(address):
    from multiprocessing.managers import BaseManager

    class Manager(BaseManager):
        pass

    Manager.register("adder", exposed=("add",))
    found = json.loads(address)
    manager = Manager(found if isinstance(found, str) else tuple(found), b"bench")
    manager.connect()
    proxy = manager.adder()
    return lambda: proxy.add, lambda: [proxy.add(number) for number in range(BATCH)]


def call_grpcio(address):
    import grpc
    stub = grpc.insecure_channel(address).unary_unary("/Adder/add")

    def add(number):
        return int.from_bytes(stub(number.to_bytes(8, "little")), "little")

    def batch():
        values = []
        for begin in range(0, BATCH, 100):  # more at once are slower, and now and then refused
            futures = [stub.future(number.to_bytes(8, "little")) for number in range(begin, begin + 100)]
            values += [int.from_bytes(future.result(), "little") for future in futures]
        return values
    return lambda: add, batch


def measure(kind, address, calls):
    make, batch = globals()[f"call_{kind}"](address)
    add = make()
    for number in range(100):
        assert add(number) == number + 1
    times = []
    for number in range(calls):
        began = time.perf_counter()
        add(number)
        times.append(time.perf_counter() - began)
    ready = threading.Barrier(THREADS + 1)

    def many():
        mine = make()
        mine(0)
        ready.wait()
        for number in range(calls // 4):
            mine(number)

    threads = [threading.Thread(target=many) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    together = THREADS * (calls // 4) / (time.perf_counter() - began)
    began = time.perf_counter()
    assert batch() == list(range(1, BATCH + 1))
    print(json.dumps([statistics.median(times) * 1e6, together, BATCH / (time.perf_counter() - began)]))


# ---------------------------------------------------------------------------- all

def run(title, coordinator, where, server_within, client_within, options):
    me = [sys.executable, __file__]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        addresses = {}
        for kind in PEERS:
            at = coordinator if kind == "hearth" else where
            server = stack.enter_context(subprocess.Popen([*server_within, *me, "serve", kind, at, folder],
                                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            stack.callback(server.stdin.close)
            addresses[kind] = server.stdout.readline().strip()
        results = {kind: [] for kind in PEERS}
        for _ in range(options.rounds):
            for kind in PEERS:
                said = subprocess.run([*client_within, *me, "call", kind, addresses[kind], str(options.calls)],
                                      stdout=subprocess.PIPE, text=True, check=True, timeout=300)
                results[kind].append(json.loads(said.stdout))
        print(f"{title:<10}{'median':>12}{'16 threads':>16}{'batch':>16}")
        for kind in PEERS:
            rounds = results[kind]
            print(f"{kind:<10}{min(one[0] for one in rounds):>9.1f} us{max(one[1] for one in rounds):>14,.0f}/s"
                  f"{max(one[2] for one in rounds):>14,.0f}/s")


def main():
    if sys.argv[1:2] == ["serve"]:
        return serve(*sys.argv[2:])
    if sys.argv[1:2] == ["call"]:
        return measure(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--unix-only", action="store_true")
    options = parser.parse_args()
    from hearth_process import Server
    with Server("coordinator") as coordinator:
        run("Unix", coordinator.address, "unix", (), (), options)
    if options.unix_only:
        return None
    from network_hosts import Network
    with Network(2) as network:
        client, server = network.hosts
        with Server("coordinator", "--listen", f"{client.address}:0", "--insecure",
                    within=client.within) as coordinator:
            run("TCP", coordinator.address, server.address, server.within, client.within, options)
    return None


if __name__ == "__main__":
    main()
