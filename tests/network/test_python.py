"""The Python package between hosts: rows, remote objects and functions, over TCP."""

import json
import pathlib
import subprocess
import sys

import pytest

from conftest import ClusterOfHosts
from hearth_process import environment

pytest.importorskip("hearth")

MIB = 1 << 20


@pytest.fixture(scope="module")
def cluster(hosts):
    made = ClusterOfHosts(hosts, env=environment(HEARTH_PYTHON=sys.executable), more=("--allow-python",), workers=1)
    with made.stack:
        made.succeed("make", "m", "--shape", "8192,1024", at=1)  # 64 MiB, on one host
        yield made


def python(cluster, at, program):
    """What a program prints that ends in `tell(value)`; `cluster` is its connection."""
    text = ("import json, sys, numpy as np, hearth\n"
            "def tell(value): print(json.dumps(value))\n"
            "cluster = hearth.connect(sys.argv[1], insecure=True)\n" + program)
    done = subprocess.run([*cluster.hosts[at].within, sys.executable, "-c", text, cluster.address],
                          capture_output=True, text=True, timeout=100, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def elsewhere(cluster):
    """A host that has not the matrix."""
    return next(at for at in range(3) if not python(cluster, at, "tell(cluster._native.here('m') is not None)"))


@pytest.mark.parametrize("index", ["m[10:20]", "m[5]", "m[-3:, 7]", "m[100:200:7]", "m[30:20:-2, ::3]", "m[8191, 5]"])
def test_an_index_of_some_rows_brings_those_alone(cluster, elsewhere, index):
    here, received, same = python(cluster, elsewhere, f"""
def received(): return int(open("/sys/class/net/eth0/statistics/rx_bytes").read())
m = cluster["m"]
before = received()
part = np.array({index})
took = received() - before
tell([m._array is None, took, bool(np.array_equal(part, {index.replace("m[", "m.array()[")}))])
""")
    assert here and received < MIB and same


def test_where_the_matrix_lies_an_index_is_a_view(cluster):
    whole = [python(cluster, at, "m = cluster['m']; m[10:20]; tell(m._array is not None)") for at in range(3)]
    assert sorted(whole) == [False, False, True]


def test_objects_of_another_host_are_called(cluster, tmp_path):
    program = tmp_path / "serve.py"
    program.write_text("""
import sys, hearth
@hearth.expose
class Summer:
    def sum(self, matrix, begin: int, end: int):
        return float(matrix[begin:end].sum())
    def up(self, count: int):
        yield from range(count)
    def back(self, guest):
        return guest.hear("hello")
with hearth.ObjectServer(sys.argv[1], insecure=True) as server:
    server.serve("summer", Summer())
    print("ready", flush=True)
    sys.stdin.read()
""")
    with subprocess.Popen([*cluster.hosts[1].within, sys.executable, program, cluster.address], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as server:
        assert server.stdout.readline() == "ready\n"
        total, expected, count, heard = python(cluster, 2, """
@hearth.expose
class Guest:
    def hear(self, what): return what + " heard"
summer, guest = hearth.Proxy("summer", cluster), cluster.objects.expose(Guest())
m = cluster["m"]
tell([summer.sum(m, 0, 100), float(m[0:100].sum()), sum(summer.up(10000)), summer.back(guest)])
""")
        server.stdin.close()
    assert (total, count, heard) == (pytest.approx(expected), 49995000, "hello heard")


def test_a_function_runs_where_the_rows_lie_and_its_results_come_back(cluster, elsewhere):
    pids, workers, mean, expected, same = python(cluster, elsewhere, """
import os
m = cluster["m"]
pids = cluster.map_reduce(lambda block: [os.getpid()], m, lambda a, b: sorted({*a, *b}))
mean = cluster.map_reduce(lambda block: block.sum(axis=0), m) / 8192
lie = {one for shard in m.info["shards"] for one in shard["workers"]}
workers = [one["pid"] for one in cluster.workers() if one["id"] in lie]
halves = cluster.map_blocks(lambda block: block[:, :4] / 2, m)
tell([pids, workers, float(mean[0]), float(m.mean(axis=0)[0]), bool(np.array_equal(halves, m.array()[:, :4] / 2))])
""")
    assert len(pids) == 1 and mean == pytest.approx(expected) and same
    parents = [int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]) for pid in pids]
    assert parents == workers
